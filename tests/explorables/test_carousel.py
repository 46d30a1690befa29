"""The carousel: its Jacobians are the derivatives, and the page computes what Python computes."""

import functools

import numpy as np
import pytest
from browsers import settle

from rnncourse import equations as eq
from rnncourse import jacobians as jac

carousel = pytest.importorskip("rnncourse.explorables.carousel", reason="no anywidget")
H, T = carousel.UNITS, carousel.STEPS
rng = np.random.default_rng(0)


def some_held():
    """Return gates of which about a third is held, some of them shut or wide open."""
    held = np.where(rng.random(T) < 0.2, rng.integers(0, 2, T), rng.random(T).round(2))
    return tuple(np.where(rng.random(T) < 0.3, held, -1.0).tolist())


# Pairs of texts in a drawing that cover each other, and texts beyond their drawing.
MEETING = """() => [...document.querySelectorAll("svg[role=img]")].flatMap((svg) => {
  const edge = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")]
    .map((x) => [x.textContent, x.getBoundingClientRect()]).filter(([, b]) => b.width);
  const beyond = texts.filter(([, b]) => b.left < edge.left || b.right > edge.right + 8 ||
    b.top < edge.top - 2 || b.bottom > edge.bottom + 2);
  const pairs = texts.flatMap(([one, a], i) => texts.slice(0, i).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5).map(([other]) => [one, other]));
  return [...beyond.map(([text]) => [text]), ...pairs];
})"""

# b_f, gain, gates
FREE = [
    (b_f, gain, (*carousel.FREE,)) for b_f in (-2.0, 0.0, 1.0, 3.0, 6.0) for gain in (0.0, 1.0, 8.0)
]
HELD = [(float(b), float(g), some_held()) for b, g in rng.uniform([-2, 0], [6, 8], (12, 2))]
CASES = FREE + HELD


def forward(b_f, gain, gates, state, start=0):
    """Return (h_T, c_T), and all of f, i, o, g, c, h, from the state at step `start` on."""
    h, c = state
    values = {q: [] for q in "fiogch"}
    for x_t, gate in list(zip(carousel.X, gates, strict=True))[start:]:
        W = {q: (carousel.W_XH[q], gain * carousel.W_HH[q]) for q in "fiog"}
        free = eq.forget_gate(x_t, h, *W["f"], np.full(H, b_f))
        f = free if gate < 0 else np.full(H, gate)
        i, o, g = (
            gate_of(x_t, h, *W[q], np.zeros(H))
            for q, gate_of in zip("iog", (eq.input_gate, eq.output_gate, eq.candidate), strict=True)
        )
        c = eq.cell_state(f, c, i, g)
        h = eq.lstm_hidden(o, c)
        for q, value in zip("fiogch", (f, i, o, g, c, h), strict=True):
            values[q].append(value)
    return (h, c), {q: np.array(v) for q, v in values.items()}


@functools.cache
def growth(case):
    """Return how far an error of a step can have grown at any later one, at least 1."""
    J = carousel.step_jacobians(*case)
    products = np.concatenate([jac.products(J[:end]) for end in range(1, T + 1)])
    return np.linalg.norm(products, 2, axis=(1, 2)).max()


@pytest.mark.parametrize(("b_f", "gain", "gates"), CASES)
def test_the_forward_pass_is_that_of_the_equations(b_f, gain, gates):
    _, expected = forward(b_f, gain, gates, (np.zeros(H), np.zeros(H)))
    tolerance = 1e-13 * growth((b_f, gain, gates))
    for q, values in carousel.forward(b_f, gain, gates).items():
        assert np.allclose(values, expected[q], rtol=0, atol=tolerance), q


@pytest.mark.parametrize(("b_f", "gain", "gates"), FREE)
def test_with_free_gates_the_curves_are_those_of_the_package(b_f, gain, gates):
    layer, found = carousel.lstm(b_f, gain), carousel.curves(b_f, gain, gates)
    _, _, trace = layer.forward(carousel.X[:, None])
    for t in range(T + 1):
        kept = np.prod(trace.f[t:, 0], axis=0)
        assert found["direct"][t] == pytest.approx(np.linalg.norm(np.diag(kept), 2), rel=1e-12)
    full = jac.norms_by_lag(layer, carousel.X, part=slice(H, None))
    assert np.allclose(found["full"][::-1], full, rtol=1e-10, atol=0)
    h, J = np.zeros(H), [np.eye(H)]
    for x_t in carousel.X:
        W_xh, W_hh = carousel.W_XH["g"], gain * carousel.W_HH["g"]
        h = eq.hidden_state(x_t, h, W_xh, W_hh, np.zeros(H))
        J.insert(0, eq.step_jacobian(h, W_hh))
    for t in range(T + 1):
        product = eq.jacobian_product([np.eye(H), *J[: T - t]])
        assert found["rnn"][t] == pytest.approx(np.linalg.norm(product, 2), rel=1e-9)


@pytest.mark.parametrize(("b_f", "gain", "gates"), HELD)
def test_with_held_gates_the_full_curve_is_the_measured_derivative(b_f, gain, gates):
    found, size = carousel.curves(b_f, gain, gates)["full"], 1e-6
    _, values = forward(b_f, gain, gates, (np.zeros(H), np.zeros(H)))
    for t in (1, 10, 25, 38, 39, 40):
        h, c = values["h"][t - 1], values["c"][t - 1]
        columns = []
        for e in size * np.eye(H):
            (_, up), (_, down) = (forward(b_f, gain, gates, (h, c + s * e), t)[0] for s in (1, -1))
            columns.append((up - down) / (2 * size))
        assert found[t] == pytest.approx(np.linalg.norm(np.array(columns).T, 2), rel=1e-5, abs=1e-9)


def test_a_held_gate_cuts_the_direct_path_and_its_own_weights():
    gates = [*carousel.FREE]
    gates[19] = 0.0
    found = carousel.curves(3.0, 1.0, gates)
    assert (found["direct"][:20] == 0).all()
    assert (found["direct"][20:] > 0).all()
    assert found["full"][19] == 0  # one step back, with h held fixed, there is no other way
    assert found["full"][:19].min() > 0.1
    J, f = carousel.step_jacobians(3.0, 1.0, gates), carousel.forward(3.0, 1.0, gates)["f"]
    free = carousel.step_jacobians(3.0, 1.0, carousel.FREE)
    assert (f[19] == 0).all()
    assert np.abs(J[19] - free[19]).max() > 0.01
    # What is left of the way from h to c: by the input gate and the candidate alone.
    now = carousel.forward(3.0, 1.0, gates)
    i, g = now["i"][19], now["g"][19]
    expected = np.diag(g * i * (1 - i)) @ carousel.W_HH["i"]
    expected += np.diag(i * (1 - g**2)) @ carousel.W_HH["g"]
    assert np.allclose(J[19][H:, :H], expected, rtol=0, atol=1e-15)


def test_what_the_text_says():
    large = carousel.curves(3.0, 8.0)
    assert large["full"][0] > 100
    assert max(carousel.curves(b, g, gates)["direct"].max() for b, g, gates in CASES) == 1
    alone = carousel.curves(3.0, 0.0)
    assert np.allclose(alone["full"], alone["direct"], rtol=1e-12)
    for b_f in (-2.0, 1.0, 6.0):
        halved = eq.forget_gate(*[np.zeros(1)] * 2, *[np.zeros((1, 1))] * 2, np.array([b_f]))
        assert halved ** eq.half_life(b_f) == pytest.approx(0.5, rel=1e-12)


def test_the_page_computes_the_same(js):
    def call(function, arguments):
        return js("carousel", function, arguments)

    data = carousel.Carousel().data()
    biases = [[b] for b in np.linspace(-2, 6, 17).tolist()]
    lives = [eq.half_life(*b) for b in biases]
    assert call("halfLife", biases) == pytest.approx(lives, rel=1e-12)

    there = call("forward", [[data, *case] for case in CASES])
    for steps, case in zip(there, CASES, strict=True):
        here, tolerance = carousel.forward(*case), 1e-12 * growth(case)
        for q in "fiogch":
            assert np.abs(np.subtract([s[q] for s in steps], here[q])).max() < tolerance, (q, case)
        assert [s["held"] for s in steps] == [gate >= 0 for gate in case[2]]

    some = range(0, T, 5)  # enough of the steps, so that the test is quick
    arguments, expected, reached, kept = [], [], [], []
    for case in CASES:
        values, J = carousel.forward(*case), carousel.step_jacobians(*case)
        before = np.concatenate([np.zeros((1, H)), values["c"][:-1]])
        for t in some:
            step = {q: v[t].tolist() for q, v in values.items()}
            step |= {"before": before[t].tolist(), "held": case[2][t] >= 0}
            arguments.append([data, case[1], step])
        expected.extend(J[some])
        reached.append([J.tolist(), H])
        kept.append([values["f"].tolist()])
    difference = np.abs(np.subtract(call("jacobian", arguments), expected)).max(axis=(1, 2))
    assert (difference < 1e-12 * np.linalg.norm(expected, 2, axis=(1, 2))).all()
    here = [carousel.reach(np.array(J), H) for J, _ in reached]
    assert np.allclose(call("reach", reached), here, rtol=1e-12, atol=0)
    here = [carousel.direct(np.array(f)) for (f,) in kept]
    assert np.allclose(call("direct", kept), here, rtol=1e-12, atol=0)

    for gain in np.linspace(0, 8, 9):
        here = jac.step_jacobians(carousel.rnn(gain), carousel.X)
        there = np.array(call("rnnJacobians", [[data, gain]])[0])
        last = np.maximum(1, jac.norms_by_lag(carousel.rnn(gain), carousel.X).max())
        assert np.abs(there - here).max() < 1e-12 * last * max(1, gain)


def test_the_norm_of_the_page_is_the_spectral_norm(js):
    matrices = [rng.normal(size=(n, n)) * 10.0 ** rng.integers(-30, 30) for n in (4, 4, 4, 8, 1)]
    u, v = rng.normal(size=(2, 4))
    matrices += [np.zeros((4, 4)), np.eye(4), np.diag([1e-9, 3, 2, 0]), np.outer(u, v)]
    matrices += [np.outer(u, v) + 1e-12 * np.eye(4), np.ones((4, 4))]
    norms = [np.linalg.norm(M, 2) for M in matrices]
    assert js("norm", "norm", [[M.tolist()] for M in matrices]) == pytest.approx(
        norms, rel=1e-12, abs=0
    )


def shown(x):
    """Return the number as the summary shows it."""
    if 0.1 <= x < 100:
        return f"{x:.2f}"
    if x >= 100 or x == 0:
        return f"{x:.0f}"
    digits, power = f"{x:.1e}".split("e")
    return f"{digits}·10" + str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def test_the_summary_says_what_python_computes(twin):
    shut = [0.05 if t == 20 else -1.0 for t in range(1, T + 1)]
    for b_f, gain, gates in [(1.0, 1.0, carousel.FREE), (3.0, 1.0, shut), (3.0, 8.0, shut)]:
        page = twin(carousel.Carousel(b_f=b_f, gain=gain, gates=gates))
        settle(page)
        said, found = page.inner_text(".summary"), carousel.curves(b_f, gain, gates)
        assert f"half-life {eq.half_life(b_f):.1f} steps" in said
        for way, word in [("direct", "direct path"), ("full", "full derivative"), ("rnn", "RNN")]:
            assert f"{word} {shown(found[way][0])}" in said
        assert ("explodes" in said) == (found["full"][0] > 100)
        assert ("by hand: 1." in said) == (gates is shut)


def test_a_gate_is_held_by_mouse_and_by_keys_and_a_tap_only_selects(twin):
    page = twin(carousel.Carousel())
    settle(page)
    state = "document.querySelector('.rnnx').explorable.state"
    box = page.locator("svg[role=img]").nth(1).bounding_box()
    wide = (box["width"] - 50) / T  # the margins of the axes: 42 and 8
    mean = carousel.forward(1.0, 1.0, carousel.FREE)["f"].mean(axis=1)
    x = box["x"] + 42 + 29.5 * wide
    high = box["height"] - 38 - 24
    y = box["y"] + 24 + (1 - mean[29]) * high
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 1)
    page.mouse.up()
    assert page.evaluate(f"{state}.step") == 30
    assert page.evaluate(f"{state}.gates") == carousel.FREE
    page.mouse.move(x, y + 5)
    page.mouse.down()
    page.mouse.move(x - 40, y + 5 + 0.5 * high)  # the hand may wander: the step stays
    page.mouse.up()
    gates = page.evaluate(f"{state}.gates")
    assert gates[29] == pytest.approx(mean[29] - 0.5, abs=0.011)
    assert [g for t, g in enumerate(gates, 1) if t != 30] == [-1] * (T - 1)
    page.focus("input[name=step]")
    page.keyboard.press("Home")
    page.focus("input[name=gate]")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    gates = page.evaluate(f"{state}.gates")
    assert gates[0] == 0.01
    settle(page)
    assert "by hand: 2." in page.inner_text(".summary")
    page.get_by_role("button", name="Release gates").click()
    assert page.evaluate(f"{state}.gates") == carousel.FREE


def test_the_still_describes_the_default():
    state, said = carousel.Carousel().state, carousel.Carousel().spec()["words"]["still"]
    arguments = state["b_f"], state["gain"], state["gates"]
    found = carousel.curves(*arguments)
    for way, word in [("direct", "direct path"), ("full", "full derivative"), ("rnn", "RNN")]:
        assert f"{word} {shown(found[way][0])}" in said.replace("path has", "path")
    mean = carousel.forward(*arguments)["f"].mean(axis=1)
    assert np.abs(mean - 0.73).max() < 0.05
    assert "all near 0.73" in said


def test_the_two_pictures_are_plain(twin):
    page = twin(carousel.Carousel(b_f=3.0), more=False)
    settle(page)
    pictures = page.locator(".rnnx > .panels svg[role=img]")
    assert pictures.count() == 2
    names = pictures.first.locator("text").all_text_contents()
    assert {"direct path", "full derivative", "plain RNN"} < set(names)  # at the curves
    assert pictures.last.locator("rect.cell:not(.handle)").count() == T  # bars, and no curves
    assert pictures.last.locator("path:not([data-drag])").count() == 0
    visible = page.locator("input[type=range]:visible")
    assert [slider.get_attribute("name") for slider in visible.all()] == ["b_f"]


def test_play_raises_the_forget_bias_to_its_end(twin):
    page = twin(carousel.Carousel(), more=False)
    page.clock.install()
    state, seen = "document.querySelector('.rnnx').explorable.state", []
    page.get_by_role("button", name="Play", exact=True).click()
    for _ in range(30):
        page.clock.run_for(200)
        seen.append(page.evaluate(state)["b_f"])
    assert seen[:3] == [1.2, 1.4, 1.6]
    assert seen == sorted(seen)
    assert seen[-1] == 6
    assert page.get_by_role("button", name="Play", exact=True).count() == 1  # it has stopped


def test_one_gate_shut_shows_in_both_pictures(twin):
    page = twin(carousel.Carousel(), more=False)
    page.get_by_role("button", name="One gate shut").click()
    settle(page)
    bars = page.locator("svg[role=img] rect.cell:not(.handle)")
    heights = bars.evaluate_all("bars => bars.map((bar) => +bar.getAttribute('height'))")
    assert heights.index(min(heights)) == 19
    assert min(heights) < 0.1 * sorted(heights)[1]
    curve = page.locator("svg[role=img]").first.locator("path.cell").get_attribute("d")
    y = [float(point.split()[1]) for point in curve[1:].split("L")]
    steps = np.diff(y)
    assert np.abs(steps).argmax() == 19  # from step 20 to step 19
    assert abs(steps[19]) > 10 * np.median(np.abs(steps))


@pytest.mark.parametrize(("width", "first", "whole"), [(358, 600, 850), (736, 500, 640)])
def test_the_story_fits_on_a_screen(twin, width, first, whole):
    page = twin(carousel.Carousel(), width=width, more=False)
    page.evaluate("document.body.style.margin = 0")
    settle(page)
    controls, height = page.evaluate("""() => {
        const root = document.querySelector(".rnnx");
        const [whole, controls] = [root, root.querySelector(":scope > .controls")]
          .map((e) => e.getBoundingClientRect());
        return [controls.bottom - whole.top, whole.height];
    }""")
    assert controls <= first
    assert height <= whole


@pytest.mark.parametrize("width", [288, 358, 736])
def test_no_names_meet_whatever_the_curves(twin, width):
    page = twin(carousel.Carousel(), width=width)
    page.evaluate("document.body.style.margin = 0")
    cut = [0.0 if t == 20 else -1.0 for t in range(1, T + 1)]
    states = [{"b_f": b, "gain": gain} for b in (-2, -1, 0, 1, 3, 6) for gain in (0, 1, 8)]
    for state in [*states, {"b_f": 3, "gain": 1, "gates": cut}]:
        page.evaluate("(s) => document.querySelector('.rnnx').explorable.set(s)", state)
        settle(page)
        assert page.evaluate(MEETING) == [], state
