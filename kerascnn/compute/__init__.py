"""Precision, compilation and batches, chosen by what is measured here."""

from kerascnn._lazy import lazy

_HOMES = {
    "ComputeChoice": "choice",
    "fuse_batch_norm": "batch_norm",
    "to_precision": "precision",
    "tune_compute": "tune",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
