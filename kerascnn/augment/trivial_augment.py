"""TrivialAugment: one operation of fourteen, of any magnitude."""

import keras

from kerascnn.augment._policy import FOURTEEN, Policy, values_of

__all__ = ["TrivialAugment"]

_STRONGEST = 30


@keras.saving.register_keras_serializable(package="kerascnn")
class TrivialAugment(Policy):
    """Apply one of fourteen operations to each image, at a magnitude drawn anew: no options.

    | operation | weakest | strongest | unit |
    |---|---|---|---|
    | ShearX, ShearY | 0 | ±0.99 | pixels per pixel |
    | TranslateX, TranslateY | 0 | ±32 | pixels, whatever the size |
    | Rotate | 0 | ±135 | degrees |
    | Brightness, Contrast, Color, Sharpness | 1 | 1 ± 0.99 | factor |
    | Posterize | 8 | 2 | bits that are kept |
    | Solarize | 256 | 0 | level from which values are inverted |
    | Identity, AutoContrast, Equalize | | | |

    The magnitude is one of 31, all alike. The operations are those of `RandAugment`.

    Source: Müller and Hutter 2021, arXiv:2103.10158, "TA (Wide)". Differs from the paper: images
    are read bilinearly, and filled with grey (128).

    Args:
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    >>> import numpy as np
    >>> layer = TrivialAugment(seed=0)
    >>> layer(np.zeros((2, 8, 8, 3), "uint8")).shape == (2, 8, 8, 3)
    True
    """

    def draw(self, draws, height, width):
        xp = draws.xp
        operation = xp.take(FOURTEEN, draws.integers(0, len(FOURTEEN) - 1))[:, None]
        share = xp.floor(draws.uniform(0, _STRONGEST + 1))[:, None] / _STRONGEST
        positive = draws.chance(0.5)[:, None]
        value = values_of(operation, share, positive, (width, height), xp, wide=True)
        return {"operation": operation, "value": value}
