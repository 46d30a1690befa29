"""The drawings of the page on speed show the numbers they are given, and refuse what has none."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rnncourse import figures

SAVED = Path(__file__).parents[2] / "benchmarks" / "results.json"
SIZES = [[25, 1, 64, 100], [100, 20, 2, 32], [784, 100, 1, 100]]
RATIOS = {
    ("RNN", 1): [0.5, 0.6, 0.7],
    ("LSTM", 1): [1.6, 1.1, 0.45],
    ("GRU", 1): [0.65, 0.55, 0.9],
    ("RNN", 2): [0.4, 0.8, 0.9],
    ("LSTM", 2): [2.5, 1.2, 1.0],
    ("GRU", 2): [0.75, 0.85, 1.3],
}
RUNGS = {"textbook": 120.0, "packed": 30.0, "reused": 7.5}

pytestmark = pytest.mark.usefixtures("drawing")


def measured(*, layers: tuple[str, ...] = ("RNN", "LSTM", "GRU")) -> dict:
    speed = [
        {
            "layer": layer,
            "threads": threads,
            "rows": [
                {"size": size, "ratio": ratio} for size, ratio in zip(SIZES, ratios, strict=True)
            ],
        }
        for (layer, threads), ratios in RATIOS.items()
        if layer in layers
    ]
    return {"speed": speed, "ladder": [{"size": size, "ms": RUNGS} for size in SIZES]}


# ---------------------------------------------------------------- ratios by size


def marks(fig: Figure) -> dict:
    """The marks of each run by its name in the legend, as x by row."""
    return {line.get_label(): line for line in fig.axes[0].lines if "thread" in line.get_label()}


def test_a_mark_stands_at_its_ratio_in_the_row_of_its_size():
    fig = figures.ratios(measured())
    assert list(marks(fig)) == [
        "RNN, 1 thread",
        "LSTM, 1 thread",
        "GRU, 1 thread",
        "RNN, 2 threads",
        "LSTM, 2 threads",
        "GRU, 2 threads",
    ]
    for line, ratios in zip(marks(fig).values(), RATIOS.values(), strict=True):
        assert list(line.get_xdata()) == ratios
        assert np.rint(line.get_ydata()).tolist() == [0, 1, 2]
    names = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert names == [", ".join(map(str, size)) for size in SIZES]
    assert fig.axes[0].yaxis_inverted()


def test_every_mark_is_inside_and_the_line_of_equal_time_at_one():
    fig = figures.ratios(measured())
    low, high = fig.axes[0].get_xlim()
    assert low < min(map(min, RATIOS.values()))
    assert high > max(map(max, RATIOS.values()))
    assert fig.axes[0].get_xscale() == "log"
    assert [1, 1] in [list(line.get_xdata()) for line in fig.axes[0].lines]


def test_layers_and_threads_differ_in_shape_and_filling_not_in_color_alone():
    found = marks(figures.ratios(measured()))
    looks = {(line.get_marker(), to_hex(line.get_markerfacecolor())) for line in found.values()}
    assert len(looks) == 6
    assert len({line.get_marker() for line in found.values()}) == 3
    hollow = [name for name, line in found.items() if line.get_markerfacecolor() == figures.CARD]
    assert hollow == ["RNN, 2 threads", "LSTM, 2 threads", "GRU, 2 threads"]


def test_results_without_a_gru_are_drawn_as_well():
    found = marks(figures.ratios(measured(layers=("RNN", "LSTM"))))
    assert {name.split(",")[0] for name in found} == {"RNN", "LSTM"}


@pytest.mark.parametrize("results", [{}, {"speed": []}])
def test_ratios_refuse_to_draw_nothing(results):
    with pytest.raises(ValueError, match="no measurement of speed"):
        figures.ratios(results)


def test_ratios_refuse_runs_over_different_sizes():
    results = measured()
    results["speed"][2]["rows"].pop()
    with pytest.raises(ValueError, match="runs over different sizes"):
        figures.ratios(results)


# ---------------------------------------------------------------- the ladder


def test_a_bar_is_as_long_as_its_time_and_says_it():
    fig = figures.ladder(measured())
    assert len(fig.axes) == len(SIZES)
    for ax, size in zip(fig.axes, SIZES, strict=True):
        assert [bar.get_width() for bar in ax.patches] == list(RUNGS.values())
        assert [t.get_text() for t in ax.texts] == [
            " 120 ms",
            " 30.0 ms,  × 4.00",
            " 7.50 ms,  × 4.00",
        ]
        assert [t.get_text() for t in ax.get_yticklabels()] == [
            "textbook, float64",
            "one packed matrix",
            "memory reused, blocks",
        ]
        assert ax.get_title(loc="left").count("=") == 4
        assert f"$H = {size[3]}$" in ax.get_title(loc="left")
        assert ax.yaxis_inverted()


def test_an_unknown_rung_keeps_its_own_name():
    results = {"ladder": [{"size": SIZES[0], "ms": {"textbook": 2.0, "rocket": 1.0}}]}
    (ax,) = figures.ladder(results).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["textbook, float64", "rocket"]


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({}, "no measurement of the ladder"),
        ({"ladder": []}, "no measurement of the ladder"),
        ({"ladder": [{"size": SIZES[0], "ms": {}}]}, r"\[25, 1, 64, 100\] needs times above 0"),
        ({"ladder": [{"size": SIZES[0], "ms": {"a": 0.0}}]}, "needs times above 0"),
    ],
)
def test_the_ladder_refuses(results, message):
    with pytest.raises(ValueError, match=message):
        figures.ladder(results)


@pytest.mark.parametrize("draw", [figures.ratios, figures.ladder])
def test_the_saved_measurements_can_be_drawn(draw):
    assert draw(json.loads(SAVED.read_text())).axes


# ---------------------------------------------------------------- two layouts


def lit(fig: Figure, *, strip: bool) -> list[list[float]]:
    """The left edges of the lit entries, by matrix or strip from the top, each a list by row."""
    boxes = [p for p in fig.axes[0].patches if isinstance(p, Rectangle)]
    boxes = [b for b in boxes if to_hex(b.get_facecolor()) == figures.OUTPUT]
    sizes = sorted({round(b.get_width(), 6) for b in boxes})
    wanted = [b for b in boxes if round(b.get_width(), 6) == sizes[0 if strip else 1]]
    rows = sorted({round(b.get_y(), 6) for b in wanted}, reverse=True)
    return [sorted(b.get_x() for b in wanted if round(b.get_y(), 6) == y) for y in rows]


def pieces(edges: list[float]) -> int:
    """How many runs without a gap there are."""
    apart = np.diff(edges)
    return 1 + int((apart > 1.5 * apart.min()).sum())


def test_the_forget_gate_lies_in_as_many_pieces_as_the_titles_say():
    fig = figures.layouts()
    titles = [t.get_text() for t in fig.axes[0].texts if "piece" in t.get_text()]
    assert [pieces(edges) for edges in lit(fig, strip=True)] == [3, 1]
    assert [title.rsplit(": ", 1)[1] for title in titles] == ["3 pieces", "1 piece"]


def test_the_matrices_hold_the_gate_as_columns_and_as_rows():
    # (B, 4H): three rows with two lit entries; (4H, B): two rows with three.
    assert [len(row) for row in lit(figures.layouts(), strip=False)] == [2, 2, 2, 3, 3]


def test_both_layouts_show_the_same_numbers():
    letters = [t.get_text() for t in figures.layouts().axes[0].texts if len(t.get_text()) == 3]
    # Two matrices and two strips of three sequences and two units.
    assert {q: letters.count(f"${q}$") for q in "ifog"} == dict.fromkeys("ifog", 4 * 3 * 2)


def test_a_gap_is_found():
    assert pieces([0.0, 1.0, 2.0]) == 1
    assert pieces([0.0, 1.0, 5.0]) == 2
