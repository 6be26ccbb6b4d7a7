"""Optimisers."""

from kerascnn.optimizers.diagonal_lm import StochasticDiagonalLM
from kerascnn.optimizers.full_batch import minimize_full_batch
from kerascnn.optimizers.layer_rates import layer_rates
from kerascnn.optimizers.radam import RAdam

__all__ = ["RAdam", "StochasticDiagonalLM", "layer_rates", "minimize_full_batch"]
