"""Local response normalisation in plain NumPy loops, written from Krizhevsky et al. 2012."""

import numpy as np


def normalise(x, n, k, alpha, beta):
    """Sec. 3.3: the sum runs from j = max(0, i - n/2) to min(N - 1, i + n/2)."""
    channels = x.shape[-1]
    b = np.empty_like(x)
    for i in range(channels):
        total = 0.0
        for j in range(max(0, i - n // 2), min(channels - 1, i + n // 2) + 1):
            total = total + x[..., j] ** 2
        b[..., i] = x[..., i] / (k + alpha * total) ** beta
    return b
