"""Bad input to the numerics behind the explorables: the error names what is wrong."""

import math

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="anywidget is not installed")
from rnncourse.explorables import (
    Activations,
    Carousel,
    Playground,
    Writer,
    activations,
    carousel,
    cliff,
    gates,
    lag,
    paths,
    unit,
    unroll,
)

X = [[1.0], [0.0], [1.0]]


def back(position=5, unit=1, part="c"):
    figure = Activations()
    return activations.gradient_back(figure.model, figure.x, position, unit, part)


CASES = {
    "unit, NaN": (lambda: unit.fixed_points(math.nan, 0.0), "w is nan, expected a finite number"),
    "unit, infinity": (lambda: unit.trajectory(1, 1, math.inf, 0), "b is inf, expected"),
    "lag, no such network": (lambda: lag.measure(1, 1, 1, 5), "network is 5, expected 1, 2 or 3"),
    "lag, text": (lambda: lag.measure("a", 1, 1), "rho is 'a', expected a number"),
    "cliff, NaN": (lambda: cliff.descend(math.nan, 0, 0.5), "w is nan, expected"),
    "cliff, rate": (lambda: cliff.descend(5, -2, 0), "learning_rate is 0, expected"),
    "cliff, norm": (lambda: cliff.descend(5, -2, 0.5, 0), "max_norm is 0, expected"),
    "carousel, one gate": (lambda: carousel.curves(3, 1, [0.5]), "gates has shape .1,., expected"),
    "carousel, large": (lambda: carousel.curves(3, 1, [2.0] * 40), r"gates holds 2\.0, expected"),
    "gates, lengths": (lambda: gates.run([1, 2], [1], 5, -5, -5), "s has shape .1,., expected .2,"),
    "gates, none": (lambda: gates.run([], [], 5, -5, -5), "v has shape .0,., expected .T,"),
    "gates, NaN": (lambda: gates.run([math.nan], [1], 5, -5, -5), "v contains NaN"),
    "unroll, arrangement": (lambda: unroll.arrange("x", 3), "arrangement is 'x', expected one of"),
    "unroll, no step": (lambda: unroll.arrange("aligned", 0), "T is 0, expected at least 1"),
    "unroll, no input": (lambda: unroll.run(unroll.WEIGHTS, []), "x has shape .0,., expected"),
    "paths, weight": (lambda: paths.sweep(paths.NET, X, "b_h", (1,)), "weight is 'b_h', expected"),
    "paths, step": (lambda: paths.measured(paths.NET, X, "W_hh", (9,)), "steps holds 9 at index"),
    "activations, position": (lambda: back(position=0), "position holds 0, .* from 1 to 188"),
    "activations, unit": (lambda: back(unit=99), "unit holds 99, expected .* from 1 to 12"),
    "activations, part": (lambda: back(part="q"), "part is 'q', expected one of 'c', 'h'"),
    "playground, lag": (lambda: Playground(lag=201), "lag is 201, expected a whole number from 2"),
    "playground, rate": (lambda: Playground(learning_rate=0.02), "learning_rate is 0.02, expected"),
    "writer, text": (lambda: Writer("a"), "text has 1 characters, expected 2 to 50000"),
    "writer, rate": (lambda: Writer(learning_rate=0.02), "learning_rate is 0.02, expected one of"),
    "ragged list": (lambda: Carousel(gates=[[1, 2], [3]]), "gates is .*, expected a list of 40"),
    "matrix": (lambda: Carousel(gates=np.zeros((40, 1))), "gates is .*, expected a list of 40"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_error_names_what_is_wrong(name):
    call, words = CASES[name]
    with pytest.raises(Exception, match=words):
        call()
