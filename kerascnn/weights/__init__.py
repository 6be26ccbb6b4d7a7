"""Weights: which have a name and what each needs, download, conversion and strict loading.

>>> import kerascnn as kc
>>> kc.weights.entry("LeNet5", "mnist")["preprocessing"]["scale"]
0.005
>>> report = kc.weights.load(kc.models.LeNet5(), "mnist", builder="LeNet5")
>>> len(report.loaded)
7
"""

from kerascnn.weights.loading import Report, load
from kerascnn.weights.manifest import entry, names

__all__ = ["Report", "entry", "load", "names"]
