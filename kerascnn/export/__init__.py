"""Models for other programs: SavedModel, ONNX, LiteRT, OpenVINO, checked on real photos."""

from kerascnn._lazy import lazy

_HOMES = {"Exported": "exporting", "export": "exporting", "labels": "formats"}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
