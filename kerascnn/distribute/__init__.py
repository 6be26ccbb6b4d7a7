"""One training on several devices and several machines."""

import importlib

_MODULES = {
    "start": "starting",
    "worker": "starting",
    "num_workers": "starting",
    "shard": "sharding",
    "mirrored": "mirroring",
    "synchronized": "mirroring",
    "save": "saving",
    "launch": "launching",
}

__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(f"kerascnn.distribute.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'kerascnn.distribute' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})
