"""Patches of one colour that follow the edges of the image."""

import keras
import numpy as np
from keras import ops

from kerascnn._errors import whole
from kerascnn.augment._checks import bounded, rising
from kerascnn.augment._draws import uniform_field
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["Superpixels"]

_ITERATIONS = 5  # of ten in the paper; later ones move few pixels


@keras.saving.register_keras_serializable(package="kerascnn")
class Superpixels(ImageAugmentation):
    """Replace patches of similar pixels, which follow edges, by their mean colour.

    The patches are clusters of k-means in (colour, row, column), which start as the cells of a
    regular grid: a pixel belongs to the nearest of the centres of its own cell and the eight around
    it, where one side of a cell counts as much as `compactness` grey levels.

    It is by far the slowest augmentation here, in `augment_numpy` too: give it few images
    (`RandomApply`) or small ones.

    Source: Achanta et al. 2012, "SLIC Superpixels Compared to State-of-the-art Superpixel Methods",
    IEEE TPAMI 34(11), Sec. 3; replacing some of them is imgaug's idea. Differs from the paper: RGB
    in place of CIELAB; five iterations; centres start at the means of the cells; a pixel sees a
    fixed set of nine centres; patches that fall apart are left so.

    Args:
        rate: (lowest, highest), from 0 to 1: the chance of each patch to be replaced, uniform
            between and the same for all patches of an image.
        segments: int >= 1, patches of an image, nearly.
        compactness: float > 0, in grey levels. Larger ones make patches squarer.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> patches = Superpixels(rate=(1, 1), segments=4)
    >>> colors = patches(np.random.default_rng(0).uniform(0, 255, (1, 20, 20, 1)))
    >>> len(np.unique(colors))
    4
    """

    needs_size = True

    def __init__(self, rate=(0.3, 1), segments=200, compactness=30.0, **kwargs):
        super().__init__(**kwargs)
        self.rate = rising("rate", rate, 0, 1)
        self.segments = whole(segments, "segments", 1)
        self.compactness = bounded("compactness", compactness, 1e-3)

    def draw(self, draws, height, width):
        return {"rate": draws.uniform(*self.rate), "key": draws.bits()}

    def transform(self, images, rate, key):
        return self._replaced(images, rate, key, ops)

    def kernel(self, image, rate, key):
        replaced = self._replaced(image[None].astype("float32"), rate[None], key[None], np)
        return np.rint(replaced[0]).astype(np.uint8)

    def _replaced(self, images, rate, key, xp):
        grid = _grid(images.shape[1:3], self.segments)
        count = grid[0] * grid[1]
        labels, colors = clusters(images, grid, self.compactness, xp)
        chosen = uniform_field(key, (count,), xp) < xp.reshape(rate, (-1, 1))
        shape = xp.shape(images)
        own = xp.reshape(_places(labels, count, xp), shape[:3])
        patches = xp.take(xp.reshape(colors, (-1, shape[-1])), own, axis=0)
        return xp.where(xp.take(xp.reshape(chosen, (-1,)), own)[..., None], patches, images)

    def get_config(self):
        names = ("rate", "segments", "compactness")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _grid(shape, segments):
    """(rows, columns) of nearly square cells."""
    side = (shape[0] * shape[1] / segments) ** 0.5
    return tuple(max(1, round(length / side)) for length in shape)


def clusters(images, grid, compactness, xp):
    """The patches of images.

    Args:
        images: float32 (N, H, W, C). grid: (rows, columns). compactness: float, in grey levels.
        xp: `numpy` or `keras.ops`.

    Returns:
        (labels, colors): int32 (N, H * W), and the means float32 (N, rows * columns, C).
    """
    height, width, channels = images.shape[1:]
    home, near = _neighbours((height, width), grid)
    rows, columns = np.indices((height, width), np.float32).reshape(2, 1, -1, 1)
    pixels = xp.reshape(images, (-1, height * width, channels))
    points = xp.concatenate([pixels, 0 * pixels[..., :1] + rows, 0 * pixels[..., :1] + columns], -1)
    side = (height * width / (grid[0] * grid[1])) ** 0.5
    weights = np.array([1] * channels + [(compactness / side) ** 2] * 2, np.float32)
    labels = xp.zeros_like(points[..., 0], dtype="int32") + home
    centres = _means(points, labels, grid[0] * grid[1], 0.0, xp)
    for _ in range(_ITERATIONS):
        labels = _nearest(points, centres, near, weights, xp)
        centres = _means(points, labels, grid[0] * grid[1], centres, xp)
    return labels, centres[..., :channels]


def _neighbours(shape, grid):
    """The cell of each pixel (H * W,), and with those around it (9, H * W); int32."""
    places = np.indices(shape).reshape(2, -1)
    cells = places * np.array(grid)[:, None] // np.array(shape)[:, None]
    steps = np.indices((3, 3)).reshape(2, 9, 1) - 1
    around = np.clip(cells[:, None] + steps, 0, np.array(grid)[:, None, None] - 1)
    numbers_of = (around[0] * grid[1] + around[1]).astype(np.int32)
    return numbers_of[4], numbers_of


def _nearest(points, centres, near, weights, xp):
    """int32 (N, H * W), which of the nine centres is nearest to each pixel."""
    labels, smallest = None, None
    for cells in near:
        distance = xp.sum(weights * (points - xp.take(centres, cells, axis=1)) ** 2, axis=-1)
        if labels is None:
            labels, smallest = cells + xp.zeros_like(distance, dtype="int32"), distance
        labels = xp.where(distance < smallest, cells, labels)
        smallest = xp.minimum(distance, smallest)
    return labels


def _means(points, labels, count, empty, xp):
    """The mean of each cluster's points, float32 (N, count, C + 2); `empty` where it has none."""
    features = points.shape[-1]
    rows = xp.reshape(xp.concatenate([points, 0 * points[..., :1] + 1], -1), (-1, features + 1))
    ids = xp.reshape(_places(labels, count, xp), (-1,))
    total = xp.shape(points)[0] * count
    if xp is np:  # sums of whole numbers are exact, so both engines agree
        columns = [np.bincount(ids, column, total) for column in rows.T]
        sums = np.stack(columns, -1).astype(np.float32)
    else:
        sums = ops.segment_sum(rows, ids, total)
    sums = xp.reshape(sums, (-1, count, features + 1))
    size = sums[..., -1:]
    return xp.where(size > 0, sums[..., :-1] / xp.maximum(size, 1), empty)


def _places(labels, count, xp):
    """Labels (N, H * W) as places among all images' clusters."""
    return labels + xp.reshape(xp.arange(xp.shape(labels)[0]), (-1, 1)) * count
