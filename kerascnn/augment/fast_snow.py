"""Snow that lies on what is dark."""

import cv2
import keras
import numpy as np
from keras import ops

from kerascnn.augment._checks import rising
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["FastSnow"]


@keras.saving.register_keras_serializable(package="kerascnn")
class FastSnow(ImageAugmentation):
    """Lighten what is darker than a threshold, so that a landscape looks snowed in.

    The lightness of HLS, L = (max(R, G, B) + min(R, G, B)) / 2, is multiplied where it is below the
    threshold; hue and saturation stay.

    Source: imgaug's FastSnowyLandscape, after Saxena's "Automold" road augmentation. Differs: in
    closed form. With C = max - min, which is (255 - |2 L - 255|) times the saturation, colours c
    become L' + (c - L) C' / C, without a conversion to HLS and back.

    Args:
        threshold: (lowest, highest), from 0 to 255: the lightness below which there is snow,
            uniform between.
        factor: (lowest, highest), >= 1: what multiplies lightness there, up to 255, uniform
            between.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: an argument is outside its range.

    >>> snow = FastSnow(threshold=(100, 100), factor=(2, 2))
    >>> image = keras.ops.convert_to_tensor([[[80.0, 40, 20], [200, 150, 100]]])
    >>> keras.ops.convert_to_numpy(snow(image)).tolist()
    [[[160.0, 80.0, 40.0], [200.0, 150.0, 100.0]]]
    """

    def __init__(self, threshold=(80, 160), factor=(1.5, 3), **kwargs):
        super().__init__(**kwargs)
        self.threshold = rising("threshold", threshold, 0, 255)
        self.factor = rising("factor", factor, 1)

    def draw(self, draws, height, width):
        return {"threshold": draws.uniform(*self.threshold), "factor": draws.uniform(*self.factor)}

    def transform(self, images, threshold, factor):
        highest = ops.max(images, axis=-1, keepdims=True)
        lightness = (highest + ops.min(images, axis=-1, keepdims=True)) / 2
        threshold, factor = (ops.reshape(value, (-1, 1, 1, 1)) for value in (threshold, factor))
        growth, offset = _line(lightness, threshold, factor, ops)
        return growth * images + offset

    def kernel(self, image, threshold, factor):
        channels = cv2.split(image)
        highest, lowest = channels[0], channels[0]
        for channel in channels[1:]:
            highest, lowest = cv2.max(highest, channel), cv2.min(lowest, channel)
        twice = cv2.add(highest, lowest, dtype=cv2.CV_16U)
        lines = _line(np.arange(511, dtype=np.float32) / 2, threshold, factor, np)
        growth, offset = (line[twice][..., None] for line in lines)
        return np.clip(np.rint(growth * image + offset), 0, 255).astype(np.uint8)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold, "factor": self.factor}


def _line(lightness, threshold, factor, xp):
    """(growth, offset) of the colours of each lightness."""
    raised = xp.minimum(factor * lightness, 255.0)
    raised = xp.where(lightness < threshold, raised, lightness)
    room, before = (255 - xp.abs(2 * level - 255) for level in (raised, lightness))
    growth = xp.where(before > 0, room / xp.maximum(before, 1e-3), 1.0)
    return growth, raised - growth * lightness
