"""Hyperparameter search on Keras Tuner: spaces, trials that cannot be lost, the best again."""

import importlib

_MODULES = {
    "CrossValidation": "cross_validation",
    "FineTuning": "fine_tuning",
    "FromScratch": "from_scratch",
    "Tuner": "tuner",
    "best_values": "results",
    "importance": "_importance",
    "retrain_best": "results",
    "trials": "results",
    "batch_size": "scales",
    "dropout": "scales",
    "kernel_size": "scales",
    "learning_rate": "scales",
    "momentum": "scales",
    "num_layers": "scales",
    "units": "scales",
    "weight_decay": "scales",
    "run_workers": "workers",
    "with_ray": "ray_tune",
}

__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(f"kerascnn.search.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'kerascnn.search' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})
