"""Layers that Keras does not have. Importing this package registers all of them for loading."""

import kerascnn.constraints  # saved layers name them
import kerascnn.initializers
from kerascnn.layers.lrn import LocalResponseNormalization
from kerascnn.layers.partial_conv import PartiallyConnectedConv2D
from kerascnn.layers.rbf import RBFOutput
from kerascnn.layers.scaled_tanh import scaled_tanh
from kerascnn.layers.subsampling import TrainableSubsampling

__all__ = [
    "LocalResponseNormalization",
    "PartiallyConnectedConv2D",
    "RBFOutput",
    "TrainableSubsampling",
    "scaled_tanh",
]
