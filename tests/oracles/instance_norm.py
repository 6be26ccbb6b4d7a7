"""Instance normalisation in plain NumPy loops, written from Ulyanov et al. 2016."""

import numpy as np


def normalise(x, gamma, beta, epsilon):
    """Each map of each image, (N, H, W, C), by its own mean and variance."""
    y = np.empty_like(x)
    for n in range(x.shape[0]):
        for c in range(x.shape[3]):
            a = x[n, :, :, c]
            y[n, :, :, c] = gamma[c] * (a - a.mean()) / np.sqrt(a.var() + epsilon) + beta[c]
    return y
