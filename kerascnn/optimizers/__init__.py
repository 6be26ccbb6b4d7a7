"""Optimisers."""

from kerascnn.optimizers.radam import RAdam

__all__ = ["RAdam"]
