"""LeNet-5 in plain NumPy loops, written from the paper's text."""

import numpy as np


def squash(a):
    return 1.7159 * np.tanh(2 * a / 3)


def convolve(maps, kernel, bias):
    """(H, W, C) with (K, K, C, F): the dot product of each window and each filter."""
    size = kernel.shape[0]
    rows, columns = maps.shape[0] - size + 1, maps.shape[1] - size + 1
    y = np.empty((rows, columns, kernel.shape[3]))
    for i in range(rows):
        for j in range(columns):
            y[i, j] = np.tensordot(maps[i : i + size, j : j + size], kernel, 3) + bias
    return y


def convolve_table(maps, kernels, bias, reads):
    """Map f of the result reads the maps reads[f]; `kernels[f, c]` is the (K, K) window for c."""
    y = [
        sum(convolve(maps[..., [c]], kernels[f, c][..., None, None], 0.0) for c in reads[f])
        for f in range(len(reads))
    ]
    return np.concatenate(y, axis=-1) + bias


def subsample(maps, weight, bias, size=2):
    """The sum of each size x size window, times the map's weight, plus its bias."""
    rows, columns = maps.shape[0] // size, maps.shape[1] // size
    y = np.empty((rows, columns, maps.shape[2]))
    for i in range(rows):
        for j in range(columns):
            window = maps[i * size : (i + 1) * size, j * size : (j + 1) * size]
            y[i, j] = window.sum((0, 1)) * weight + bias
    return y


def penalties(x, codes):
    """Eq. 7: the squared distance to each code."""
    return np.array([((x - code) ** 2).sum() for code in codes])


def mean_squared_error(y, labels):
    """Eq. 8, from penalties y (N, classes)."""
    return np.mean([row[label] for row, label in zip(y, labels)])


def maximum_a_posteriori(y, labels, j):
    """Eq. 9, from penalties y (N, classes)."""
    return np.mean([row[d] + np.log(np.exp(-j) + np.exp(-row).sum()) for row, d in zip(y, labels)])
