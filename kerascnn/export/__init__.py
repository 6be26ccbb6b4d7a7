"""Models for other programs: SavedModel, ONNX, LiteRT, OpenVINO, checked on real photos."""

import importlib

_MODULES = {"Exported": "exporting", "export": "exporting", "labels": "formats"}

__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(f"kerascnn.export.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'kerascnn.export' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})
