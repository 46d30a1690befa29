"""The gradient by lag: the matrices are as promised, the norms right, the page shows the same."""

import numpy as np
import pytest
from browsers import meeting, settle

from rnncourse import equations as eq
from rnncourse import jacobians

lag = pytest.importorskip("rnncourse.explorables.lag", reason="anywidget is not installed")
rng = np.random.default_rng(0)
# Arguments of `measure` all over the sliders: rho, scale, nonnormal, network.
CASES = [
    (rng.uniform(0.2, 1.8), rng.choice([0.0, 0.1, 1.0]) * rng.uniform(0, 3), rng.uniform(0, 5), n)
    for n in (1, 2, 3)
    for _ in range(20)
]


def states(case):
    """Return W_hh and h_0 … h_50, by the equation of the book."""
    params = lag.layer(*case).params
    h = [np.zeros(lag.H)]
    for x_t in lag.INPUTS:
        h.append(eq.hidden_state(x_t, h[-1], params["W_xh"], params["W_hh"], params["b_h"]))
    return params["W_hh"], h


def growth(J):
    """Return the largest norm of a product between any two steps: by how much rounding grows."""
    return max(
        np.linalg.norm(jacobians.products(J[:k]), 2, axis=(1, 2)).max() for k in range(1, 51)
    )


@pytest.mark.parametrize("network", [1, 2, 3])
@pytest.mark.parametrize("nonnormal", [0.0, 1.0, 5.0])
def test_the_spectral_radius_is_exact_and_without_alpha_the_matrix_is_normal(network, nonnormal):
    W = lag.layer(0.7, 1.0, nonnormal, network).params["W_hh"]
    assert jacobians.spectral_radius(W) == pytest.approx(0.7, rel=1e-9)
    pairs = lag.NETWORKS[network].eigenvalues @ [1, 1j]
    expected = 0.7 * np.concatenate([pairs, pairs.conj()])
    assert np.allclose(np.poly(W), np.poly(expected).real, rtol=0, atol=1e-9)
    gap = np.linalg.norm(W @ W.T - W.T @ W)
    assert gap < 1e-11 if nonnormal == 0 else gap > 0.1


@pytest.mark.parametrize("case", CASES[::6])
def test_the_norms_are_those_of_central_differences(case):
    params = lag.layer(*case).params
    _, h = states(case)
    measured = lag.measure(*case)
    for k in (1, 3, 6):
        columns = []
        for bump in 1e-5 * np.eye(lag.H):
            ends = []
            for start in (h[-1 - k] + bump, h[-1 - k] - bump):
                for x_t in lag.INPUTS[-k:]:
                    start = eq.hidden_state(x_t, start, *params.values())
                ends.append(start)
            columns.append((ends[0] - ends[1]) / 2e-5)
        norm = np.linalg.norm(np.array(columns).T, 2)
        assert measured.norms[k] == pytest.approx(norm, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_the_bounds_hold_and_the_parts_agree_with_the_equations(case):
    W, h = states(case)
    measured = lag.measure(*case)
    factors = [eq.norm_bound(h_t, W) for h_t in h[:0:-1]]
    assert np.all(measured.norms <= measured.bound * (1 + 1e-9))
    assert np.all(measured.bound <= np.cumprod([1, *factors]) * (1 + 1e-6))
    assert measured.sigma == pytest.approx(np.sqrt(np.linalg.eigvalsh(W.T @ W).max()), rel=1e-12)
    assert measured.slope == pytest.approx(1 - np.mean(np.square(h[1:])), abs=1e-6)


def test_without_input_the_network_is_linear():
    measured = lag.measure(0.9, 0.0, 3.0, 2)
    W = lag.layer(0.9, 0.0, 3.0, 2).params["W_hh"]
    powers = [np.linalg.norm(np.linalg.matrix_power(W, k), 2) for k in range(51)]
    assert np.allclose(measured.norms, powers, rtol=1e-10)
    assert np.allclose(measured.bound, measured.sigma ** np.arange(51), rtol=1e-12)
    assert measured.slope == 1


@pytest.mark.parametrize(
    ("norm", "word"),
    [(9e-4, "vanish"), (1e-3, "neither"), (1, "neither"), (1e3, "neither"), (1.1e3, "explode")],
)
def test_the_verdict(js, norm, word):
    assert lag.verdict(norm) == word
    assert js("lag", "verdict", [[norm]]) == [word]


def test_the_page_computes_the_same_weights_and_norms(js):
    here = [lag.layer(*case).params["W_hh"] for case in CASES]
    given = []
    for rho, _, nonnormal, network in CASES:
        _, A, B, _ = lag.NETWORKS[network]
        given.append([A.tolist(), B.tolist(), rho, nonnormal])
    assert np.array_equal(js("lag", "weights", given), here)  # to the last bit
    tall, zero, flat = rng.normal(size=(8, 3)), np.zeros((8, 8)), np.outer(*rng.normal(size=(2, 8)))
    close = np.linalg.qr(rng.normal(size=(8, 8)))[0] + 1e-9 * rng.normal(size=(8, 8))
    matrices = [*here, tall, zero, flat, 1e-30 * flat, np.diag([1.0, 1, 0.5]), np.eye(8), close]
    expected = [jacobians.singular_values(M)[0] for M in matrices]
    found = js("norm", "norm", [[M.tolist()] for M in matrices])
    assert np.allclose(found, expected, rtol=1e-13, atol=0)


def test_the_page_measures_the_same_on_the_same_states(js):
    runs = [states(case) for case in CASES]
    there = js("lag", "reach", [[W.tolist(), np.array(h[1:]).tolist()] for W, h in runs])
    for (W, h), found in zip(runs, there, strict=True):
        J = [eq.step_jacobian(h_t, W) for h_t in h[1:]]
        norms = np.linalg.norm(jacobians.products(J), 2, axis=(1, 2))
        assert np.allclose(found["norms"], norms, rtol=1e-12, atol=0)
        assert np.allclose(found["bound"], jacobians.bound_by_lag(J), rtol=1e-12, atol=0)
    slopes = js("lag", "slope", [[np.array(h[1:]).tolist()] for _, h in runs])
    means = [np.mean(1 - np.square(h[1:])) for _, h in runs]
    assert np.allclose(slopes, means, rtol=0, atol=1e-14)


def test_the_page_measures_the_same_from_the_start(js):
    here = [lag.layer(*case) for case in CASES]
    W = [rnn.params["W_hh"].tolist() for rnn in here]
    given = []
    for W_hh, (_, scale, _, network) in zip(W, CASES, strict=True):
        given.append([W_hh, lag.NETWORKS[network].W_xh.tolist(), scale, lag.INPUTS.tolist()])
    h = js("lag", "states", given)
    there = js("lag", "reach", [list(pair) for pair in zip(W, h, strict=True)])
    calm = 0
    for case, rnn, h_js, found in zip(CASES, here, h, there, strict=True):
        # Where small changes of the state grow, so do roundings: tanh differs in its last bit.
        grown = growth(jacobians.step_jacobians(rnn, lag.INPUTS))
        calm += grown < 100
        allowed = 1e-12 * max(grown, 10)
        measured = lag.measure(*case)
        assert np.allclose(h_js, rnn.forward(lag.INPUTS[:, None])[0][:, 0], rtol=0, atol=allowed)
        assert np.allclose(found["norms"], measured.norms, rtol=allowed, atol=0)
        assert np.allclose(found["bound"], measured.bound, rtol=allowed, atol=0)
    assert calm > len(CASES) / 2


def written(x):
    """Return a norm as the page writes it: two decimals, or m·10ⁿ."""
    if 0.1 <= x < 1000:
        return f"{x:.2f}"
    m, n = f"{x:.1e}".split("e")
    return f"{m}·10{str(int(n)).translate(str.maketrans('0123456789-', '⁰¹²³⁴⁵⁶⁷⁸⁹⁻'))}"


def says(page, part):
    """Return the summary as soon as `part` is in it; fail if it does not come."""
    code = "(part) => document.querySelector('.summary').textContent.includes(part)"
    page.wait_for_function(code, arg=part)
    return page.inner_text(".summary")


def state(page):
    return page.evaluate("({...document.querySelector('.rnnx').explorable.state})")


@pytest.mark.parametrize("bounds", [False, True])
def test_the_page_shows_what_python_computes(twin, bounds):
    case = {"rho": 0.8, "scale": 0.05, "nonnormal": 3.0, "network": 2}
    page = twin(lag.GradientByLag(**case, lag=12, bounds=bounds))
    m = lag.measure(**case)
    said = says(page, "At lag 12")
    top = int(m.norms.argmax())
    for expected in (
        f"ρ = 0.80, σmax = {m.sigma:.2f}, mean slope {m.slope:.2f}.",
        f"At lag 12, ρ12 foretells {written(0.8**12)}; measured is {written(m.norms[12])}.",
        f"largest at lag {top}: {written(m.norms[top])}.",
        f"At lag 50, ρ50 foretells {written(0.8**50)}; measured is {written(m.norms[50])}, "
        "below 10⁻³: the gradient vanishes.",
    ):
        assert expected in said
    assert (f"The bound at lag 12 is {written(m.bound[12])}." in said) is bounds
    plot, table = page.locator("svg[role=img]").all()[:2]
    assert plot.locator("svg path").count() == (4 if bounds else 2)
    assert written(m.norms[12]) in plot.locator("text").all_text_contents()
    numbers = table.locator("text[text-anchor=end]").all_text_contents()
    assert numbers == [*map(written, [m.norms[12], 0.8**12, m.bound[12], m.sigma**12])]


EXAMPLES = {
    "No input": ("explode", lambda s, m: s["rho"] > 1 and m.slope == 1),
    "Input 0.5": ("vanish", lambda s, m: s["rho"] > 1 and s["scale"] == 0.5),
    "Network 2": ("neither", lambda s, m: s["rho"] < 1 and m.slope == 1 and m.norms.max() > 5),
    "Network 2, input 0.05": ("explode", lambda s, m: s["rho"] < 1 and s["scale"] == 0.05),
}
WORDS = {"vanish": "vanishes", "explode": "explodes", "neither": "neither vanishes nor explodes"}


def test_each_example_is_what_its_button_says(twin):
    page = twin(lag.GradientByLag())
    for name, (word, holds) in EXAMPLES.items():
        page.get_by_role("button", name=name, exact=True).click()
        now = state(page)
        m = lag.measure(*(now[key] for key in ("rho", "scale", "nonnormal", "network")))
        assert lag.verdict(m.norms[50]) == word
        assert holds(now, m)
        said = says(page, f"ρ = {now['rho']:.2f}, σmax = {m.sigma:.2f}, mean slope {m.slope:.2f}")
        assert said.endswith(f" {WORDS[word]}.")
        # The zone of the verdict is named in bold, and no other one.
        zones = page.locator("svg[role=img]").first.locator("text[font-weight='700']")
        lit = [zone for zone in zones.all_text_contents() if zone != "measured"]
        assert lit == [WORDS[word]] * (word != "neither")


def test_no_button_gives_away_what_is_to_be_predicted(twin):
    page = twin(lag.GradientByLag())
    assert page.locator(".rnnx > .controls > .buttons").last.inner_text().split("\n") == [*EXAMPLES]
    for name in EXAMPLES:
        assert not any(word in name for word in ("vanish", "explode", "grow", "fall", "rise"))
    now = state(page)  # and it does not open with the answer
    assert (now["network"], now["scale"]) != (2, 0.05)


@pytest.mark.parametrize("width", [320, 390, 736])
def test_no_two_texts_meet(twin, width):
    page = twin(lag.GradientByLag(), width=width)
    for _ in range(2):
        for name in EXAMPLES:
            assert meeting(page) == [], name
            page.get_by_role("button", name=name, exact=True).click()
            settle(page)
        for values in ({"rho": 1.8, "scale": 0, "nonnormal": 5}, {"rho": 0.2, "scale": 3}):
            page.evaluate("v => document.querySelector('.rnnx').explorable.set(v)", values)
            settle(page)
            assert meeting(page) == [], values
        page.evaluate("document.querySelector('.rnnx').explorable.set({ lag: 25, bounds: true })")


def test_play_tells_of_the_radius_and_then_of_the_inputs(twin):
    page = twin(lag.GradientByLag())
    back, step = (page.get_by_role("button", name=f"one step {way}") for way in ("back", "on"))
    step.click()
    first = state(page)
    assert (first["rho"], first["scale"]) == (1.2, 0.5)  # it opens at the end of the story
    words = []
    for _ in range(21):
        now = state(page)
        m = lag.measure(*(now[key] for key in ("rho", "scale", "nonnormal", "network")))
        words.insert(0, (lag.verdict(m.norms[50]), now["rho"], now["scale"]))
        back.click()
    assert (words[0], words[10]) == (("vanish", 0.7, 0), ("explode", 1.2, 0))
    assert ("neither", 1.0, 0) in words
    assert [scale for _, _, scale in words[10:]] == [k / 20 for k in range(11)]
    assert {rho for _, rho, _ in words[10:]} == {1.2}
    assert words[-1][0] == "vanish"


def test_the_marker_and_the_radius_follow_the_pointer_and_the_keys(twin):
    page = twin(lag.GradientByLag(lag=20))

    def handle(what):
        # The last one is the handle, which lies on top. Each redraw replaces it: ask in one go.
        code = """async (what) => {
            for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
            const handle = [...document.querySelectorAll(`[data-drag=${what}]`)].at(-1);
            const box = handle.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }"""
        return page.evaluate(code, what)

    def drag(what, dx, dy):
        x, y = handle(what)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + dx, y + dy, steps=4)
        page.mouse.up()
        return handle(what)[0] - (x + dx)  # by how much the handle missed the pointer

    assert abs(drag("lag", 60, 5)) < 4  # a step of the lag is about 6 pixels wide
    lag_now = state(page)["lag"]
    assert lag_now > 20
    page.get_by_label("lag n").press("ArrowLeft")
    assert state(page)["lag"] == lag_now - 1
    drag("lag", 500, 0)
    assert state(page)["lag"] == 50
    assert abs(drag("rho", -30, 0)) < 2  # one of ρ is 2.4
    assert 0.4 < state(page)["rho"] < 0.8
    page.get_by_label("spectral radius").press("End")
    assert state(page)["rho"] == 1.8
