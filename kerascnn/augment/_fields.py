"""Soft random fields of clouds and flakes, the same in NumPy and in `keras.ops`."""

import math

import numpy as np

from kerascnn.augment._draws import uniform_field


def noise(keys, shape, cells, octaves, xp):
    """Fractal noise of mean 0 and deviation 1 in each image: float32 (N, *shape).

    A grid of random numbers, enlarged smoothly, plus finer ones, each with half the amplitude of
    the one before ("value noise").

    Args:
        keys: uint32 (N,). shape: (height, width). cells: of the coarsest grid, along the longer
            side. octaves: int >= 1, grids. xp: `numpy` or `keras.ops`.
    """
    total = 0
    for octave in range(octaves):
        grid = grid_of(shape, max(shape) / (cells * 2**octave))
        numbers = uniform_field(keys + np.array(octave, np.uint32), (grid[0] + 3, grid[1] + 3), xp)
        total = total + enlarged(numbers - 0.5, shape, xp) / 2**octave
    total = total - xp.mean(total, axis=(1, 2), keepdims=True)
    return total / xp.sqrt(xp.mean(total**2, axis=(1, 2), keepdims=True))


def grid_of(shape, side):
    """(rows, columns) of nearly square cells of this side, in pixels."""
    return tuple(max(1, math.ceil(length / side)) for length in shape)


def enlarged(numbers, shape, xp):
    """Grids (N, rows + 3, columns + 3) as cubic B-splines: float32 (N, *shape).

    Four neighbours at a time: products of whole matrices start threads that cost more.
    """
    for axis, side in ((2, (1, 1, -1)), (1, (1, -1, 1))):  # the larger one reads whole rows
        length, cells = shape[axis - 1], numbers.shape[axis] - 3
        first, weights = spline_weights(length, cells)
        numbers = sum(
            xp.take(numbers, first + k, axis=axis) * weights[k].reshape(side) for k in range(4)
        )
    return numbers


def spline_weights(length, cells):
    """The first of four numbers around `cells` for each pixel, and their shares (4, length)."""
    places = (np.arange(length) + 0.5) * cells / length
    first = np.minimum(places.astype(np.int32), cells - 1)
    t = places - first
    shares = (1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * (t**2 + t - t**3) + 1, t**3
    return first, (np.stack(shares) / 6).astype(np.float32)


def veiled(images, share, level):
    """Images (N, H, W, C) that move towards grey levels (N,) by shares (N, H, W)."""
    share, level = share[..., None], level[:, None, None, None]
    return images + share * (level - images)


def veiled_kernel(image, share, level):
    """The same for one uint8 image."""
    share = share[..., None]
    mixed = image * (1 - share) + share * np.float32(level)
    return np.rint(mixed).astype(np.uint8)
