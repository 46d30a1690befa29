"""Starting values for W_hh: what each one is, in numbers."""

import numpy as np
import pytest
from helpers import assert_close
from numpy.testing import assert_allclose, assert_array_equal

from rnncourse import RNN, initializers
from rnncourse.layers.initializers import gaussian, identity, orthogonal


@pytest.mark.parametrize("gain", [1.0, 0.3, 2.5])
@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_every_singular_value_of_an_orthogonal_matrix_is_the_gain(rng, size, gain):
    W = orthogonal(size, gain=gain, rng=rng)
    assert (W.shape, W.dtype) == ((size, size), np.float64)
    assert_allclose(np.linalg.svd(W, compute_uv=False), gain, rtol=1e-12)
    assert_close(W.T @ W / gain**2, np.eye(size))


def test_rotations_and_reflections_come_up_equally(rng):
    """Without the signs of R the determinant of an odd size would always be the same."""
    for size in (2, 3):
        share = np.mean([np.linalg.det(orthogonal(size, rng=rng)) > 0 for _ in range(400)])
        assert abs(share - 0.5) < 0.125  # five standard errors


def test_all_rotations_are_equally_likely(rng):
    """Then an entry of a 3 × 3 matrix is spread evenly from −1 to 1, each of the nine."""
    W = np.array([orthogonal(3, rng=rng) for _ in range(2000)])
    for entries in W.reshape(-1, 9).T:
        counts, _ = np.histogram(entries, bins=4, range=(-1, 1))
        assert_allclose(counts / 2000, 0.25, atol=0.05)


def test_gaussian_entries_have_the_deviation_gain_over_root_H(rng):
    H, gain = 200, 1.5
    W = gaussian(H, gain=gain, rng=rng)
    assert (W.shape, W.dtype) == ((H, H), np.float64)
    z = W * np.sqrt(H) / gain  # standard normal
    n = z.size
    assert abs(z.mean()) < 5 / np.sqrt(n)
    assert abs(z.std() - 1) < 5 / np.sqrt(2 * n)
    for edge, below in ((-1, 0.1587), (0, 0.5), (1.96, 0.975)):
        assert abs((z < edge).mean() - below) < 5 * np.sqrt(0.25 / n)
    # Independent entries: rows and columns are as good as orthogonal.
    overlap = z @ z.T / H - np.eye(H)
    assert np.abs(overlap).max() < 0.6
    assert_allclose(np.abs(np.linalg.eigvals(W)).max(), gain, rtol=0.1)
    assert_allclose(np.linalg.norm(W, 2), 2 * gain, rtol=0.05)


def test_the_identity_keeps_each_unit(rng):
    assert_array_equal(identity(3, gain=0.5), [[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
    assert_array_equal(identity(2), np.eye(2))
    assert identity(2).dtype == np.float64


@pytest.mark.parametrize("draw", [gaussian, orthogonal])
def test_the_generator_decides_and_a_gain_of_1_is_the_default(draw):
    W, again, gained, other = (
        draw(4, rng=np.random.default_rng(seed), **options)
        for seed, options in ((1, {}), (1, {"gain": 1.0}), (1, {"gain": 3.0}), (2, {}))
    )
    assert_array_equal(W, again)
    assert_close(3 * W, gained)
    assert np.abs(W - other).max() > 0.1


def test_a_layer_takes_them(rng):
    layer = RNN(2, 5, rng=rng, dtype=np.float32)
    layer.params["W_hh"][:] = orthogonal(5, rng=rng)
    assert_allclose(np.linalg.svd(layer.params["W_hh"], compute_uv=False), 1, rtol=1e-6)


@pytest.mark.parametrize("name", ["gaussian", "orthogonal", "identity"])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"size": 0}, ValueError, "size is 0, expected at least 1"),
        ({"size": 2.0}, TypeError, "size is 2.0, expected a whole number"),
        ({"gain": 0}, ValueError, "gain is 0, expected a finite number above 0"),
        ({"gain": -1.0}, ValueError, "gain is -1.0"),
        ({"gain": np.inf}, ValueError, "gain is inf"),
        ({"gain": "1"}, TypeError, "gain is '1', expected a number above 0"),
        ({"rng": 3}, TypeError, "rng is 3, expected a generator"),
    ],
)
def test_an_initializer_says_what_is_wrong(rng, name, arguments, error, message):
    options = {"size": 3} if name == "identity" else {"size": 3, "rng": rng}
    if "rng" in arguments and name == "identity":
        error, message = TypeError, r"identity\(\) got an unexpected keyword argument 'rng'"
    with pytest.raises(error, match=f"^{message}"):
        getattr(initializers, name)(**{**options, **arguments})
