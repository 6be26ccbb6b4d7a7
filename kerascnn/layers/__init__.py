"""Layers that Keras does not have. Importing this package registers all of them for loading.

What Keras has is not here. Instance normalisation (Ulyanov et al. 2016, arXiv:1607.08022) is
`keras.layers.GroupNormalization(groups=-1)`.
"""

import kerascnn.constraints  # saved layers name them
import kerascnn.initializers
from kerascnn.layers.drop_path import DropPath
from kerascnn.layers.fractal_join import FractalJoin, FractalPath
from kerascnn.layers.loss_weight import LearnedLossWeight
from kerascnn.layers.lrn import LocalResponseNormalization
from kerascnn.layers.maxout import Maxout
from kerascnn.layers.ordinal import OrdinalOutput
from kerascnn.layers.partial_conv import PartiallyConnectedConv2D
from kerascnn.layers.ramp import ramp
from kerascnn.layers.randomized_relu import RandomizedReLU
from kerascnn.layers.rbf import RBFOutput
from kerascnn.layers.scaled_tanh import scaled_tanh
from kerascnn.layers.stochastic_depth import StochasticDepthAdd, survival_rates
from kerascnn.layers.subsampling import TrainableSubsampling

__all__ = [
    "DropPath",
    "FractalJoin",
    "FractalPath",
    "LearnedLossWeight",
    "LocalResponseNormalization",
    "Maxout",
    "OrdinalOutput",
    "PartiallyConnectedConv2D",
    "RBFOutput",
    "RandomizedReLU",
    "StochasticDepthAdd",
    "TrainableSubsampling",
    "ramp",
    "scaled_tanh",
    "survival_rates",
]
