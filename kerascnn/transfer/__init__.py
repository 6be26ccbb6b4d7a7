"""Transfer learning: pretrained networks that take raw photos, and what is built on them."""

import importlib

_MODULES = {
    "FeatureExtractor": "features",
    "Features": "features",
    "Plan": "choose",
    "Probe": "probe",
    "Result": "run",
    "Run": "run",
    "backbone": "backbones",
    "compare_stages": "choose",
    "extract_features": "features",
    "finetune": "finetuning",
    "fit_probe": "probe",
    "h_score": "choose",
    "list_backbones": "backbones",
    "load_run": "run",
    "log_me": "choose",
    "nearest": "retrieval",
    "plan": "choose",
}

__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(f"kerascnn.transfer.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'kerascnn.transfer' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})
