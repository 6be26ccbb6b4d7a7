"""RandAugment: a few operations of fourteen, all of one magnitude."""

import keras
import numpy as np

from kerascnn._errors import whole
from kerascnn.augment._checks import bounded
from kerascnn.augment._policy import FOURTEEN, Policy, values_of

__all__ = ["RandAugment"]

_STRONGEST = 30


@keras.saving.register_keras_serializable(package="kerascnn")
class RandAugment(Policy):
    """Apply `num_ops` of fourteen operations to each image, drawn with repetition.

    | operation | at magnitude 0 | at 30 | unit |
    |---|---|---|---|
    | ShearX, ShearY | 0 | ±0.3 | pixels per pixel |
    | TranslateX, TranslateY | 0 | ±0.453 | share of the side |
    | Rotate | 0 | ±30 | degrees |
    | Brightness, Contrast, Color, Sharpness | 1 | 1 ± 0.9 | factor |
    | Posterize | 8 | 4 | bits that are kept |
    | Solarize | 256 | 0 | level from which values are inverted |
    | Identity, AutoContrast, Equalize | | | |

    Signs are drawn. Values are rounded after each operation, which is as Pillow's; what comes in
    from outside is grey (128), and is read bilinearly. Images of one channel are left as they are
    by Color.

    Source: Cubuk et al. 2019, arXiv:1909.13719, Sec. 3, with the ranges of AutoAugment. Differs
    from the paper: its magnitude 10 is our 30, as in torchvision, and factors go both ways from 1.
    Differs from `keras.layers.RandAugment`: operations are drawn for each image, not once for a
    batch, and `augment_numpy` runs the drawn ones alone.

    Args:
        num_ops: int >= 1. N of the paper, operations per image.
        magnitude: float from 0 to 30. M, the same for all. `search_policy` looks for a good pair.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> layer = RandAugment(num_ops=2, magnitude=9, seed=0)
    >>> layer(np.zeros((2, 8, 8, 3), "uint8")).shape == (2, 8, 8, 3)
    True
    """

    def __init__(self, num_ops=2, magnitude=9, **kwargs):
        super().__init__(**kwargs)
        self.num_ops = whole(num_ops, "num_ops", 1)
        self.magnitude = bounded("magnitude", magnitude, 0, _STRONGEST)

    def draw(self, draws, height, width):
        xp = draws.xp
        steps = range(self.num_ops)
        drawn = xp.stack([draws.integers(0, len(FOURTEEN) - 1) for _ in steps], axis=1)
        operation = xp.take(FOURTEEN, drawn)
        positive = draws.uniform(count=self.num_ops) < 0.5
        share = self.magnitude / _STRONGEST
        value = values_of(operation, np.float32(share), positive, (width, height), xp)
        return {"operation": operation, "value": value}

    def get_config(self):
        names = ("num_ops", "magnitude")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
