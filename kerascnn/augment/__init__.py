"""Augmentation for each image, seeded and repeatable, and views for testing.

Importing it registers every layer with Keras, so that models which hold them can be loaded.
"""

from kerascnn._random import image_seeds as seeds
from kerascnn.augment.additive_noise import AdditiveNoise
from kerascnn.augment.area_crop import AreaCrop
from kerascnn.augment.auto_augment import AutoAugment
from kerascnn.augment.clouds import Clouds
from kerascnn.augment.coarse_salt_and_pepper import CoarseSaltAndPepper
from kerascnn.augment.color_jitter import ColorJitter
from kerascnn.augment.combine import OneOf, RandomApply, Sequence
from kerascnn.augment.crop_and_pad import CropAndPad
from kerascnn.augment.cut_move_blend import CutMoveBlend
from kerascnn.augment.dense import predict_dense
from kerascnn.augment.fancy_pca import FancyPCA
from kerascnn.augment.fast_snow import FastSnow
from kerascnn.augment.fog import Fog
from kerascnn.augment.image_augmentation import ImageAugmentation
from kerascnn.augment.label_safety import LabelSafety, label_safety
from kerascnn.augment.lens_distortion import LensDistortion
from kerascnn.augment.pad_and_crop import PadAndCrop
from kerascnn.augment.presets import preset
from kerascnn.augment.preview import preview
from kerascnn.augment.rand_augment import RandAugment
from kerascnn.augment.random_affine import RandomAffine
from kerascnn.augment.random_emboss import RandomEmboss
from kerascnn.augment.random_gamma import RandomGamma
from kerascnn.augment.random_rgb_shift import RandomRGBShift
from kerascnn.augment.salt_and_pepper import SaltAndPepper
from kerascnn.augment.scale_jitter import ScaleJitter
from kerascnn.augment.search import search_policy
from kerascnn.augment.snowflakes import Snowflakes
from kerascnn.augment.superpixels import Superpixels
from kerascnn.augment.trivial_augment import TrivialAugment
from kerascnn.augment.views import predict_photos, test_time

__all__ = [
    "AdditiveNoise",
    "AreaCrop",
    "AutoAugment",
    "Clouds",
    "CoarseSaltAndPepper",
    "ColorJitter",
    "CropAndPad",
    "CutMoveBlend",
    "FancyPCA",
    "FastSnow",
    "Fog",
    "ImageAugmentation",
    "LabelSafety",
    "LensDistortion",
    "OneOf",
    "PadAndCrop",
    "RandAugment",
    "RandomAffine",
    "RandomApply",
    "RandomEmboss",
    "RandomGamma",
    "RandomRGBShift",
    "SaltAndPepper",
    "ScaleJitter",
    "Sequence",
    "Snowflakes",
    "Superpixels",
    "TrivialAugment",
    "label_safety",
    "predict_dense",
    "predict_photos",
    "preset",
    "preview",
    "search_policy",
    "seeds",
    "test_time",
]
