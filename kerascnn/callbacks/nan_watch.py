"""Stops a training that became NaN or infinite, and says where it did."""

import numbers

import keras
import numpy as np

from kerascnn._errors import InputError, NonFiniteError

__all__ = ["NaNWatch"]

_SCALES = (keras.layers.Rescaling, keras.layers.Normalization)
_FAR = 10.0  # inputs beyond it that nothing scales make the first layers' outputs large
_CALM = 1e4  # outputs below it do not overflow in any loss


class NaNWatch(keras.callbacks.Callback):
    """Ends `fit` by a `NonFiniteError` in the step that makes the loss or a weight NaN or infinite.

    The message names the first layer concerned and what to try. The model gets back the weights it
    had when the epoch began; inside `Resume` the newest checkpoint, optimiser included.

    To find the layer, the weights before each step are kept in memory (one copy, and one of the
    epoch's beginning), and the step's batch is put through the model once more with them.

    Args:
        data: the training data, e.g. `data.train` or `resume.data`, if it has
            `batch(epoch, index)`; None finds the layer by its weights alone.
        every_steps: int >= 1. Steps between looks at the weights; the loss, which they reach one
            step later, is looked at in every step. More than 1 saves time on a GPU.

    Raises:
        NonFiniteError: from `fit`; an `InputError` and a `FloatingPointError`.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="last")])
    >>> model.compile(keras.optimizers.SGD(1e30), "mse")
    >>> try:
    ...     _ = model.fit(np.ones((9, 2)), np.ones(9), batch_size=1, callbacks=[NaNWatch()],
    ...         verbose=0)
    ... except NonFiniteError as error:
    ...     print(str(error).split(":")[0])
    The loss is infinite in epoch 1, step 2
    """

    def __init__(self, data=None, every_steps=1):
        super().__init__()
        if not isinstance(every_steps, numbers.Integral) or every_steps < 1:
            raise InputError(f"every_steps must be an int >= 1. Received: {every_steps!r}.")
        self._batch = getattr(data, "batch", None)
        self._every_steps = every_steps
        self._looked_at = -1  # the last step of this epoch

    def get_state(self):
        """What `Resume` keeps: the step. The weights are in its checkpoint anyway."""
        return {"looked_at": self._looked_at}

    def set_state(self, state):
        self._looked_at = state["looked_at"]

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._looked_at = epoch, -1
        self._good = self._before = _values(self.model)

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        due = (batch + 1) % self._every_steps == 0
        values = _values(self.model) if due else None
        if not np.isfinite(loss):
            self._stop(f"The loss is {'NaN' if np.isnan(loss) else 'infinite'}", batch)
        if due and not all(map(_finite, values)):
            self._stop("A weight is NaN or infinite", batch)
        self._before = values or self._before
        self._looked_at = batch

    def _stop(self, what, batch):
        model, steps = self.model, range(self._looked_at + 1, batch + 1)
        values = _values(model)
        _assign(model, self._before)
        inputs = [self._batch(self._epoch, step)[0] for step in steps] if self._batch else []
        rate = _rate(model.optimizer)
        where, advice = _diagnosis(model, inputs, values, rate)
        _assign(model, self._good)
        raise NonFiniteError(
            f"{what} in epoch {self._epoch + 1}, step {batch + 1}: {where}. "
            f"Try: {'; '.join(advice)}."
        )


def _values(model):
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.variables]


def _assign(model, values):
    for variable, value in zip(model.variables, values):
        variable.assign(value)


def _finite(value):
    return value.dtype.kind in "biu" or bool(np.isfinite(value).all())


def _diagnosis(model, inputs, values, rate):
    """(which layer is concerned, [what to try]); the model is as it was before the step."""
    if not all(_finite(np.asarray(part)) for part in keras.tree.flatten(inputs)):
        return "the images of the batch hold NaN or infinity", ["mending the data"]
    outputs = [pair for batch in inputs for pair in _largest_outputs(model, batch)]
    for name, size in outputs:
        if not np.isfinite(size):
            return f"layer {name!r} is the first whose output is not finite", _calmer(
                model, inputs, rate
            )
    bad = [v.path for v, value in zip(model.variables, values) if not _finite(value)]
    weights = (
        f"{bad[0]!r} is the first of {len(bad)} weights that are not finite now" if bad else ""
    )
    if not outputs:
        return weights or "the weights are finite; pass data=...", _calmer(model, inputs, rate)
    name, size = max(outputs, key=lambda pair: pair[1])
    where = f"every output is finite, the largest is {size:.3g}, of layer {name!r}"
    where = f"{where}; {weights}" if weights else where
    if size > _CALM:
        return where, _calmer(model, inputs, rate)
    loss = "a loss without logarithms of 0, divisions by 0 and square roots of 0"
    return where, [loss, *_calmer(model, inputs, rate)]


def _largest_outputs(model, batch):
    """[(layer's name, largest absolute output in training)] in the order of computation."""
    layers = [layer for layer in getattr(model, "layers", []) if _has_output(layer)]
    if not layers or not getattr(model, "inputs", None):
        return []
    try:
        inner = keras.Model(model.inputs, [layer.output for layer in layers])
    except ValueError:  # it was cut from another model: its layers' outputs are that one's
        return []
    outputs = inner(keras.tree.flatten(batch), training=True)
    sizes = [
        max(float(keras.ops.max(keras.ops.abs(part))) for part in keras.tree.flatten(output))
        for output in outputs
    ]
    return [(layer.name, size) for layer, size in zip(layers, sizes)]


def _has_output(layer):
    try:
        return layer.output is not None
    except (AttributeError, ValueError):  # never called, or called more than once
        return False


def _rate(optimizer):
    return float(keras.ops.convert_to_numpy(getattr(optimizer, "learning_rate", np.nan)))


def _calmer(model, inputs, rate):
    """What keeps numbers small."""
    advice = []
    if np.isfinite(rate):
        advice.append(f"a lower learning rate than {rate:g}, e.g. {rate / 10:g}")
    clips = ("clipnorm", "global_clipnorm", "clipvalue")
    if all(getattr(model.optimizer, clip, None) is None for clip in clips):
        advice.append("global_clipnorm=1.0 in the optimiser")
    layers = getattr(model, "layers", [])
    largest = max((float(np.abs(part).max()) for part in keras.tree.flatten(inputs)), default=0.0)
    if largest > _FAR and not any(isinstance(layer, _SCALES) for layer in layers):
        advice.append(f"Rescaling(1 / 127.5, -1) as first layer: inputs reach {largest:g}")
    if any(layer.compute_dtype == "float16" for layer in layers):
        advice.append("mixed_bfloat16 in place of mixed_float16")
    return advice
