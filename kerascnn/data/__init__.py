"""Photos in, batches out: folders, TFDS and arrays, checked, split without leaks, decoded once.

Nothing here imports Keras or TensorFlow until a data set for `fit` is made.
"""

import importlib

_HOMES = {
    "Augmented": "augmented",
    "Decoder": "decode",
    "decode_file": "decode",
    "Finding": "inventory",
    "Inventory": "inventory",
    "Photo": "inventory",
    "inspect_directory": "inventory",
    "load_manifest": "inventory",
    "RowStore": "store",
    "cache_folder": "store",
    "stratified_split": "splits",
    "ImageData": "pipeline",
    "Split": "pipeline",
    "from_arrays": "arrays",
    "from_directory": "sources",
    "from_tfds": "sources",
    "view": "views",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"kerascnn.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'kerascnn.data' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
