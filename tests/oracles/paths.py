"""Dropped paths in plain NumPy, with the draws given."""

import numpy as np


def stochastic_depth(shortcut, branch, survives):
    """Huang et al. 2016, eq. 2: ReLU(b f(H) + id(H)), one b for each sample."""
    return np.stack([np.maximum(0, b * f + h) for h, f, b in zip(shortcut, branch, survives)])


def stochastic_depth_inference(shortcut, branch, survival_rate):
    """Eq. 5."""
    return np.maximum(0, survival_rate * branch + shortcut)


def linear_decay(blocks, last):
    """Eq. 4, for l = 1 .. L."""
    return [1 - (block / blocks) * (1 - last) for block in np.arange(1, blocks + 1)]


def join(columns, kept):
    """Larsson et al. 2017, Sec. 3: each join computes the mean of only the active inputs."""
    active = [column for column, keep in zip(columns, kept) if keep]
    return sum(active) / len(active)
