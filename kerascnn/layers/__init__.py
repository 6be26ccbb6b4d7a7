"""Layers that Keras does not have. Importing this package registers all of them for loading.

What Keras has is not here. Instance normalisation (Ulyanov et al. 2016, arXiv:1607.08022) is
`keras.layers.GroupNormalization(groups=-1)`; scaling of 0-255 to [-1, 1] is
`keras.layers.Rescaling(1 / 127.5, -1)`; mean and variance of each channel are in
`keras.layers.Normalization`, which `kerascnn.data.normalization` makes.
"""

import kerascnn.constraints  # saved layers name them
import kerascnn.initializers
from kerascnn.layers.drop_path import DropPath
from kerascnn.layers.fractal_join import FractalJoin, FractalPath
from kerascnn.layers.global_contrast import GlobalContrastNormalization
from kerascnn.layers.loss_weight import LearnedLossWeight
from kerascnn.layers.lrn import LocalResponseNormalization
from kerascnn.layers.maxout import Maxout
from kerascnn.layers.mean_image import MeanImage
from kerascnn.layers.mean_over_views import MeanOverViews
from kerascnn.layers.min_max_scaling import MinMaxScaling
from kerascnn.layers.ordinal import OrdinalOutput
from kerascnn.layers.partial_conv import PartiallyConnectedConv2D
from kerascnn.layers.ramp import ramp
from kerascnn.layers.randomized_relu import RandomizedReLU
from kerascnn.layers.rbf import RBFOutput
from kerascnn.layers.scaled_tanh import scaled_tanh
from kerascnn.layers.stochastic_depth import StochasticDepthAdd, survival_rates
from kerascnn.layers.subsampling import TrainableSubsampling
from kerascnn.layers.value_range import check_value_range
from kerascnn.layers.whitening import Whitening

__all__ = [
    "DropPath",
    "FractalJoin",
    "FractalPath",
    "GlobalContrastNormalization",
    "LearnedLossWeight",
    "LocalResponseNormalization",
    "Maxout",
    "MeanImage",
    "MeanOverViews",
    "MinMaxScaling",
    "OrdinalOutput",
    "PartiallyConnectedConv2D",
    "RBFOutput",
    "RandomizedReLU",
    "StochasticDepthAdd",
    "TrainableSubsampling",
    "Whitening",
    "check_value_range",
    "ramp",
    "scaled_tanh",
    "survival_rates",
]
