"""AutoAugment: the policies that were found for ImageNet, CIFAR-10 and SVHN."""

import keras
import numpy as np

from kerascnn._errors import one_of
from kerascnn.augment._policy import NUMBERS, Policy, values_of

__all__ = ["AutoAugment"]

_STRONGEST = 9

# Cubuk et al. 2018, appendix, Tables 7 (CIFAR-10), 8 (SVHN) and 9 (ImageNet). A row is a
# sub-policy: two operations, each with its probability and its magnitude (0 where it has none).
_POLICIES = {
    "cifar10": (
        ("Invert", 0.1, 0, "Contrast", 0.2, 6),
        ("Rotate", 0.7, 2, "TranslateX", 0.3, 9),
        ("Sharpness", 0.8, 1, "Sharpness", 0.9, 3),
        ("ShearY", 0.5, 8, "TranslateY", 0.7, 9),
        ("AutoContrast", 0.5, 0, "Equalize", 0.9, 0),
        ("ShearY", 0.2, 7, "Posterize", 0.3, 7),
        ("Color", 0.4, 3, "Brightness", 0.6, 7),
        ("Sharpness", 0.3, 9, "Brightness", 0.7, 9),
        ("Equalize", 0.6, 0, "Equalize", 0.5, 0),
        ("Contrast", 0.6, 7, "Sharpness", 0.6, 5),
        ("Color", 0.7, 7, "TranslateX", 0.5, 8),
        ("Equalize", 0.3, 0, "AutoContrast", 0.4, 0),
        ("TranslateY", 0.4, 3, "Sharpness", 0.2, 6),
        ("Brightness", 0.9, 6, "Color", 0.2, 8),
        ("Solarize", 0.5, 2, "Invert", 0.0, 0),
        ("Equalize", 0.2, 0, "AutoContrast", 0.6, 0),
        ("Equalize", 0.2, 0, "Equalize", 0.6, 0),
        ("Color", 0.9, 9, "Equalize", 0.6, 0),
        ("AutoContrast", 0.8, 0, "Solarize", 0.2, 8),
        ("Brightness", 0.1, 3, "Color", 0.7, 0),
        ("Solarize", 0.4, 5, "AutoContrast", 0.9, 0),
        ("TranslateY", 0.9, 9, "TranslateY", 0.7, 9),
        ("AutoContrast", 0.9, 0, "Solarize", 0.8, 3),
        ("Equalize", 0.8, 0, "Invert", 0.1, 0),
        ("TranslateY", 0.7, 9, "AutoContrast", 0.9, 0),
    ),
    "svhn": (
        ("ShearX", 0.9, 4, "Invert", 0.2, 0),
        ("ShearY", 0.9, 8, "Invert", 0.7, 0),
        ("Equalize", 0.6, 0, "Solarize", 0.6, 6),
        ("Invert", 0.9, 0, "Equalize", 0.6, 0),
        ("Equalize", 0.6, 0, "Rotate", 0.9, 3),
        ("ShearX", 0.9, 4, "AutoContrast", 0.8, 0),
        ("ShearY", 0.9, 8, "Invert", 0.4, 0),
        ("ShearY", 0.9, 5, "Solarize", 0.2, 6),
        ("Invert", 0.9, 0, "AutoContrast", 0.8, 0),
        ("Equalize", 0.6, 0, "Rotate", 0.9, 3),
        ("ShearX", 0.9, 4, "Solarize", 0.3, 3),
        ("ShearY", 0.8, 8, "Invert", 0.7, 0),
        ("Equalize", 0.9, 0, "TranslateY", 0.6, 6),
        ("Invert", 0.9, 0, "Equalize", 0.6, 0),
        ("Contrast", 0.3, 3, "Rotate", 0.8, 4),
        ("Invert", 0.8, 0, "TranslateY", 0.0, 2),
        ("ShearY", 0.7, 6, "Solarize", 0.4, 8),
        ("Invert", 0.6, 0, "Rotate", 0.8, 4),
        ("ShearY", 0.3, 7, "TranslateX", 0.9, 3),
        ("ShearX", 0.1, 6, "Invert", 0.6, 0),
        ("Solarize", 0.7, 2, "TranslateY", 0.6, 7),
        ("ShearY", 0.8, 4, "Invert", 0.8, 0),
        ("ShearX", 0.7, 9, "TranslateY", 0.8, 3),
        ("ShearY", 0.8, 5, "AutoContrast", 0.7, 0),
        ("ShearX", 0.7, 2, "Invert", 0.1, 0),
    ),
    "imagenet": (
        ("Posterize", 0.4, 8, "Rotate", 0.6, 9),
        ("Solarize", 0.6, 5, "AutoContrast", 0.6, 0),
        ("Equalize", 0.8, 0, "Equalize", 0.6, 0),
        ("Posterize", 0.6, 7, "Posterize", 0.6, 6),
        ("Equalize", 0.4, 0, "Solarize", 0.2, 4),
        ("Equalize", 0.4, 0, "Rotate", 0.8, 8),
        ("Solarize", 0.6, 3, "Equalize", 0.6, 0),
        ("Posterize", 0.8, 5, "Equalize", 1.0, 0),
        ("Rotate", 0.2, 3, "Solarize", 0.6, 8),
        ("Equalize", 0.6, 0, "Posterize", 0.4, 6),
        ("Rotate", 0.8, 8, "Color", 0.4, 0),
        ("Rotate", 0.4, 9, "Equalize", 0.6, 0),
        ("Equalize", 0.0, 0, "Equalize", 0.8, 0),
        ("Invert", 0.6, 0, "Equalize", 1.0, 0),
        ("Color", 0.6, 4, "Contrast", 1.0, 8),
        ("Rotate", 0.8, 8, "Color", 1.0, 2),
        ("Color", 0.8, 8, "Solarize", 0.8, 7),
        ("Sharpness", 0.4, 7, "Invert", 0.6, 0),
        ("ShearX", 0.6, 5, "Equalize", 1.0, 0),
        ("Color", 0.4, 0, "Equalize", 0.6, 0),
        ("Equalize", 0.4, 0, "Solarize", 0.2, 4),
        ("Solarize", 0.6, 5, "AutoContrast", 0.6, 0),
        ("Invert", 0.6, 0, "Equalize", 1.0, 0),
        ("Color", 0.6, 4, "Contrast", 1.0, 8),
        ("Equalize", 0.8, 0, "Equalize", 0.6, 0),
    ),
}


@keras.saving.register_keras_serializable(package="kerascnn")
class AutoAugment(Policy):
    """Apply one of 25 learned sub-policies to each image: two operations, each with its rate.

    The operations are those of `RandAugment` and Invert. Magnitude m of the tables is m / 9 of the
    ranges there.

    Source: Cubuk et al. 2018, arXiv:1805.09501, Tables 6 to 9. Differs from the paper: as in
    torchvision, factors go both ways from 1 with the magnitude, and Posterize and Solarize grow
    stronger with it; images are read bilinearly, and filled with grey (128).

    Args:
        policy: "imagenet", "cifar10" or "svhn", the data that it was found for. "imagenet" is the
            usual one for photos.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`.

    Raises:
        InputError: another policy.

    >>> layer = AutoAugment("cifar10", seed=0)
    >>> layer(np.zeros((2, 32, 32, 3), "uint8")).shape == (2, 32, 32, 3)
    True
    """

    def __init__(self, policy="imagenet", **kwargs):
        super().__init__(**kwargs)
        self.policy = one_of(policy, _POLICIES, "policy")

    def draw(self, draws, height, width):
        xp = draws.xp
        operations, rates, magnitudes = _table(self.policy)
        row = draws.integers(0, len(rates) - 1)
        happens = draws.uniform(count=2) < xp.take(rates, row, axis=0)
        operation = xp.where(happens, xp.take(operations, row, axis=0), NUMBERS["Identity"])
        share = xp.take(magnitudes, row, axis=0) / _STRONGEST
        positive = draws.uniform(count=2) < 0.5
        value = values_of(operation, share, positive, (width, height), xp)
        return {"operation": operation, "value": value}

    def get_config(self):
        return {**super().get_config(), "policy": self.policy}


def _table(policy):
    """Operations, probabilities and magnitudes of a policy's rows: three arrays (25, 2)."""
    rows = _POLICIES[policy]
    operations = [[NUMBERS[row[0]], NUMBERS[row[3]]] for row in rows]
    rates, magnitudes = ([[row[i], row[i + 3]] for row in rows] for i in (1, 2))
    return (
        np.array(operations, np.int32),
        np.array(rates, np.float32),
        np.array(magnitudes, np.float32),
    )
