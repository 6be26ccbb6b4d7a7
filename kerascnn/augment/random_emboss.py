"""Relief, lit from the upper left."""

import cv2
import keras
import numpy as np
from keras import ops

from kerascnn.augment._checks import rising
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["RandomEmboss"]


@keras.saving.register_keras_serializable(package="kerascnn")
class RandomEmboss(ImageAugmentation):
    """Blend each image with its embossed version, in which edges look like a relief.

    The embossed version is the image filtered by

        [[-1 - s,  -s,     0],
         [    -s,   1,     s],
         [     0,   s, 1 + s]]

    so that areas without edges keep their colour. The image goes on beyond its border as in a
    mirror (c b a | a b c).

    Source: the idea and the filter are imgaug's. Differs: values are cut off to 0-255 once, after
    blending.

    Args:
        alpha: (lowest, highest), from 0 to 1: the embossed version's share, uniform between.
        strength: (lowest, highest), >= 0: s, uniform between.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> emboss = RandomEmboss(alpha=(1, 1), strength=(0, 0), seed=0)
    >>> row = np.array([10.0, 10, 100, 100]).reshape(1, 1, 4, 1)
    >>> keras.ops.convert_to_numpy(emboss(row)).ravel().tolist()
    [10.0, 100.0, 190.0, 100.0]
    """

    def __init__(self, alpha=(0, 0.7), strength=(0, 1), **kwargs):
        super().__init__(**kwargs)
        self.alpha = rising("alpha", alpha, 0, 1)
        self.strength = rising("strength", strength)

    def draw(self, draws, height, width):
        return {"alpha": draws.uniform(*self.alpha), "strength": draws.uniform(*self.strength)}

    def transform(self, images, alpha, strength):
        height, width = ops.shape(images)[1:3]
        framed = ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")

        def at(row, column):
            return framed[:, row : row + height, column : column + width]

        alpha, strength = (ops.reshape(value, (-1, 1, 1, 1)) for value in (alpha, strength))
        diagonal = at(2, 2) - at(0, 0)
        straight = at(1, 2) + at(2, 1) - at(1, 0) - at(0, 1)
        return images + alpha * (diagonal + strength * (diagonal + straight))

    def kernel(self, image, alpha, strength):
        far, near = alpha * (1 + strength), alpha * strength
        relief = np.array([[-far, -near, 0], [-near, 1, near], [0, near, far]])
        return cv2.filter2D(image, -1, relief, borderType=cv2.BORDER_REFLECT)

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "strength": self.strength}
