"""What a result depends on beside photos and settings: packages and machine."""

import os
import platform
from importlib import metadata
from pathlib import Path

import keras

import kerascnn


def versions():
    """{package: version} of what results depend on."""
    names = ("tensorflow", "keras", "numpy", "pillow", "scikit-learn", "jax", "openvino")
    found = {"kerascnn": kerascnn.__version__, "python": platform.python_version()}
    found["backend"] = keras.backend.backend()
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine():
    """{what: text or number} of the computer."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "devices": ", ".join(keras.distribution.list_devices()),
    }


def _processor():
    """Its name where the system tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
