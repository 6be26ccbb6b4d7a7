"""The learning rates of a model in training: read, written into the logs, multiplied."""

import keras

from kerascnn.schedules import Scaled

__all__ = [
    "log_rates",
    "optimizers_of",
    "parts_of",
    "scale_rates",
    "scales",
    "schedules_of",
    "set_scales",
]


def log_rates(model, logs):
    """Write the rate into the logs of an epoch, under the names that Keras uses.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5))
    >>> logs = {}
    >>> log_rates(model, logs)
    >>> logs
    {'learning_rate': 0.5}
    """
    parts = optimizers_of(model)
    for part in parts:
        name = "learning_rate" if len(parts) == 1 else f"learning_rate_{part.name}"
        logs[name] = float(keras.ops.convert_to_numpy(part.learning_rate))


def scale_rates(model, factor):
    """Multiply every rate, that of a schedule too, which goes on from where it is.

    A schedule is replaced by a `kerascnn.schedules.Scaled` one, and the next step is traced anew.
    """
    for part in optimizers_of(model):
        schedule = _schedule(part)
        if schedule is None:
            part.learning_rate = float(part.get_config()["learning_rate"]) * factor
        else:
            _scale_schedule(model, part, schedule, _scale(schedule) * factor)


def scales(model):
    """The factor on each schedule, 1.0 for a plain rate: what a checkpoint has to keep."""
    return [_scale(_schedule(part)) for part in optimizers_of(model)]


def set_scales(model, factors):
    """Put back what `scales` returned."""
    for part, factor in zip(optimizers_of(model), factors):
        schedule = _schedule(part)
        if _scale(schedule) != factor:
            _scale_schedule(model, part, schedule, factor)


def schedules_of(model):
    """[(schedule, the step it is at)] of the rates of the model that follow one."""
    found = [(_schedule(part), part) for part in optimizers_of(model)]
    return [
        (schedule, int(keras.ops.convert_to_numpy(part._iterations)))  # `iterations` counts updates
        for schedule, part in found
        if schedule is not None
    ]


def optimizers_of(model):
    """The optimisers that have a rate: several in a `MultiOptimizer`."""
    return parts_of(model.optimizer)


def parts_of(optimizer):
    """Those of one that is not a model's (yet)."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(optimizer, "optimizers", [optimizer]))


def _schedule(optimizer):
    rate = optimizer.get_config()["learning_rate"]
    return keras.optimizers.schedules.deserialize(rate) if isinstance(rate, dict) else None


def _scale(schedule):
    return schedule.scale if isinstance(schedule, Scaled) else 1.0


def _scale_schedule(model, optimizer, schedule, factor):
    inner = schedule.schedule if isinstance(schedule, Scaled) else schedule
    optimizer.learning_rate = Scaled(inner, factor)
    model.make_train_function(force=True)
