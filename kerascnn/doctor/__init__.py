"""Checks of a model and its training, before, during and after: numbers, and what they mean."""

from kerascnn.doctor._finding import Diagnosis, Finding
from kerascnn.doctor.baseline import capacity, linear_baseline
from kerascnn.doctor.before import before_training
from kerascnn.doctor.initialization import LayerStart, audit_initialization
from kerascnn.doctor.inputs import (
    channel_order,
    input_fit,
    input_range,
    input_scale,
    input_values,
)
from kerascnn.doctor.labels import (
    class_balance,
    label_conflicts,
    label_form,
    label_order,
    occurring_classes,
)
from kerascnn.doctor.runs import examine_run
from kerascnn.doctor.splits import leak
from kerascnn.doctor.start import layer_starts, uninformed_output
from kerascnn.doctor.trials import learning_rate, one_batch
from kerascnn.doctor.verdict import after_training
from kerascnn.doctor.weights import (
    batch_norm_settings,
    equal_layers,
    optimizer_fits,
    unreached_layers,
)

__all__ = [
    "Diagnosis",
    "Finding",
    "LayerStart",
    "after_training",
    "audit_initialization",
    "batch_norm_settings",
    "before_training",
    "capacity",
    "channel_order",
    "class_balance",
    "equal_layers",
    "examine_run",
    "input_fit",
    "input_range",
    "input_scale",
    "input_values",
    "label_conflicts",
    "label_form",
    "label_order",
    "layer_starts",
    "leak",
    "learning_rate",
    "linear_baseline",
    "occurring_classes",
    "one_batch",
    "optimizer_fits",
    "uninformed_output",
    "unreached_layers",
]
