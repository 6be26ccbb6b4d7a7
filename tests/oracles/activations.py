"""Activations in plain NumPy, written from the papers' formulas."""

import numpy as np


def maxout(x, pieces):
    """Goodfellow et al. 2013, Sec. 3: h_i = max over j of z_ij, from x (N, units * pieces)."""
    y = np.empty((len(x), x.shape[1] // pieces))
    for n in range(len(x)):
        for i in range(y.shape[1]):
            y[n, i] = max(x[n, i * pieces + j] for j in range(pieces))
    return y


def leaky(x, a):
    """Xu et al. 2015, eq. 2: x where it is not negative, else x / a."""
    return np.array([value if value >= 0 else value / a for value in x.flat]).reshape(x.shape)


def hard_tanh(x):
    """Collobert et al. 2011: -1 below -1, 1 above 1, between them x."""
    return np.array([-1 if v < -1 else 1 if v > 1 else v for v in x.flat]).reshape(x.shape)
