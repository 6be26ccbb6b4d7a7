"""Augmentation for each image, seeded and repeatable, and views for testing.

Importing it registers every layer with Keras, so that models which hold them can be loaded.
"""

from kerascnn.augment._draws import seeds
from kerascnn.augment.additive_noise import AdditiveNoise
from kerascnn.augment.color_jitter import ColorJitter
from kerascnn.augment.image_augmentation import ImageAugmentation
from kerascnn.augment.random_affine import RandomAffine

__all__ = [
    "AdditiveNoise",
    "ColorJitter",
    "ImageAugmentation",
    "RandomAffine",
    "seeds",
]
