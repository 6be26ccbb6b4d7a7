"""Hyperparameter search on Keras Tuner: spaces, trials that cannot be lost, the best again."""

from kerascnn._lazy import lazy

_HOMES = {
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

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
