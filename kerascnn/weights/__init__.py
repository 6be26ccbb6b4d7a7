"""Weights: what is packaged, what each needs, and strict loading.

>>> import kerascnn as kc
>>> kc.weights.entry("LeNet5", "mnist")["preprocessing"]["scale"]
0.005
"""

from kerascnn.weights.loading import load
from kerascnn.weights.manifest import entry, names

__all__ = ["entry", "load", "names"]
