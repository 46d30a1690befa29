"""One network unrolled: the chapter's numbers, the arrangements of the package, and the counts."""

import numpy as np
import pytest
from browsers import settle

from rnncourse import RNN, Model, Readout
from rnncourse.figures import structure

unroll = pytest.importorskip("rnncourse.explorables.unroll", reason="anywidget is not installed")
rng = np.random.default_rng(0)
CASES = [(name, T) for name in unroll.ARRANGEMENTS for T in range(1, unroll.LONGEST + 1)]
ROUNDED = [(0.7616, 0.3799), (0.2249, 0.4073), (-0.7820, -0.2038)]  # h_1, h_2, h_3 by hand


COLORS = {"W_xh": "input", "W_hh": "hidden", "W_hy": "output"}
# Texts that meet, that leave the figure, or that are too small to read, at every length.
MEETING = """(weights) => {
  const { set, redraw } = document.querySelector(".rnnx").explorable;
  const faults = () => {
    const box = document.querySelector(".rnnx").getBoundingClientRect();
    const texts = [...document.querySelectorAll(".rnnx text")]
      .filter((x) => x.textContent)
      .map((x) => [x.textContent, x.getBoundingClientRect(), getComputedStyle(x).fontSize]);
    return texts.flatMap(([one, a, size], i) => [
      ...(parseFloat(size) < 11 ? [[one, size]] : []),
      ...(a.left < box.left || a.right > box.right ? [[one, "leaves"]] : []),
      ...texts.slice(0, i).filter(([, b]) =>
        Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5
      ).map(([other]) => [one, other])]);
  };
  const lengths = Array.from({ length: 12 }, (_, i) => i + 1);
  const cases = weights.flatMap((weight) => lengths.map((T) => ({ weight, T })));
  return cases.flatMap((changes) => (set(changes), redraw(), faults().map((f) => [changes, f])));
}"""


def random_weights(H):
    return {
        "W_xh": rng.normal(size=(H, 1)),
        "W_hh": rng.normal(size=(H, H)),
        "b_h": rng.normal(size=H),
        "W_hy": rng.normal(size=(1, H)),
        "b_y": rng.normal(size=1),
    }


def package(weights, arrangement="many-to-many"):
    """Return a `Model` with these weights."""
    layer, readout = RNN(1, len(weights["b_h"]), rng=rng), Readout(len(weights["b_h"]), 1, rng=rng)
    layer.load_params({k: weights[k] for k in ("W_xh", "W_hh", "b_h")})
    readout.load_params({k: weights[k] for k in ("W_hy", "b_y")})
    return Model(layer, readout, arrangement=arrangement)


def plain(weights):
    return {name: W.tolist() for name, W in weights.items()}


def shown(number):
    return f"{number:.2f}".replace("-0.00", "0.00").replace("-", "−")


def settled(page):
    """Return the page as soon as it has drawn its state and its summary speaks of it."""
    settle(page)
    return page


def test_the_first_three_steps_are_those_computed_by_hand():
    h, y = unroll.run(unroll.WEIGHTS, unroll.X[:3])
    assert np.allclose(h[1:], ROUNDED, rtol=0, atol=1e-4)  # by hand, four decimals are carried
    assert y.round(3).tolist() == [0.302, -0.290, -0.074]


@pytest.mark.parametrize("H", [1, 2, 5])
def test_states_and_outputs_are_those_of_the_layers(H):
    weights, x = random_weights(H), rng.normal(size=7)
    model = package(weights)
    states, _, _ = model.layer.forward(x.reshape(7, 1, 1))
    h, y = unroll.run(weights, x.tolist())
    assert not h[0].any()
    assert np.allclose(h[1:], states[:, 0], rtol=0, atol=1e-14)
    assert np.allclose(y, model.predict(x.reshape(7, 1, 1))[:, 0, 0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("drawn", structure.ARRANGEMENTS, ids=lambda drawn: drawn[0])
def test_the_arrangements_are_those_of_the_chapters_figure(drawn):
    name, T, into, out = drawn
    steps, inputs, first = unroll.arrange(name.removeprefix("many-to-many, "), T)
    assert steps == T
    assert tuple(range(1, inputs + 1)) == into
    assert tuple(range(first, steps + 1)) == out


@pytest.mark.parametrize("T", [1, 2, 7, 12])
@pytest.mark.parametrize("arrangement", ["many-to-one", "one-to-many"])
def test_the_outputs_read_are_those_of_the_packages_model(arrangement, T):
    steps, inputs, first = unroll.arrange(arrangement, T)
    x = np.where(np.arange(steps) < inputs, unroll.X[:steps], 0).astype(float)
    _, y = unroll.run(unroll.WEIGHTS, x.tolist())
    model = package(unroll.WEIGHTS, arrangement)
    if arrangement == "one-to-many":
        expected = model.predict(x[0].reshape(1, 1), steps=T)
    else:
        expected = model.predict(x.reshape(T, 1, 1))
    assert np.allclose(y[first - 1 :], expected.ravel(), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("arrangement", "T"), CASES)
def test_every_arrangement_has_an_input_and_an_output(arrangement, T):
    steps, inputs, first = unroll.arrange(arrangement, T)
    assert 1 <= inputs <= steps
    assert 1 <= first <= steps
    assert steps in (T, {"one-to-one": 1, "encoder-decoder": 2}.get(arrangement))


def test_the_parameter_count_is_that_of_the_equation_and_of_the_model():
    for H in (1, 2, 5):
        weights = random_weights(H)
        assert unroll.parameter_count(weights) == H * (H + 1 + 1) + (H + 1)
        assert unroll.parameter_count(weights) == package(weights).parameter_count
    assert unroll.parameter_count(unroll.WEIGHTS) == 11


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (6, 1), (3, 4), (12, 12)])
def test_the_fixed_width_network_is_counted_array_by_array(inputs, outputs):
    H = 2
    into, out = np.empty((H, inputs)), np.empty((outputs, H))
    counted = into.size + H + out.size + outputs
    assert unroll.fixed_width(unroll.WEIGHTS, inputs, outputs) == counted
    # With one output it is the chapter's H (T D + 1) + O (H + 1), level with N where T D = H + D.
    assert unroll.fixed_width(unroll.WEIGHTS, 3, 1) == unroll.parameter_count(unroll.WEIGHTS)


def test_the_page_computes_the_same(js):
    assert js("unroll", "arrange", CASES) == [list(unroll.arrange(*case)) for case in CASES]
    sizes = [(int(a), int(b)) for a, b in rng.integers(1, 13, (20, 2))]
    assert js("unroll", "uses", sizes) == [unroll.uses(*size) for size in sizes]
    many = [random_weights(H) for H in (1, 2, 3, 5)]
    counts = [unroll.parameter_count(W) for W in many]
    assert js("unroll", "parameterCount", [[plain(W)] for W in many]) == counts
    wide = [(W, 4, 3) for W in many]
    there = js("unroll", "fixedWidth", [[plain(W), *rest] for W, *rest in wide])
    assert there == [unroll.fixed_width(*case) for case in wide]
    runs = [(W, rng.normal(size=T).tolist()) for W in many for T in (1, 4, 12)]
    for (h, y), case in zip(
        js("unroll", "run", [[plain(W), x] for W, x in runs]), runs, strict=True
    ):
        states, outputs = unroll.run(*case)
        assert np.allclose(h, states, rtol=0, atol=1e-12)
        assert np.allclose(y, outputs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("arrangement", unroll.ARRANGEMENTS)
def test_the_page_draws_each_arrow_that_it_counts_and_shows_pythons_numbers(twin, arrangement):
    figure = unroll.Unroll(arrangement=arrangement, T=7, step=2, weight="W_hy")
    page = settled(twin(figure))
    steps, inputs, first = unroll.arrange(arrangement, 7)
    outputs = steps - first + 1
    for weight, kind in COLORS.items():
        page.evaluate("w => document.querySelector('.rnnx').explorable.set({weight: w})", weight)
        settled(page)
        marks = page.locator("svg").nth(0).locator(f"[data-click={weight}]").count()
        assert marks == unroll.uses(steps, outputs)[weight] + 1  # and the one of the folded form
        heads = page.locator("svg").nth(0).locator(f"path.{kind}.thick[d*=Q]").count()
        assert heads == marks  # all of its arrows are lit, and only they
        assert page.locator("svg").nth(0).locator("path.thick[d*=Q]").count() == marks
    x = [v if t < inputs else 0 for t, v in enumerate(unroll.X[:steps])]
    h, y = unroll.run(unroll.WEIGHTS, x)
    drawn = page.locator("svg").nth(0).locator("text").all_text_contents()
    for number in [*h[1:].ravel(), *y[first - 1 :]]:
        assert shown(number) in drawn


@pytest.mark.parametrize("T", [3, unroll.LONGEST])
def test_a_lit_recurrent_arrow_is_named_however_narrow_the_columns(twin, T):
    page = settled(twin(unroll.Unroll(T=T)))
    names = page.locator("svg").nth(0).locator("text.hidden").all_text_contents()
    assert f"Whh × {T}" in names  # at the folded arrow
    assert "Whh" in names  # at the first of the unrolled ones


def test_the_summary_says_what_python_computes(twin):
    page = settled(twin(unroll.Unroll(arrangement="many-to-one", T=9, step=9)))
    said = page.inner_text(".summary")
    h, y = unroll.run(unroll.WEIGHTS, unroll.X[:9])
    assert f"({shown(h[9][0])}, {shown(h[9][1])})" in said
    assert f"the output is {shown(y[8])}" in said
    assert "weights: 9." in said
    assert "11 parameters" in said
    assert f"needs {unroll.fixed_width(unroll.WEIGHTS, 9, 1)} here" in said


def test_a_click_on_an_input_changes_it_and_what_follows(twin):
    page = settled(twin(unroll.Unroll()))
    page.click("[data-click=x2]")
    settled(page)
    h, y = unroll.run(unroll.WEIGHTS, [1, 1, -1])
    drawn = page.locator("svg").nth(0).locator("text").all_text_contents()
    for number in [*h[1:].ravel(), *y]:
        assert shown(number) in drawn
    page.get_by_role("button", name="0", exact=True).press("Enter")
    settled(page)
    assert "(0.22, 0.41)" in page.inner_text(".summary")


def test_a_click_on_an_arrow_lights_its_weight(twin):
    page = settled(twin(unroll.Unroll()))
    page.locator("svg").nth(0).locator("[data-click=W_hy]").nth(1).click(force=True)
    settled(page)
    assert "output weights: 3" in page.inner_text(".summary")


@pytest.mark.parametrize("width", [304, 374, 752])
@pytest.mark.parametrize("arrangement", unroll.ARRANGEMENTS)
def test_texts_neither_meet_nor_leave_at_any_length_and_none_is_small(twin, arrangement, width):
    page = settled(
        twin(unroll.Unroll(arrangement=arrangement), width=width, reduced_motion="reduce")
    )
    assert page.evaluate(MEETING, list(COLORS)) == []


@pytest.mark.parametrize("T", [1, 3, 7, unroll.LONGEST])
def test_on_a_phone_the_picture_and_what_works_it_fit_at_once(twin, T):
    page = settled(twin(unroll.Unroll(T=T), width=390, more=False))
    bottom = page.evaluate(
        """() => document.querySelector(".rnnx > .controls").getBoundingClientRect().bottom
        - document.querySelector(".rnnx").getBoundingClientRect().top"""
    )
    assert bottom <= 650
    assert page.locator(".rnnx").bounding_box()["height"] <= 850
    assert page.locator(".rnnx svg").first.bounding_box()["height"] <= 480


def test_what_the_page_asks_is_not_on_show_when_it_opens(twin):
    page = settled(twin(unroll.Unroll(), more=False))
    shown_texts = page.locator(".rnnx").text_content()
    for answer in (f"× {unroll.LONGEST}", "weights: 12", "needs 29"):
        assert answer not in shown_texts
    assert page.locator(".rnnx > .panels svg").count() == 1  # the counts and their plot wait


def test_play_unrolls_from_the_folded_network_step_by_step(twin):
    page = settled(twin(unroll.Unroll(fold=True), more=False))
    state = "() => { const { T, fold } = document.querySelector('.rnnx').explorable.state;"
    page.get_by_role("button", name="one step on").click()
    assert page.evaluate(f"{state} return [T, fold]; }}") == [1, False]
    page.get_by_role("button", name="one step back").click()
    assert page.evaluate(f"{state} return fold; }}")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"{state} return T > 1 && !fold; }}")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_function(  # all columns have come out
        f"""{state} return !fold && T > 1 && T + 1 ===
        document.querySelectorAll('.rnnx > .panels [data-click=W_hh]').length; }}"""
    )


def test_folded_only_the_cycle_is_drawn(twin):
    page = settled(twin(unroll.Unroll(fold=True, T=5), more=False))
    assert page.locator("svg").nth(0).locator("[data-click=W_hh]").count() == 1
    assert "weights: 5." in page.inner_text(".summary")
    page.uncheck("input[name=fold]")
    page.wait_for_function(  # as soon as it has unfolded
        """() => document.querySelector(".rnnx svg").querySelectorAll("[data-click=W_hh]").length
        === 6"""
    )


def test_with_reduced_motion_the_fold_is_at_once(twin):
    page = settled(twin(unroll.Unroll(T=5), reduced_motion="reduce"))
    page.evaluate("document.querySelector('.rnnx').explorable.set({fold: true})")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert page.locator("svg").nth(0).locator("[data-click=W_hh]").count() == 1
