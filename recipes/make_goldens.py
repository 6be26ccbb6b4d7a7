"""Make kerascnn/transfer/backbones.json by building every network of keras.applications once.

python recipes/make_goldens.py backbones
"""

import inspect
import json
import sys
from pathlib import Path

import keras
import numpy as np

ROOT = Path(__file__).parents[1]
BACKBONES = ROOT / "kerascnn" / "transfer" / "backbones.json"


def builders():
    """name -> (family, builder) for all of keras.applications; the family names the module."""
    found = inspect.getmembers(keras.applications, inspect.isfunction)
    return {name: (builder.__module__.rsplit(".", 1)[-1], builder) for name, builder in found}


def regime(module):
    """Which preprocessing `module.preprocess_input` does, found by what it makes of a pixel."""
    x = np.array([[[[10.0, 20.0, 40.0]]]], "float32")
    y = module.preprocess_input(x.copy())
    for mode in ("tf", "torch", "caffe"):
        if np.array_equal(
            y, keras.applications.imagenet_utils.preprocess_input(x.copy(), mode=mode)
        ):
            return mode
    assert np.array_equal(x, y)
    return "none"


def row(name, family, builder):
    full = builder(weights=None)
    image_size = full.input_shape[1] or 224  # MobileNetV3 says no size; its weights are for 224
    bare = builder(weights=None, include_top=False, input_shape=(image_size, image_size, 3))
    keras.backend.clear_session()
    return {
        "name": name,
        "family": family,
        "source": "keras.applications",
        "image_size": image_size,
        "channels": 3,
        "num_parameters": bare.count_params(),
        "preprocessing": regime(getattr(keras.applications, family)),
        "weights": ["imagenet"],
    }


def backbones():
    rows = [row(name, *found) for name, found in builders().items()]
    smallest = {}
    for r in rows:
        smallest[r["family"]] = min(r["num_parameters"], smallest.get(r["family"], np.inf))
    rows.sort(key=lambda r: (smallest[r["family"]], r["family"], r["num_parameters"]))
    lines = ",\n".join("  " + json.dumps(r) for r in rows)
    BACKBONES.write_text(f"[\n{lines}\n]\n", "utf-8")


if __name__ == "__main__":
    {"backbones": backbones}[sys.argv[1]]()
