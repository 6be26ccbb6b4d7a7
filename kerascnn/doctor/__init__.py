"""Checks of a model and its training, before, during and after: numbers, and what they mean.

Judging numbers imports no Keras: `kerascnn doctor` starts at once.
"""

from kerascnn._lazy import lazy

_HOMES = {
    "Diagnosis": "_finding",
    "Finding": "_finding",
    "LayerStart": "initialization",
    "after_training": "verdict",
    "audit_initialization": "initialization",
    "batch_norm_settings": "weights",
    "before_training": "before",
    "capacity": "baseline",
    "channel_order": "inputs",
    "class_balance": "labels",
    "equal_layers": "weights",
    "examine_run": "runs",
    "input_fit": "inputs",
    "input_range": "inputs",
    "input_scale": "inputs",
    "input_values": "inputs",
    "label_conflicts": "labels",
    "label_form": "labels",
    "label_order": "labels",
    "layer_starts": "start",
    "leak": "splits",
    "learning_rate": "trials",
    "linear_baseline": "baseline",
    "occurring_classes": "labels",
    "one_batch": "trials",
    "optimizer_fits": "weights",
    "uninformed_output": "start",
    "unreached_layers": "weights",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
