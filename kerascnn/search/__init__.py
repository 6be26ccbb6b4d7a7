"""Hyperparameter search on Keras Tuner: spaces, trials that cannot be lost, the best again."""

import importlib

_MODULES = {}

__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(f"kerascnn.search.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'kerascnn.search' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})
