"""The data that ships with the package."""

import numpy as np

from rnncourse.data.datasets import sunspots, tea_party


def test_sunspots_are_whole():
    years, numbers = sunspots()
    np.testing.assert_array_equal(years, np.arange(1700, 2009))
    assert numbers.shape == (309,)
    assert numbers.dtype == np.float64
    assert np.isfinite(numbers).all()
    assert numbers.min() >= 0
    # The largest yearly mean of version 1 of the series.
    assert (years[numbers.argmax()], numbers.max()) == (1957, 190.2)


def test_the_tea_party_is_whole():
    text = tea_party()
    assert len(text) == 12_506
    assert text.startswith("There was a table set out under a tree")
    assert text.endswith("among the bright flower-beds and the cool fountains.\n")
    assert [text.count(name) for name in ("Hatter", "March Hare", "Dormouse")] == [33, 21, 27]
