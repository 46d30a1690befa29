"""The cliff: the gradient is exact, descent is as defined, and the page computes the same."""

import numpy as np
import pytest
from browsers import meeting, settle

from rnncourse import sigmoid

cliff = pytest.importorskip("rnncourse.explorables.cliff", reason="anywidget is not installed")
rng = np.random.default_rng(0)
PLACES = np.column_stack([rng.uniform(*cliff.W, 200), rng.uniform(*cliff.B, 200)])
# Places beside the line where the wall is: slopes up to some thousand.
WALL = np.array(
    [[w, 0.5 - sigmoid(0.5) * w + gap] for w in (4.6, 5.0, 5.4) for gap in (-1e-4, 1e-5)]
)
SETTINGS = np.column_stack([rng.uniform(0.05, 1, 200), rng.uniform(0.01, 1, 200)])
PRESETS = {
    "High side": (5.5, -2.0, 0.5, 0.1),
    "Low side": (4.6, -2.8, 0.5, 0.1),
    "Soft edge": (4.2, -2.9, 0.1, 0.1),
}


def test_the_error_is_that_of_the_equation():
    w, b = PLACES[0]
    h = np.array(0.5)
    for _ in range(50):
        h = w / (1 + np.exp(-h)) + b
    assert cliff.cliff(w, b)[0] == pytest.approx((1 / (1 + np.exp(-h)) - 0.7) ** 2, abs=1e-12)


def test_the_gradient_is_that_of_complex_steps():
    # A complex step has no cancellation: exact to rounding even where the wall is steep.
    places = np.vstack([PLACES, WALL])
    _, gradient = cliff.cliff(*places.T)
    assert np.linalg.norm(gradient, axis=0).max() > 100
    for k, step in enumerate(([1e-30j, 0], [0, 1e-30j])):
        w, b = (places + step).T
        h = np.full(len(places), 0.5 + 0j)
        for _ in range(50):
            h = w / (1 + np.exp(-h)) + b
        slope = ((1 / (1 + np.exp(-h)) - 0.7) ** 2).imag / 1e-30
        assert np.allclose(gradient[k], slope, rtol=1e-9, atol=1e-12)


def test_each_update_of_a_path_is_that_of_clipped_descent():
    for (w, b), (rate, max_norm) in zip(PLACES[:5], SETTINGS[:5], strict=True):
        for limit in (np.inf, max_norm):
            path = cliff.descend(w, b, rate, limit)
            assert path.shape == (201, 4)
            assert path[0, :2].tolist() == [w, b]
            error, g = cliff.cliff(*path[:, :2].T)
            norm = np.hypot(*g)
            assert np.allclose(path[:, 2:], np.column_stack([error, norm]), rtol=1e-12)
            moves = np.diff(path[:, :2], axis=0)
            cut = np.minimum(1, limit / np.maximum(norm, 1e-300))
            assert np.allclose(moves, -rate * (g * cut).T[:-1], rtol=1e-9, atol=1e-12)
            lengths = np.hypot(*moves.T)
            for k in (1, 30, 200):
                most = cliff.farthest(path, k, rate, limit)
                assert most == pytest.approx(lengths[:k].max(), rel=1e-9)
            assert cliff.farthest(path, 0, rate, limit) == 0


def test_where_the_slope_is_zero_nothing_moves():
    path = cliff.descend(200.0, 300.0, 1.0, 0.1)
    assert np.all(path == [200, 300, path[0, 2], 0])


def test_the_border_is_on_the_line_and_on_the_edge():
    ends = PLACES + 100 * rng.normal(size=PLACES.shape)
    for start, end in zip(PLACES, ends, strict=True):
        w, b = out = cliff.border(start, end)
        (x, y), (dx, dy) = out - start, end - start
        assert x * dy == pytest.approx(y * dx, abs=1e-9)
        assert x * dx + y * dy >= 0
        assert min(np.abs(w - cliff.W).min(), np.abs(b - cliff.B).min()) < 1e-12
        assert cliff.W[0] - 1e-12 <= w <= cliff.W[1] + 1e-12
        assert cliff.B[0] - 1e-12 <= b <= cliff.B[1] + 1e-12
    assert cliff.border(PLACES[0], PLACES[1]) == pytest.approx(PLACES[1], abs=1e-15)


@pytest.mark.parametrize("w", np.linspace(*cliff.W, 7))
def test_the_contours_are_where_the_map_changes_its_band(w):
    # From b just below a contour to just above it, σ(h_50) passes y, and so E passes (y − 0.7)².
    for y in (0.1, 0.3, 0.5, 0.65, 0.75, 0.9):
        b = cliff.contour(w, y)
        h = np.full(2, 0.5)
        for _ in range(50):
            h = w * sigmoid(h) + b + np.array([-2e-6, 2e-6])
        below, above = sigmoid(h)
        if b < cliff.B[0] - 0.0999:
            assert below > y
        elif b > cliff.B[1] + 0.0999:
            assert above < y
        else:
            assert below < y < above


def test_the_page_computes_the_same_error_and_gradient(js):
    # On the wall, h_50 carries the rounding of the first steps, multiplied by a thousand and more.
    for places, allowed in ((PLACES, 1e-12), (WALL, 1e-9)):
        there = np.array(js("cliff", "cliff", places.tolist()))
        error, g = cliff.cliff(*places.T)
        assert np.abs(there[:, 0] - error).max() < allowed
        size = np.maximum(1, np.hypot(*g))
        assert (np.abs(there[:, 1:] - g.T) / size[:, None]).max() < allowed


def test_the_page_computes_the_same_updates(js):
    # Each hit of the wall multiplies a difference by up to the gradient's own slope, a million and
    # more, and the zigzag at the valley is chaotic. Rounding in the last place of tanh, which is
    # not the same in a browser and in NumPy, so decides where a long path ends. Paths can be
    # compared only as far as they go downhill in the gentle parts. Steps from random places, hits
    # included, are compared one by one.
    starts = np.column_stack([PLACES, SETTINGS])[:30]
    compared = 0
    for limited in (False, True):
        cases = [case if limited else case[:3] for case in starts.tolist()]
        for there, case in zip(js("cliff", "descend", cases), cases, strict=True):
            here = cliff.descend(*case)
            first = np.abs(np.subtract(there[:2], here[:2]))[:, :2] / np.maximum(1, here[0, 3])
            assert first.max() < 1e-12
            steep = (here[1:, 2] > here[:-1, 2]) | (here[1:, 3] > 0.3)
            gentle = int(np.argmax(np.append(steep, True))) + 1
            assert np.abs(np.subtract(there[:gentle], here[:gentle])).max() < 1e-12
            compared += gentle
    assert compared > 300
    flat = np.array(js("cliff", "descend", [[5.7, -1.85, 0.05, 0.1]])[0])
    assert np.abs(flat - cliff.descend(5.7, -1.85, 0.05, 0.1)).max() < 1e-12


def test_the_page_computes_the_same_details(js):
    ends = PLACES + rng.normal(size=PLACES.shape)
    pairs = [[a, b] for a, b in zip(PLACES.tolist(), ends.tolist(), strict=True)]
    there = js("cliff", "border", pairs)
    assert np.abs(np.subtract(there, [cliff.border(*p) for p in pairs])).max() < 1e-12
    levels = [[w, y] for w in np.linspace(*cliff.W, 9).tolist() for y in (0.1, 0.4, 0.6, 0.8, 0.95)]
    there = js("cliff", "contour", levels)
    assert np.abs(np.subtract(there, [cliff.contour(*c) for c in levels])).max() < 1e-12
    path = cliff.descend(5.5, -2.0, 0.5)
    for k in (0, 1, 33, 200):
        for limit in (0.1, np.inf):
            there = js("cliff", "farthest", [[path.tolist(), k, 0.5, limit]])[0]
            assert there == pytest.approx(cliff.farthest(path, k, 0.5, limit), abs=1e-12)


def shown(x):
    """Return `x` as the page shows it."""
    if 0 < abs(x) < 1e-12:
        return "<10⁻¹²"
    if x and abs(x) < 5e-4:
        digits, exponent = f"{x:.1e}".split("e")
        high = "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(d)] for d in str(abs(int(exponent))))
        return f"{digits}·10⁻{high}"
    return f"{x:.{0 if x == 0 else 3 if abs(x) < 100 else 1}f}".replace("-", "−")


@pytest.mark.parametrize("preset", PRESETS)
def test_the_summary_and_the_table_say_what_python_computes(twin, preset):
    page = twin(cliff.Cliff(w=5.0))
    page.click(f"text={preset}")
    settle(page)
    w, b, rate, max_norm = PRESETS[preset]
    said = page.inner_text(".summary")
    written = page.locator("svg").nth(-1).text_content()
    assert said.startswith("After 200 updates. ")
    assert "rounding" not in said
    for name, limit in (("Plain", np.inf), ("Clipped", max_norm)):
        path = cliff.descend(w, b, rate, limit)
        w_end, b_end, error, norm = path[-1]
        most = shown(cliff.farthest(path, 200, rate, limit))
        cells = [shown(w_end), shown(b_end), f"{error:.4f}", shown(norm)]
        assert (
            f"{name}: w = {cells[0]}, b = {cells[1]}, E = {cells[2]}, gradient length {cells[3]}, "
            f"largest move {most}"
        ) in said
        assert name + "".join(cells[2:]) + most in written
        gone = (path[:, :2] < [3.9, -2.95]) | (path[:, :2] > [5.7, -1.85])
        out = gone.any(axis=1)
        if out[-1]:
            update = 200 - int(np.argmin(out[::-1])) + 1
            assert f"largest move {most}; off the map since update {update}." in said


def test_it_says_where_rounding_decides(twin):
    case = (4.71, -2.55, 0.15)
    near = np.abs(cliff.descend(*case) - cliff.descend(case[0] + 1e-14, *case[1:]))
    assert near[200].max() > 0.1
    assert near[5].max() < 1e-9
    for updates, unsure in ((200, True), (5, False)):
        figure = cliff.Cliff(w=4.71, b=-2.55, learning_rate=0.15, max_norm=0.21, updates=updates)
        page = twin(figure)
        settle(page)
        assert ("rounding decides" in page.inner_text(".summary")) is unsure


def texts(page):
    return page.locator("svg[role=img]").first.locator("text:not(.tick):not(.label)")


def test_it_opens_at_the_start_and_play_ends_with_the_throw(twin):
    page = twin(cliff.Cliff(), more=False, reduced_motion="reduce")
    settle(page)
    assert page.inner_text(".summary").startswith("After 0 updates. ")
    assert texts(page).all_text_contents() == ["cliff", "Start"]
    page.get_by_role("button", name="Play", exact=True).click()
    settle(page)
    told = ["Plain", "w = 201.2", "b = 313.9", "Clipped", "Start"]
    assert texts(page).all_text_contents() == ["cliff", *told]
    # The length of the gradient that throws it stands at the peak.
    longest = cliff.descend(5.5, -2.0, 0.5)[:, 3].max()
    norms = page.locator("svg[role=img]").nth(1)
    assert shown(longest) in norms.locator("text").all_text_contents()


def test_the_descents_are_named_where_they_are_and_share_a_name_while_they_are_one(twin):
    runs = [cliff.descend(5.5, -2.0, 0.5, limit) for limit in (np.inf, 0.1)]
    for updates, names in ((20, ["Both"]), (32, ["Plain", "Clipped"])):
        apart = np.hypot(*(runs[0][updates, :2] - runs[1][updates, :2]))
        assert bool(apart < 1e-9) is (names == ["Both"])
        page = twin(cliff.Cliff(updates=updates), more=False)
        settle(page)
        assert texts(page).all_text_contents() == ["cliff", *names, "Start"]


@pytest.mark.parametrize("width", [320, 390, 736])
def test_no_two_texts_meet(twin, width):
    page = twin(cliff.Cliff(), width=width)
    for name in PRESETS:
        page.click(f"text={name}")
        for updates in (200, 40, 12, 0):
            page.evaluate(
                "k => document.querySelector('.rnnx').explorable.set({ updates: k })", updates
            )
            settle(page)
            assert meeting(page) == [], (name, updates)


def test_the_start_and_the_limit_can_be_dragged_and_nothing_else(twin):
    page = twin(cliff.Cliff(w=5.0, b=-2.5, updates=100))
    settle(page)
    code = "[...document.querySelectorAll('[data-drag]')].map((e) => e.dataset.drag)"
    # A finger that scrolls the page over the map moves nothing.
    assert page.evaluate(code) == ["start", "limit"]
    for mark, by, key, sign in (
        ("start", (40, 0), "w", 1),
        ("start", (0, 40), "b", -1),
        ("limit", (0, -10), "max_norm", 1),
    ):
        slider = page.locator(f"input[name={key}]")
        before = float(slider.input_value())
        box = page.locator(f"[data-drag={mark}] > .handle").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + by[0], y + by[1], steps=3)
        page.mouse.up()
        settle(page)
        assert sign * (float(slider.input_value()) - before) > 0
