"""Starting values for the recurrent matrix W_hh.

Each function returns a new (H, H) matrix: ``rnn.params["W_hh"][:] = orthogonal(H, rng=rng)``, and
for one gate of an LSTM ``lstm.gate("g")["W_hh"][:] = orthogonal(H, rng=rng)``.
"""

import numpy as np

from ..validation import Array, require_positive, require_rng, require_size


@np.errstate(all="ignore")
def gaussian(size: int, *, gain: float = 1.0, rng: np.random.Generator) -> Array:
    """Independent normal entries with standard deviation gain/√H.

    Their eigenvalues fill a disk of about the radius `gain`, the more evenly the larger H (the
    circular law), and their largest singular value is about 2·gain.

    Parameters
    ----------
    size : int
        H, at least 1.
    gain : float above 0
    rng : numpy.random.Generator

    Returns
    -------
    (H, H) float64
    """
    H = require_size("size", size)
    return require_rng(rng).normal(0, require_positive("gain", gain) / np.sqrt(H), (H, H))


@np.errstate(all="ignore")
def orthogonal(size: int, *, gain: float = 1.0, rng: np.random.Generator) -> Array:
    """A random rotation or reflection times `gain`: every singular value is `gain`.

    Parameters
    ----------
    size, gain, rng
        As for `gaussian`.

    Returns
    -------
    (H, H) float64

    References
    ----------
    Saxe, McClelland and Ganguli (2014), for the use; Mezzadri (2007), for the signs that make
    all rotations equally likely.
    """
    Q, R = np.linalg.qr(gaussian(size, rng=rng))
    return require_positive("gain", gain) * Q * np.sign(np.diag(R))


@np.errstate(all="ignore")
def identity(size: int, *, gain: float = 1.0) -> Array:
    """The identity matrix times `gain`: each unit starts by keeping its own state.

    Parameters
    ----------
    size, gain
        As for `gaussian`.

    Returns
    -------
    (H, H) float64

    References
    ----------
    Le, Jaitly and Hinton (2015), who use it with rectified linear units.
    """
    return require_positive("gain", gain) * np.eye(require_size("size", size))
