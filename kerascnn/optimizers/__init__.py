"""Optimisers."""

from kerascnn.optimizers.full_batch import minimize_full_batch
from kerascnn.optimizers.radam import RAdam

__all__ = ["RAdam", "minimize_full_batch"]
