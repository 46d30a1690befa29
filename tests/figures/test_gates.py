"""The drawings of chapter 4 show what they say, and refuse what they cannot draw."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon

from rnncourse import figures

GATES = {"f": [0.0, 1.0, 0.5], "i": [1.0, 0.0, 0.25], "o": [0.1, 0.2, 0.3], "g": [-0.5, 0.7, 0.2]}
CELLS, HIDDEN_STATES = [0.0, -0.4, 0.6, 0.8], [-0.05, 0.11, 0.22]


pytestmark = pytest.mark.usefixtures("drawing")


def texts(fig: Figure) -> list[str]:
    return [t.get_text() for t in fig.axes[0].texts if t.get_text()]


def place(fig: Figure, text: str) -> tuple[float, float]:
    (found,) = [t for t in fig.axes[0].texts if t.get_text() == text]
    return found.get_position()


# ---------------------------------------------------------------- one step


def test_the_cell_has_three_sigmoids_and_two_tanhs():
    fig = figures.lstm_cell()
    assert texts(fig).count(r"$\sigma$") == 3
    assert texts(fig).count("tanh") == 2
    assert sum(isinstance(p, FancyBboxPatch) for p in fig.axes[0].patches) == 5
    assert sum(isinstance(p, Circle) for p in fig.axes[0].patches) == 4  # three ⊙, one +


def test_memory_runs_along_the_top_and_hidden_state_along_the_bottom():
    fig = figures.lstm_cell()
    c_in, c_out, h_in, h_out = (place(fig, f"${n}$") for n in ("c_{t-1}", "c_t", "h_{t-1}", "h_t"))
    assert c_in[1] == c_out[1] > h_in[1] == h_out[1]
    assert c_in[0] < c_out[0]
    assert h_in[0] < h_out[0]
    for letter in "fiog":
        assert h_in[1] < place(fig, f"${letter}_t$")[1] < c_in[1]


def test_every_gate_has_its_name_below_it():
    fig = figures.lstm_cell()
    for letter, word in {"f": "forget", "i": "input", "o": "output", "g": "candidate"}.items():
        assert place(fig, word)[0] == pytest.approx(place(fig, f"${letter}_t$")[0], abs=0.2)


def test_the_gru_has_two_gates_and_one_line():
    fig = figures.gru_cell()
    assert texts(fig).count(r"$\sigma$") == 2
    assert texts(fig).count("tanh") == 1
    assert sum(isinstance(p, Circle) for p in fig.axes[0].patches) == 4  # three ⊙, one +
    assert place(fig, "$h_{t-1}$")[1] == place(fig, "$h_t$")[1] > place(fig, "$n_t$")[1]
    for letter, word in {"r": "reset", "z": "update", "n": "candidate"}.items():
        assert place(fig, word)[0] == pytest.approx(place(fig, f"${letter}_t$")[0], abs=0.2)


# ---------------------------------------------------------------- the conveyor


def valves(fig: Figure) -> list[float]:
    """How full each valve is drawn, in the order f, i, o of each step."""
    drawn = [p for p in fig.axes[0].patches if isinstance(p, Polygon)]
    return [p.get_facecolor()[3] for p in drawn if to_hex(p.get_edgecolor()) == figures.INK]


def test_a_valve_is_as_full_as_its_gate_is_open():
    fig = figures.conveyor(GATES, CELLS, HIDDEN_STATES)
    assert valves(fig) == pytest.approx(np.transpose([GATES[q] for q in "fio"]).ravel())


def test_the_pipe_behind_a_valve_is_as_thick_as_what_comes_through():
    fig = figures.conveyor(GATES, CELLS, HIDDEN_STATES)
    up = [line for line in fig.axes[0].lines if to_hex(line.get_color()) == figures.INK]
    # At step 2 the input valve is shut, so nothing stands between it and the belt.
    widths = [line.get_linewidth() for line in up]
    assert widths == pytest.approx([6, 6, 6, 6, 1 + 5 * 0.25])


def test_the_conveyor_names_and_prints_every_value():
    fig = figures.conveyor(GATES, CELLS, HIDDEN_STATES)
    written = texts(fig)
    for name in ("c_{0}", "c_{3}", "g_{1}", "h_{3}"):
        assert f"${name}$" in written
    for number in ("−.40", ".60", ".80", "−.50", ".70", "−.05", ".11", ".22", "1.00", ".25"):
        assert number in written
    assert [written.count(f"${q}$") for q in "fio"] == [3, 3, 3]


def test_a_long_belt_is_drawn_in_rows_that_begin_where_the_last_ended():
    T = 5
    fig = figures.conveyor({q: [0.5] * T for q in "fiog"}, np.arange(T + 1) / 10, [0.1] * T)
    names = [t for t in fig.axes[0].texts if t.get_text().startswith("$c_")]
    assert [t.get_text()[4:-2] for t in names] == ["0", "1", "2", "3", "3", "4", "5"]
    heights = [t.get_position()[1] for t in names]
    assert heights[:4] == [max(heights)] * 4
    assert heights[4:] == [min(heights)] * 3


def test_a_value_that_rounds_to_zero_has_no_sign():
    fig = figures.conveyor({q: [0.0] for q in "fiog"}, [0.0, -0.001], [-0.0])
    assert not [t for t in texts(fig) if "−" in t]


@pytest.mark.parametrize(
    ("gates", "c", "h", "message"),
    [
        ({"f": [1], "i": [1], "o": [1]}, [0, 0], [0], r"gates has \['f', 'i', 'o'\], expected"),
        ({q: [] for q in "fiog"}, [0], [], "h is empty, expected at least one step"),
        ({q: [1] for q in "fiog"}, [0], [0], "c has 1 values, expected 2"),
        (GATES | {"o": [1]}, CELLS, HIDDEN_STATES, r"gates\['o'\] has 1 values, expected 3"),
        (GATES | {"f": [0, 1.1, 0]}, CELLS, HIDDEN_STATES, r"gates\['f'\] is .*from 0 to 1"),
        (GATES | {"i": [0, -0.1, 0]}, CELLS, HIDDEN_STATES, r"gates\['i'\] is .*from 0 to 1"),
        (GATES | {"i": [0, np.nan, 0]}, CELLS, HIDDEN_STATES, r"gates\['i'\] is .*from 0 to 1"),
    ],
)
def test_the_conveyor_refuses(gates, c, h, message):
    with pytest.raises(ValueError, match=message):
        figures.conveyor(gates, c, h)


# ---------------------------------------------------------------- the ways back


def lit(fig: Figure) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    arrows = [p for p in fig.axes[0].patches if isinstance(p, FancyArrowPatch)]
    return [a._posA_posB for a in arrows if to_hex(a.get_edgecolor()) == figures.ERROR.lower()]


def is_along_the_memory(arrow, fig):
    top = place(fig, "$c_{t}$")[1]
    return arrow[0][1] == arrow[1][1] == top


def test_the_direct_path_runs_back_along_the_memory_alone():
    fig = figures.cell_paths("direct")
    assert len(lit(fig)) == 2
    for arrow in lit(fig):
        assert is_along_the_memory(arrow, fig)
        assert arrow[1][0] < arrow[0][0]
    factors = [t for t in texts(fig) if t.startswith("$f_")]
    assert factors == ["$f_{t}$", "$f_{t+1}$"]
    assert not [t for t in texts(fig) if "W_" in t]


def test_indirect_paths_are_all_the_others():
    every, around, direct = (figures.cell_paths(w) for w in ("all", "indirect", "direct"))
    assert not [a for a in lit(around) if is_along_the_memory(a, around)]
    assert sorted(lit(around) + lit(direct)) == sorted(lit(every))
    # For each of two steps: c to its gates, h to its gates, gates to h before; three h to c.
    assert len(lit(around)) == 2 * 3 + 3


def test_two_ways_lead_back_when_the_oldest_hidden_state_is_held():
    fig = figures.cell_paths("held")
    arrows = [p for p in fig.axes[0].patches if isinstance(p, FancyArrowPatch)]
    ends = {to_hex(c).lower(): [] for c in (figures.CELL, figures.ERROR)}
    for a in arrows:
        ends.get(to_hex(a.get_edgecolor()), []).append(a._posA_posB)
    direct, indirect = ends.values()
    assert sorted(direct) == sorted(lit(figures.cell_paths("direct")))
    # From the newest memory to its gates, to the hidden state in the middle, up to its memory.
    way = [place(fig, f"${name}$") for name in ("c_{t+1}", "a_{q,t+1}", "h_{t}", "c_{t}")]
    stops = [np.array([way[k], way[k + 1]]) for k in range(3)]
    for edge, ends_of_edge in zip(indirect, stops, strict=True):
        assert np.linalg.norm(np.array(edge) - ends_of_edge, axis=1) == pytest.approx(0.45)
    assert len([a for a in arrows if a.get_linestyle() != "-"]) == 1  # the edge not counted
    assert "held fixed" in texts(fig)


def test_cell_paths_refuses():
    with pytest.raises(ValueError, match="which is 'left', expected one of"):
        figures.cell_paths("left")
