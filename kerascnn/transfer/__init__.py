"""Transfer learning: pretrained networks that take raw photos, and what is built on them."""

import importlib

_MODULES = {
    "backbone": "backbones",
    "list_backbones": "backbones",
}

__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(f"kerascnn.transfer.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'kerascnn.transfer' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})
