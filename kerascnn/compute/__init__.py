"""Precision, compilation and batches, chosen by what is measured here."""

import importlib

_MODULES = {
    "ComputeChoice": "choice",
    "to_precision": "precision",
    "tune_compute": "tune",
}

__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(f"kerascnn.compute.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'kerascnn.compute' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})
