"""The gates: the numbers of chapter 4, those of the package's layer, and those of the page."""

import re
from itertools import pairwise

import numpy as np
import pytest
from browsers import settle

from rnncourse import LSTM

gates = pytest.importorskip("rnncourse.explorables.gates", reason="anywidget is not installed")
rng = np.random.default_rng(0)
BIASES = (5.0, -5.0, -5.0)
CASES = [
    [*rng.uniform(-1, 1, (2, gates.STEPS)).tolist(), *rng.uniform(-15, 15, 3).tolist()]
    for _ in range(50)
]


# Pairs of texts in a drawing that cover each other, and texts beyond the figure.
MEETING = """() => {
  const edge = document.querySelector(".rnnx").getBoundingClientRect();
  return [...document.querySelectorAll("svg[role=img]")].flatMap((svg) => {
    const texts = [...svg.querySelectorAll("text")]
      .map((x) => [x.textContent, x.getBoundingClientRect()]).filter(([, b]) => b.width);
    const beyond = texts.filter(([, b]) => b.left < edge.left || b.right > edge.right);
    const pairs = texts.flatMap(([one, a], i) => texts.slice(0, i).filter(([, b]) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5).map(([other]) => [one, other]));
    return [...beyond.map(([text]) => [text]), ...pairs];
  });
}"""


def rounded(x, digits):
    """A number as the page prints it."""
    return f"{round(x, digits) + 0.0:.{digits}f}".replace("-", "−")


def events(trace):
    """What each step of a run does."""
    return [gates.event(*(now[q] for q in "fiog"), last["c"]) for last, now in pairwise(trace)]


def test_the_run_is_the_table_of_the_chapter():
    table = {  # step: f, i, o, g, c, h, as printed there
        1: (0.0067, 0.9933, 0, 0.4621, 0.4590, 0),
        2: (0.9933, 0.0067, 0.0067, -0.7616, 0.4509, 0.0028),
        3: (1, 0, 0.9933, 0.2926, 0.4509, 0.4198),
        4: (0.0067, 0.9933, 0, -0.5300, -0.5234, 0),
        5: (0.0067, 0.9933, 0, 0, -0.0035, 0),
    }
    trace = gates.run(gates.VALUES, gates.SIGNALS, *BIASES)
    for t, row in table.items():
        assert [trace[t][q] for q in "fiogch"] == pytest.approx(row, abs=5.001e-5)
    assert events(trace) == ["write", "hold", "read", "overwrite", "forget", "read"]


@pytest.mark.parametrize("case", CASES[:10])
def test_the_run_is_that_of_the_package_layer(case):
    v, s, *biases = case
    lstm = LSTM(2, 1, rng=np.random.default_rng(0))
    for q, parts in gates.cell(*biases).items():
        for name, part in zip(("W_xh", "W_hh", "b_h"), parts, strict=True):
            lstm.gate(q)[name][:] = part
    h, _, fast = lstm.forward(np.column_stack([v, s])[:, None])
    trace = gates.run(v, s, *biases)
    for q in "fiogc":
        assert [now[q] for now in trace[1:]] == pytest.approx(getattr(fast, q).ravel(), abs=1e-12)
    assert [now["h"] for now in trace[1:]] == pytest.approx(h.ravel(), abs=1e-12)


@pytest.mark.parametrize(
    ("b_f", "f", "what"), [(5.0, 0.0067, "overwrite"), (10.0, 0.5, "mix"), (15.0, 0.9933, "add")]
)
def test_the_forget_bias_of_the_chapter_makes_step_4_add(b_f, f, what):
    trace = gates.run(gates.VALUES, gates.SIGNALS, b_f, -5.0, -5.0)
    last, now = trace[3], trace[4]
    assert events(trace)[3] == what
    assert now["f"] == pytest.approx(f, abs=5e-5)
    assert now["c"] == pytest.approx(f * last["c"] + now["g"], abs=0.01)


def test_the_still_describes_the_default():
    state = gates.Gates().state
    assert (state["t"], state["op"]) == (1, 6)
    trace = gates.run(*(state[key] for key in ("v", "s", "b_f", "b_i", "b_o")))
    last, now = trace[:2]
    numbers = [last["c"], now["f"], now["f"] * last["c"], now["i"], now["g"]]
    numbers += [now["i"] * now["g"], now["c"], now["o"], now["h"], *(e["c"] for e in trace[1:])]
    still = gates.Gates().spec()["words"]["still"]
    assert re.findall(r"−?\d\.\d\d", still) == [rounded(x, 2) for x in numbers]
    assert ", ".join(events(trace)[:5]) + " and " + events(trace)[5] in still


@pytest.mark.parametrize(
    ("valves", "g", "before", "what"),
    [
        ((0.9, 0.1, 0.1), 0.8, 0.5, "hold"),
        ((0.9, 0.1, 0.9), 0.8, 0.5, "read"),
        ((0.9, 0.9, 0.9), 0.04, 0.5, "read"),
        ((0.9, 0.5, 0.9), 0.8, 0.5, "add"),
        ((0.89, 0.5, 0.9), 0.8, 0.5, "mix"),
        ((0.5, 0.9, 0.1), 0.8, 0.5, "mix"),
        ((0.11, 0.9, 0.1), 0.8, 0.5, "mix"),
        ((0.1, 0.1, 0.1), 0.8, 0.5, "forget"),
        ((0.1, 0.9, 0.1), -0.05, 0.5, "forget"),
        ((0.1, 0.9, 0.1), -0.06, 0.5, "overwrite"),
        ((0.1, 0.9, 0.1), 0.8, -0.5, "overwrite"),
        ((0.1, 0.9, 0.1), 0.8, -0.04, "write"),
        ((0.5, 0.9, 0.1), 0.8, -0.04, "write"),
    ],
)
def test_what_a_step_does(valves, g, before, what):
    assert gates.event(*valves, g, before) == what


def test_the_page_computes_the_same(js):
    assert list(gates.Gates().state["v"]) == gates.VALUES
    traces = [gates.run(*case) for case in CASES]
    for there, here in zip(js("gates", "run", CASES), traces, strict=True):
        for a, b in zip(there, here, strict=True):
            assert set(a) == set(b)
            assert [a[q] for q in b] == pytest.approx(list(b.values()), rel=0, abs=1e-12)
    steps = [
        [*(now[q] for q in "fiog"), last["c"]] for trace in traces for last, now in pairwise(trace)
    ]
    found = js("gates", "event", steps)
    assert found == [gates.event(*step) for step in steps]
    assert len(set(found)) >= 6


@pytest.mark.parametrize("width", [780, 330])  # a narrow drawing has other places for its numbers
@pytest.mark.parametrize("op", range(1, 7))
def test_the_page_shows_what_python_computes(twin, op, width):
    v, s = [0.5, -0.9, 0.3, -0.6, 0.7, 0.6], [0.9, 0.1, -0.5, 0.3, 1.0, -0.8]
    page = twin(gates.Gates(v=v, s=s, b_f=4.0, b_i=-2.5, b_o=1.0, t=4, op=op), width=width)
    settle(page)
    trace = gates.run(v, s, 4.0, -2.5, 1.0)
    result = rounded(trace[4]["fiogch"[op - 1]], 4)
    assert page.inner_text(".summary").count(f"= {result}.") == 1
    assert page.inner_text(".num strong:last-child") == result
    different = [trace[3]["c"], trace[3]["h"], *(trace[4][q] for q in "fiogch")]
    assert len({rounded(x, 2) for x in different}) == 8
    shown = page.locator("svg").first.locator("text").all_text_contents()
    for k, q in enumerate("fiogch", start=1):  # in the drawing: no result before its operation
        assert (rounded(trace[4][q], 2) in shown) == (k <= op)
    for q, name in (("c", "What each"), ("h", "Value and signal")):
        strip = page.locator(f"svg[aria-label^='{name}'] text").all_text_contents()
        values = [text for text in strip if re.fullmatch(r"−?\d\.\d\d", text)]
        assert values == [rounded(now[q], 2) for now in trace[1:]]


@pytest.mark.parametrize("name", ["Write", "Hold", "Read", "Overwrite", "Forget"])
def test_a_preset_does_what_it_says(twin, name):
    page = twin(gates.Gates(v=[1.0] * 6, s=[0.3] * 6, b_f=-3.0, t=6, op=1))
    page.get_by_role("button", name=name, exact=True).click()
    settle(page)
    assert f": {name.lower()}." in page.inner_text(".summary")
    state = page.evaluate("document.querySelector('.rnnx').explorable.state")
    assert (state["v"], state["s"]) == (gates.VALUES, gates.SIGNALS)
    assert (state["b_f"], state["b_i"], state["b_o"]) == BIASES
    assert state["op"] == 6
    assert page.locator("svg text").first.text_content() == name.lower()


def test_inputs_by_slider_and_by_mouse_and_steps_by_button(twin):
    page = twin(gates.Gates(t=2, op=6))
    state = "document.querySelector('.rnnx').explorable.state"
    page.focus("[name=v]")
    page.keyboard.press("ArrowRight")
    settle(page)  # a redraw makes the parts of a drawing anew
    assert page.evaluate(state)["v"] == [0.5, -0.9, 0.3, -0.8, 0.0, 0.6]
    page.locator("[data-drag=s5]").scroll_into_view_if_needed()
    box = page.locator("[data-drag=s5]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 100, steps=3)
    page.mouse.up()
    now = page.evaluate(state)
    assert (now["t"], now["s"]) == (5, [1.0, 0.0, -1.0, 1.0, -1.0, -1.0])
    step = page.get_by_role("group", name="operation").get_by_role("button", name="one step on")
    step.click()  # the operations go on in the step after
    now = page.evaluate(state)
    assert (now["t"], now["op"]) == (6, 1)


def test_play_tells_the_story_step_by_step_each_one_whole(twin):
    page = twin(gates.Gates(t=6, op=3), more=False)
    page.clock.install()
    page.get_by_role("button", name="Play", exact=True).click()
    told, state = [], "document.querySelector('.rnnx').explorable.state"
    for _ in range(6):
        page.clock.run_for(100)
        now = page.evaluate(state)
        assert now["op"] == 6
        told.append((now["t"], page.locator("svg text").first.text_content()))
        page.clock.run_for(1700)
    trace = gates.run(gates.VALUES, gates.SIGNALS, *BIASES)
    assert told == list(enumerate(events(trace), 1))


@pytest.mark.parametrize("reduced", [False, True])
def test_valves_glide_but_not_with_reduced_motion(twin, reduced):
    page = twin(gates.Gates(), reduced_motion="reduce" if reduced else "no-preference")
    settle(page)
    moving = page.evaluate("""() => [...document.querySelectorAll("svg *")]
        .filter((part) => parseFloat(getComputedStyle(part).transitionDuration)).length""")
    assert (moving == 0) == reduced


def test_a_tap_on_the_strip_chooses_a_whole_step(twin):
    page = twin(gates.Gates(op=2), more=False)
    page.locator("[data-click='4']").last.click()
    state = page.evaluate("document.querySelector('.rnnx').explorable.state")
    assert (state["t"], state["op"]) == (4, 6)


@pytest.mark.parametrize(("width", "first", "whole"), [(358, 650, 850), (736, 520, 640)])
def test_the_story_fits_on_a_screen(twin, width, first, whole):
    page = twin(gates.Gates(), width=width, more=False)
    settle(page)
    page.evaluate("document.body.style.margin = 0")
    settle(page)
    top, controls, bottom, cell, strip = page.evaluate("""() => {
        const root = document.querySelector(".rnnx");
        const [cell, strip] = root.querySelectorAll(":scope > .panels svg");
        const at = (e) => e.getBoundingClientRect();
        return [at(root).top, at(root.querySelector(":scope > .controls")).bottom, at(root).bottom,
          at(cell).height, at(strip).height];
    }""")
    assert controls - top <= first
    assert bottom - top <= whole
    assert cell <= 330
    assert strip <= 130


@pytest.mark.parametrize("width", [288, 358, 736])
def test_no_words_meet_at_any_step_or_operation(twin, width):
    page = twin(gates.Gates(), width=width)
    page.evaluate("document.body.style.margin = 0")
    choose = "(changes) => document.querySelector('.rnnx').explorable.set(changes)"
    for t, op in [*((t, 6) for t in range(1, 7)), *((4, op) for op in range(1, 6))]:
        page.evaluate(choose, {"t": t, "op": op})
        settle(page)
        assert page.evaluate(MEETING) == [], (t, op)
