"""The data that ships with the package."""

import numpy as np

from rnncourse.data.datasets import sunspots


def test_sunspots_are_whole():
    years, numbers = sunspots()
    np.testing.assert_array_equal(years, np.arange(1700, 2009))
    assert numbers.shape == (309,)
    assert numbers.dtype == np.float64
    assert np.isfinite(numbers).all()
    assert numbers.min() >= 0
    # The largest yearly mean of version 1 of the series.
    assert (years[numbers.argmax()], numbers.max()) == (1957, 190.2)
