"""Photos in, batches out: folders, TFDS and arrays, checked, split without leaks, decoded once.

Nothing here imports Keras or TensorFlow until a data set for `fit` is made.
"""

from kerascnn._lazy import lazy

_HOMES = {
    "Augmented": "augmented",
    "augment_dataset": "tf_dataset",
    "Decoder": "decode",
    "decode_file": "decode",
    "Finding": "inventory",
    "Inventory": "inventory",
    "Photo": "inventory",
    "inspect_directory": "inventory",
    "label_scores": "label_quality",
    "load_manifest": "inventory",
    "photo_statistics": "statistics",
    "RowStore": "store",
    "cache_folder": "store",
    "stratified_folds": "folding",
    "stratified_split": "splits",
    "ImageData": "pipeline",
    "Split": "pipeline",
    "class_shift": "shift",
    "confident_joint": "label_quality",
    "find_near_duplicates": "near_duplicates",
    "find_suspicious_labels": "label_quality",
    "folds": "folding",
    "from_arrays": "arrays",
    "from_directory": "sources",
    "from_tfds": "sources",
    "normalization": "normalizing",
    "view": "views",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
