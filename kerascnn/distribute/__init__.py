"""One training on several devices and several machines."""

from kerascnn._lazy import lazy

_HOMES = {
    "start": "starting",
    "worker": "starting",
    "num_workers": "starting",
    "shard": "sharding",
    "mirrored": "mirroring",
    "synchronized": "mirroring",
    "save": "saving",
    "launch": "launching",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
