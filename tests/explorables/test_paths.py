"""Every path and the recursion: both are the gradient, and the page computes what Python does."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from browsers import settle

import rnncourse
from rnncourse import RNN, Model, Readout, bptt

paths = pytest.importorskip("rnncourse.explorables.paths", reason="anywidget is not installed")
base = pytest.importorskip("rnncourse.explorables.base", reason="anywidget is not installed")
rng = np.random.default_rng(0)
WEIGHTS = ["W_hh", "W_xh"]
SETTINGS = [
    [*row, w] for row, w in zip(rng.uniform(-2, 2, (12, 3)), rng.uniform(-2, 2, 12), strict=True)
]
CORNERS = [[a, b, c, w] for a in (-2, 2) for b in (-2, 2) for c in (-2, 2) for w in (-2, 2)]
CASES = [
    (setting, weight, error)
    for setting in SETTINGS + CORNERS
    for weight in WEIGHTS
    for error in paths.STEPS
]


def figure(setting, weight="W_hh", error="E"):
    x1, x2, x3, w11 = map(float, setting)
    return paths.Paths(x1=x1, x2=x2, x3=x3, w11=w11, weight=weight, error=error)


def arguments(setting, weight, error):
    shown = figure(setting, weight, error)
    return shown.net, shown.x, weight, paths.STEPS[error]


def for_page(setting, weight, error):
    net, x, weight, steps = arguments(setting, weight, error)
    data = paths.Paths().data() | {"W_hh": net["W_hh"].tolist()}
    return [data, x.ravel().tolist(), weight, list(steps)]


@pytest.mark.parametrize("name", ["paths.ipynb", "bptt.ipynb", "truncation.ipynb"])
def test_the_network_is_that_of_the_chapter(name):
    page = Path(rnncourse.__file__).parents[1] / "book" / "2-backpropagation" / name
    if not page.exists():
        pytest.skip("the package is installed without the book")
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    chapter = {"np": np, "print": lambda *_: None}
    sources = ("".join(cell["source"]) for cell in cells)
    exec(next(source for source in sources if source.startswith("net = {")), chapter)
    assert chapter["net"].keys() == paths.NET.keys()
    for name, W in chapter["net"].items():
        assert np.array_equal(W, paths.NET[name])
    assert np.array_equal(chapter["h0"], paths.H0)
    assert np.array_equal(chapter["d"], paths.TARGETS)
    shown = paths.Paths()
    assert np.array_equal(chapter["x"], shown.x)
    assert np.array_equal(chapter["net"]["W_hh"], shown.net["W_hh"])


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("error", paths.STEPS)
def test_both_ways_give_the_gradient_of_the_fast_layer(weight, error):
    for setting in SETTINGS:
        net, x, _, steps = arguments(setting, weight, error)
        model = Model(
            RNN(1, 2, rng=np.random.default_rng(0)),
            Readout(2, 1, rng=np.random.default_rng(0)),
            loss="squared_error",
            reduction="sum",
        )
        model.load_params(net)
        grads = model.loss_and_gradients(
            x=x[:, None],
            targets=paths.TARGETS[:, None],
            state=paths.H0[None],
            mask=[[t in steps] for t in (1, 2, 3)],
        ).grads
        walks = paths.walks(net, x, weight, steps)
        assert len(walks) == sum(steps)
        for terms in (walks, paths.sweep(net, x, weight, steps)):
            total = sum(term.value for term in terms)
            assert np.allclose(total, grads[weight], rtol=0, atol=1e-13)


def test_finite_differences_agree_as_closely_as_the_page_says():
    for case in CASES:
        given = arguments(*case)
        total = sum(path.value for path in paths.walks(*given))
        assert np.abs(paths.measured(*given) - total).max() < 1e-8, case


def test_the_two_parts_of_delta_h_add_up_to_it():
    for case in CASES[::5]:
        net, x, _, steps = given = arguments(*case)
        h, y = bptt.forward(net, x, paths.H0)
        delta_a = np.zeros(2)
        for step in paths.sweep(*given):
            off = (y[step.t - 1] - paths.TARGETS[step.t - 1]) * (step.t in steps)
            assert np.allclose(step.delta_y, off, atol=1e-15)
            assert np.allclose(step.own, net["W_hy"].T @ off, atol=1e-15)
            assert np.allclose(step.later, net["W_hh"].T @ delta_a, atol=1e-15)
            assert np.allclose(step.delta_h, step.own + step.later, atol=1e-15)
            delta_a = step.delta_a
            assert np.allclose(delta_a, (1 - h[step.t] ** 2) * step.delta_h, atol=1e-15)


def near(there, here):
    return np.shape(there) == np.shape(here) and np.allclose(there, here, rtol=0, atol=1e-12)


def test_the_page_runs_the_same_network(js):
    pages = [for_page(*case)[:2] for case in CASES[::8]]
    for there, case in zip(js("paths", "forward", pages), CASES[::8], strict=True):
        net, x, *_ = arguments(*case)
        h, y = bptt.forward(net, x, paths.H0)
        assert near(there["h"], h)
        assert near(there["y"], y.ravel())


def test_the_page_walks_the_same_paths(js):
    for there, case in zip(js("paths", "walks", [for_page(*c) for c in CASES]), CASES, strict=True):
        here = paths.walks(*arguments(*case))
        assert [(p["m"], p["k"]) for p in there] == [(p.error_step, p.use_step) for p in here]
        for a, b in zip(there, here, strict=True):
            assert near(a["row"], b.error_gradient)
            assert len(a["jacobians"]) == len(b.jacobians) == a["m"] - a["k"]
            assert all(map(near, a["jacobians"], b.jacobians))
            assert near(a["carried"], b.carried)
            assert near(a["value"], b.value)
            # The page shows the entries i = p of the immediate partial; all others are zero.
            shown = np.zeros_like(b.immediate)
            shown[[0, 1], [0, 1]] = a["immediate"]
            assert near(shown, b.immediate)


def test_the_page_runs_the_same_recursion(js):
    for there, case in zip(js("paths", "sweep", [for_page(*c) for c in CASES]), CASES, strict=True):
        net, x, weight, _ = given = arguments(*case)
        h, _ = bptt.forward(net, x, paths.H0)
        for a, b in zip(there, paths.sweep(*given), strict=True):
            assert a["t"] == b.t
            assert near([a["delta_y"]], b.delta_y)
            for key in ("own", "later", "delta_h", "delta_a", "value"):
                assert near(a[key], getattr(b, key)), key
            assert near(a["slope"], 1 - h[b.t] ** 2)
            assert near(a["used"], h[b.t - 1] if weight == "W_hh" else x[b.t - 1])


def test_the_page_measures_the_same_gradient(js):
    # Rounding in tanh comes out of a difference 1/ε times as large: 1e-16 / 1e-5.
    for there, case in zip(
        js("paths", "measured", [for_page(*c) for c in CASES]), CASES, strict=True
    ):
        assert np.allclose(there, paths.measured(*arguments(*case)), rtol=0, atol=1e-9)


def numbers(text):
    return [float(n) for n in re.findall(r"-?\d+\.\d{4}", text.replace("−", "-"))]


def bptt_gradient(shown, steps):
    return sum(
        p.value
        for m in steps
        for p in bptt.paths("W_hh", m, shown.net, shown.x, paths.TARGETS, paths.H0)
    )


FORMULA = "[aria-label='The product, in numbers']"
CHECK = "[aria-label='The sum and its check']"
PICTURES = ".rnnx > .panels svg[role=img]"


def test_the_calculation_in_the_page_is_that_of_the_path(twin):
    shown = paths.Paths(error="E", path=3, x2=1.2, w11=-0.8)
    page = twin(shown)
    settle(page)
    path = paths.walks(shown.net, shown.x, "W_hh", (3, 2, 1))[2]
    slope = path.immediate[[0, 1], [0, 1]]
    factors = [path.error_gradient, *path.jacobians, path.carried, slope, path.value]
    expected = np.concatenate([np.ravel(factor) for factor in factors])
    assert numbers(page.inner_text(FORMULA)) == pytest.approx(expected, abs=0.5001e-4)
    # Three of six paths are the gradient of the last error, not of the sum.
    result = page.inner_text(CHECK)
    last = bptt_gradient(shown, (3,))
    assert "≠" in result
    every = bptt_gradient(shown, (3, 2, 1))
    assert numbers(result) == pytest.approx([*last.ravel(), *every.ravel()], abs=0.5001e-4)


def texts(page, picture):
    """What stands in a picture, from the first text to the last."""
    found = page.locator(PICTURES).nth(picture).locator("text")
    return [text.replace("−", "-") for text in found.evaluate_all("t => t.map(t => t.textContent)")]


def test_a_path_is_shown_as_factors_with_their_shapes(twin):
    for weight, columns in (("W_hh", 2), ("W_xh", 1)):
        page = twin(paths.Paths(weight=weight), more=False)
        settle(page)
        shown = texts(page, 1)
        # ∂E/∂h · J · J · ∂⁺h/∂W = term, in the order of the walk
        symbols = [
            "∂En+2",
            "∂hn+2",
            "Jn+2",
            "Jn+1",
            "∂+hn",
            f"∂{weight.replace('_', '')}",
            "=",
            "term",
        ]
        assert [text for text in shown if text in symbols] == symbols
        shapes = ["1×2", "2×2", "2×2", f"2×(2×{columns})", f"2×{columns}"]
        assert [text for text in shown if "×" in text] == shapes
        # The only numbers are the zeros of the immediate derivative, those with i ≠ p.
        assert [text for text in shown if re.fullmatch(r"-?[\d.]+", text)] == ["0"] * 2 * columns
        assert base.words()["paths"]["slice"] in shown
        cells = page.locator(PICTURES).nth(1).locator("rect")
        assert cells.count() == 2 + 4 + 4 + 4 * columns + 2 * columns
        assert page.locator(FORMULA).is_visible() is False


@pytest.mark.parametrize("width", [390, 780])
def test_the_terms_are_added_and_the_finite_differences_come_last(twin, width):
    page = twin(paths.Paths(path=1), width=width, more=False)
    page.get_by_role("button", name="To Wxh").click()
    settle(page)
    walks = paths.walks(paths.NET, paths.Paths().x, "W_xh", (3,))
    digits = 2 if width < 400 else 3
    total = np.zeros((2, 1))
    for index, path in enumerate(walks):
        total += path.value
        shown = [float(t) for t in texts(page, 2) if re.fullmatch(r"-?\d\.\d+", t)]
        expected = np.column_stack([path.value.ravel(), total.ravel()]).ravel()
        assert shown == pytest.approx(expected, abs=0.5001 * 10**-digits)
        assert f"{index + 1} of 3 paths added" in texts(page, 2)
        # One bar for each term and each entry; where one ends, the next begins.
        bars = page.locator(PICTURES).nth(2).locator("rect")
        assert bars.count() == 2 * (index + 1)
        marks = page.locator(PICTURES).nth(2).locator("line.thick")
        done = index == len(walks) - 1
        assert marks.count() == (2 if done else 0)
        said = page.inner_text(".summary")
        assert ("finite differences" in said) == done
        assert any("finite differences" in t for t in texts(page, 2)) == done
        if not done:
            page.get_by_role("button", name="one step on").click()
            settle(page)
    ends = bars.evaluate_all(
        "all => all.map((r) => ['x', 'width'].map((name) => +r.getAttribute(name)))"
    )
    places = marks.evaluate_all("all => all.map((l) => +l.getAttribute('x1'))")
    # The last terms are negative: the marks stand at the left ends of their bars.
    assert places == pytest.approx([ends[2][0], ends[5][0]], abs=0.2)


def test_play_goes_through_the_paths_and_through_the_recursion(twin):
    page = twin(paths.Paths(), more=False)
    page.clock.install()

    def state():
        return page.evaluate("document.querySelector('.rnnx').explorable.state")

    play = page.get_by_role("button", name="Play", exact=True)
    for error, count in (("E3", 3), ("E", 6), ("E1", 1), ("E2", 2)):
        page.evaluate(
            f"document.querySelector('.rnnx').explorable.set({{ error: '{error}', path: 6 }})"
        )
        play.click()
        seen = [state()["path"]]
        for _ in range(count - 1):
            page.clock.run_for(2450)
            seen.append(state()["path"])
        assert seen == list(range(1, count + 1))
        page.clock.run_for(5000)
        assert state()["path"] == count
        assert play.inner_text() == "Play"
    page.get_by_role("button", name="Recursion").click()
    assert (state()["way"], state()["error"], state()["step"]) == ("recursion", "E", 1)
    play.click()
    page.clock.run_for(12 * 2450)
    assert state()["step"] == 12
    assert "finite differences" in page.inner_text(".summary")


@pytest.mark.parametrize(("width", "most", "whole"), [(390, 660, 850), (768, 520, 640)])
def test_picture_and_primary_controls_fit_a_screen(twin, width, most, whole):
    page = twin(paths.Paths(), width=width, more=False)
    page.evaluate("document.body.style.margin = '0 16px'")
    settle(page)
    root = page.locator(".rnnx").bounding_box()
    controls = page.locator(".rnnx > .controls").bounding_box()
    assert controls["y"] + controls["height"] - root["y"] <= most
    assert root["height"] <= whole


def test_stepping_through_the_recursion_ends_at_the_gradient(twin):
    shown = paths.Paths(way="recursion", error="E")
    page = twin(shown)
    result = page.locator(CHECK)
    settle(page)
    # No term is complete yet.
    assert "≠" in result.inner_text()
    assert numbers(result.inner_text())[:4] == [0, 0, 0, 0]
    for _ in range(11):
        page.get_by_role("button", name="one step on").click()
    settle(page)
    _, grads = bptt.bptt(shown.net, shown.x, paths.TARGETS, paths.H0)
    assert "✓" in result.inner_text()
    total = grads["W_hh"].ravel()
    assert numbers(result.inner_text()) == pytest.approx([*total, *total], abs=0.5001e-4)
    said = page.inner_text(".summary")
    assert ", ".join(f"{v:.3f}" for v in total).replace("-", "−") in said


def test_the_moves_of_the_recursion_add_before_they_cross(twin):
    shown = paths.Paths(way="recursion", error="E", step=6)
    page = twin(shown)
    settle(page)
    step = paths.sweep(shown.net, shown.x, "W_hh", (3, 2, 1))[1]
    expected = [*step.delta_h, *step.own, *step.later]
    assert numbers(page.inner_text(FORMULA)) == pytest.approx(expected, abs=0.5001e-4)
    assert [text for text in texts(page, 1) if text in "=+"] == ["=", "+"]
    page.get_by_role("button", name="one step back").click()
    settle(page)
    expected = [*step.delta_y, *(step.delta_y + paths.TARGETS[1]), *paths.TARGETS[1]]
    assert numbers(page.inner_text(FORMULA)) == pytest.approx(expected, abs=0.5001e-4)


def test_the_counts_are_those_of_the_equation(twin):
    page = twin(paths.Paths(error="E", path=6))
    settle(page)
    walks = paths.walks(paths.NET, paths.Paths().x, "W_hh", (3, 2, 1))
    count = sum(len(path.jacobians) for path in walks)
    assert count == 3 * (3**2 - 1) // 6  # eq-path-cost
    said = page.inner_text(".more")
    assert f"{count} path by path, 3 in the recursion" in said
    assert f"{100 * (100**2 - 1) // 6:,} path by path, 100 in the recursion" in said


def test_a_click_on_the_graph_picks_the_path_and_the_controls_do_too(twin):
    page = twin(paths.Paths())

    def state():
        return page.evaluate("document.querySelector('.rnnx').explorable.state")

    page.locator("[data-click=W2]").click()
    assert (state()["error"], state()["path"]) == ("E3", 2)
    page.locator("[data-click=E2]").click()
    assert (state()["error"], state()["path"]) == ("E2", 1)
    settle(page)
    assert page.locator("[data-click=W3]").count() == 0  # a later copy does not reach E_2
    slider = page.get_by_role("slider", name="path")
    assert slider.get_attribute("max") == "2"
    page.get_by_role("radio", name="sum E").check()
    settle(page)
    assert slider.get_attribute("max") == "6"
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert state()["path"] == 5
    settle(page)
    page.locator("[data-click=W3]").click()
    assert state()["path"] == 1
    page.get_by_role("button", name="one step on").press("Enter")
    assert state()["path"] == 2


def test_a_press_counts_though_the_picture_is_drawn_anew_under_it(twin):
    page = twin(paths.Paths())
    state = "document.querySelector('.rnnx').explorable.state"
    for end, error in (("E2", "E2"), (None, "E3")):  # let go on it, and beside it
        page.evaluate("document.querySelector('.rnnx').explorable.set({ error: 'E3', path: 3 })")
        settle(page)
        page.locator("[data-click=E2]").hover()
        page.mouse.down()
        page.evaluate("document.querySelector('.rnnx').explorable.set({ path: 1 })")
        settle(page)
        if end is None:
            box = page.locator("svg[role=img]").first.bounding_box()
            page.mouse.move(box["x"] + 2, box["y"] + 2)
        page.mouse.up()
        assert page.evaluate(f"{state}.error") == error


def test_a_path_beyond_the_last_stands_for_the_last(twin):
    page = twin(paths.Paths(error="E2", path=6))
    settle(page)
    assert "Path 2 of 2" in page.inner_text(".summary")
    page.get_by_role("button", name="one step back").click()
    settle(page)
    assert "Path 1 of 2" in page.inner_text(".summary")
