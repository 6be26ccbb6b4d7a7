"""Pictures of networks. What they show is computed as plain numbers, then drawn by matplotlib."""

import importlib

_HOMES = {
    "Arrow": "architecture",
    "Box": "architecture",
    "Drawing": "architecture",
    "Slab": "resolutions",
    "Stage": "resolutions",
    "graph_layout": "architecture",
    "plot_graph": "plot",
    "plot_images": "pictures",
    "plot_initialization": "initialization",
    "plot_range_test": "rates",
    "plot_schedules": "rates",
    "plot_stages": "plot",
    "stage_layout": "resolutions",
    "stages": "resolutions",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"kerascnn.visualize.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'kerascnn.visualize' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
