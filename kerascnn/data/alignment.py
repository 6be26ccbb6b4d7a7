"""Do two thumbnails show the same picture, one perhaps cropped, brighter or compressed again?"""

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ["likeness"]

_STEPS = 5
_INNER = 0.9  # the crop that alignment may start from
_STARTS = np.array([1, 1 / _INNER, _INNER], np.float32)
_SCALES, _SHIFTS = (0.75, 1.35), (-0.3, 0.3)
_BLUR = 1.5  # pixels of a thumbnail; what is coarser does not count
_CHUNK = 64  # pairs at a time: they stay in the processor's cache


def likeness(first, second, start):
    """How alike the fine structure of two thumbnails is, once one is laid over the other.

    The second is scaled and shifted, each axis by itself, until it correlates best with the first
    (five Gauss-Newton steps on thumbnails of half the size, as Lucas & Kanade 1981, with brightness
    and contrast normalised). Then both are compared where they overlap, without their coarse
    structure: garments that were photographed alike agree in that, copies agree in all.

    Args:
        first, second: uint8 arrays (P, S, S), S even.
        start: int array (P,). What the first may show: 0 the same as the second, 1 more than it,
            2 its inner part; see `signatures`.

    Returns:
        float32 array (P,), correlations in [-1, 1].

    >>> picture = np.random.default_rng(0).integers(256, size=(1, 64, 64), dtype="uint8")
    >>> likeness(picture, picture // 2, np.zeros(1, int)).round(2).tolist()
    [1.0]
    """
    found = np.empty(len(first), np.float32)
    for low in range(0, len(first), _CHUNK):
        part = slice(low, low + _CHUNK)
        pictures = (np.asarray(t[part], np.float32) for t in (first, second))
        found[part] = _likeness(*pictures, start[part])
    return found


def _likeness(first, second, start):
    windows = _align(halved(first), halved(second), _STARTS[start])
    over, inside = _seen_through(fine(second), windows)
    return np.einsum("pyx,pyx->p", _normal(fine(first), inside), _normal(over, inside))


def signatures(thumbnails):
    """Unit vectors of the fine structure of thumbnails and of their inner 90 %: (N, 2, s, s).

    Their scalar products say cheaply which pairs are worth `likeness`, and from where to start.
    """
    small = halved(np.asarray(thumbnails, np.float32))
    flat = [halved(fine(pictures, 2.0)) for pictures in (small, inner_part(small))]
    return np.stack([_normal(f, np.ones_like(f)) for f in flat], axis=1).astype(np.float16)


def inner_part(pictures):
    """The inner 90 % of pictures (N, S, S), at the same size."""
    return _seen_through(pictures, _centred(np.full(len(pictures), _INNER, np.float32)))[0]


def halved(pictures):
    """Pictures (N, S, S) at half the size, by averaging."""
    count, side, _ = pictures.shape
    return pictures.reshape(count, side // 2, 2, side // 2, 2).mean(axis=(2, 4))


def fine(pictures, blur=_BLUR):
    """Pictures without what a Gaussian blur of `blur` pixels leaves."""
    return pictures - gaussian_filter(pictures, (0, blur, blur))


def _centred(scale):
    """Windows (scale and shift down, scale and shift right), (P, 4), around the centre."""
    nothing = np.zeros_like(scale)
    return np.stack([scale, nothing, scale, nothing], axis=1)


def _align(first, second, scale):
    """The windows of `second` in which it shows what `first` shows, the best met on the way."""
    windows = _centred(scale)
    best, reached = windows.copy(), np.full(len(first), -1, np.float32)
    slopes = np.stack(np.gradient(second, axis=(1, 2)))
    for _ in range(_STEPS):
        over, inside = _seen_through(second, windows)
        goal, seen = _normal(first, inside), _normal(over, inside)
        correlation = np.einsum("pyx,pyx->p", goal, seen)
        better = correlation > reached
        best[better], reached[better] = windows[better], correlation[better]
        windows = windows + _step(goal, seen, over, inside, slopes, windows)
        windows[:, ::2] = np.clip(windows[:, ::2], *_SCALES)
        windows[:, 1::2] = np.clip(windows[:, 1::2], *_SHIFTS)
    return best


def _step(goal, seen, over, inside, slopes, windows):
    """A Gauss-Newton step towards the least squares of `goal - seen`, both normalised."""
    count, side, _ = seen.shape
    spread = _centre(over, inside)
    unit = (side - 1) / 2 / np.maximum(np.sqrt((spread**2).sum(axis=(1, 2))), 1e-3)
    down, right = (_seen_through(s, windows)[0] * inside * unit[:, None, None] for s in slopes)
    grid = _grid(side)
    changes = np.stack([down * grid[:, None], down, right * grid, right], axis=-1)
    changes = changes.reshape(count, -1, 4)
    seen = seen.reshape(count, -1)
    changes -= seen[..., None] * np.einsum("pnk,pn->pk", changes, seen)[:, None]
    squares = np.matmul(changes.transpose(0, 2, 1), changes) + 1e-3 * np.eye(4, dtype=np.float32)
    target = np.einsum("pnk,pn->pk", changes, goal.reshape(count, -1) - seen)
    return np.clip(np.linalg.solve(squares, target[..., None])[..., 0], -0.1, 0.1)


def _seen_through(pictures, windows):
    """Pictures (P, S, S) resampled in their windows, and where those lie inside, as 0 or 1."""
    rows, above = _resampled(pictures, windows[:, 0], windows[:, 1], axis=1)
    over, beside = _resampled(rows, windows[:, 2], windows[:, 3], axis=2)
    return over, (above & beside).astype(np.float32)


def _resampled(pictures, scale, shift, axis):
    side = pictures.shape[1]
    place = (scale[:, None] * _grid(side) + shift[:, None] + 1) * (side - 1) / 2
    place = np.expand_dims(place, 3 - axis)
    inside = (place > -0.01) & (place < side - 0.99)
    place = np.clip(place, 0, side - 1)
    left = np.minimum(place.astype(np.int64), side - 2)
    share = (place - left).astype(np.float32)
    near, far = (np.take_along_axis(pictures, left + i, axis) for i in (0, 1))
    return near + share * (far - near), inside


def _grid(side):
    return np.linspace(-1, 1, side, dtype=np.float32)


def _centre(pictures, inside):
    """Pictures minus their mean inside, 0 outside."""
    total = np.maximum(inside.sum(axis=(1, 2), keepdims=True), 1)
    return (pictures - (pictures * inside).sum(axis=(1, 2), keepdims=True) / total) * inside


def _normal(pictures, inside):
    """Pictures of mean 0 and length 1 inside, 0 outside."""
    centred = _centre(pictures, inside)
    length = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    return centred / np.maximum(length, 1e-3)
