"""Checks of options that need neither Keras nor photos, so that a slip is said at once."""

import numbers

from kerascnn._errors import InputError, one_of, whole

STRATEGIES = ("auto", "probe", "head", "partial", "full")


def check_engine(engine, precision):
    """Refuse an unknown engine or precision, and a pair that does not go together."""
    one_of(engine, ("auto", "keras", "tensorflow", "openvino"), "engine")
    one_of(precision, ("float32", "bfloat16"), "precision")
    if precision == "bfloat16" and engine in ("keras", "tensorflow"):
        raise InputError("precision='bfloat16' needs engine='openvino' (or 'auto').")


def check_distribute(distribute):
    """Refuse an unknown way to use several devices."""
    one_of(distribute, ("none", "mirrored"), "distribute")


def check_compute(compute, distribute="none", is_reproducible=False):
    """Refuse an unknown way to choose precision and compilation, and what does not go with it."""
    one_of(compute, ("default", "auto"), "compute")
    if compute == "auto" and is_reproducible:
        raise InputError(
            "compute='auto' chooses by time, which no two runs share: a reproducible run needs "
            "compute='default'."
        )
    if compute == "auto" and distribute != "none":
        raise InputError(
            f"compute='auto' measures one device; it does not go with distribute={distribute!r}."
        )


def check_training(strategy, epochs, learning_rate, seed, views="auto", class_weight="auto"):
    """Refuse options of `finetune` that are out of range."""
    one_of(strategy, STRATEGIES, "strategy")
    one_of(class_weight, ("auto", "balanced", None), "class_weight")
    whole(epochs, "epochs", 1)
    number = isinstance(learning_rate, numbers.Real) and not isinstance(learning_rate, bool)
    if not number or not 0 < learning_rate < float("inf"):
        raise InputError(f"learning_rate must be > 0. Received: {learning_rate!r}.")
    if not _is_int(seed, 0) or seed >= 2**32:
        raise InputError(f"seed must be an int from 0 to 2**32 - 1. Received: {seed!r}.")
    if views != "auto" and not _is_int(views, 1):
        raise InputError(f"views must be 'auto' or an int >= 1. Received: {views!r}.")


def _is_int(value, lowest):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= lowest
