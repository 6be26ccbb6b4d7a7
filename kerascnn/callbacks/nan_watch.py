"""Stops a training that became NaN or infinite, and says where it did."""

import keras
import numpy as np
from keras import ops

from kerascnn._derivatives import compiled
from kerascnn._errors import NonFiniteError, whole
from kerascnn.callbacks._position import knows_its_position
from kerascnn.callbacks._state import variables
from kerascnn.callbacks._values import assign, copied

__all__ = ["NaNWatch"]

_SCALES = (keras.layers.Rescaling, keras.layers.Normalization)
_FAR = 10.0  # inputs beyond it that nothing scales make the first layers' outputs large
_CALM = 1e4  # outputs below it do not overflow in any loss
_BAD_WEIGHT = "A weight is NaN or infinite"


class NaNWatch(keras.callbacks.Callback):
    """Ends `fit` by a `NonFiniteError` when the loss or a weight becomes NaN or infinite.

    Every step looks at the loss, which a bad weight reaches one step later, and at moving
    statistics, which never reach it; every `every_steps` steps and the end of an epoch look at all
    weights. The message names the first layer concerned and what to try. The model gets back the
    weights and the optimiser's state of the last good look, of which one copy is kept in memory;
    inside `Resume` the newest checkpoint.

    To find the layer, the steps since the last look are made once more from there. If that does not
    repeat the trouble, for instance because another callback changes the rate between looks, the
    weights alone tell; `every_steps=1` finds the layer then too.

    Args:
        data: the training data, e.g. `data.train` or `resume.data`, if it has
            `num_batches` and `batch(epoch, index)`; with other data or None the layer is found by
            its weights alone.
        every_steps: int >= 1. Steps between looks at all weights. At 1 the copies cost about a
            fifth of a step of LeNet-5, at 100 below a hundredth (recipes/RESULTS.md).

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

    def __init__(self, data=None, every_steps=100):
        super().__init__()
        self._batch = data.batch if knows_its_position(data) else None
        self._every_steps = whole(every_steps, "every_steps", 1)
        self._kept = self._moving = self._all_finite = None

    def get_state(self):
        """Nothing: a run that is continued looks at its first step."""
        return {}

    def set_state(self, state):
        self._kept = None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._kept = epoch, None
        self._moving = None  # what is trained may differ by epoch

    def on_train_batch_begin(self, batch, logs=None):
        # Not at the epoch's begin, where `Resume` puts weights back; a first step may make them.
        if self._kept is None and self.model.built:
            self._kept, self._step = copied(_variables(self.model)), batch

    def on_train_batch_end(self, batch, logs=None):
        self._last = batch
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            self._stop(f"The loss is {'NaN' if np.isnan(loss) else 'infinite'}")
        if self._kept is None or batch + 1 - self._step >= self._every_steps:
            self._look()
            return
        if self._moving is None:
            self._moving = _changed(self.model, self._kept)
            self._all_finite = self._all_finite or compiled(_all_finite)
        if self._moving:
            weights = self.model.variables
            if not self._all_finite([weights[i].value for i in self._moving]):
                self._stop(_BAD_WEIGHT)

    def on_epoch_end(self, epoch, logs=None):
        if self._kept is not None:  # a step was made
            self._look()

    def _look(self):
        """Copy everything that training changes, if all weights are good."""
        kept = copied(_variables(self.model))
        if not all(map(_finite, kept[: len(self.model.variables)])):
            self._stop(_BAD_WEIGHT)
        self._kept, self._step = kept, self._last + 1

    def _stop(self, what):
        model, step, inputs = self.model, self._last, []
        values, rate = copied(model.variables), _rate(model.optimizer)
        if self._kept is not None:
            assign(_variables(model), self._kept)
            if self._batch and getattr(model, "steps_per_execution", 1) == 1:
                step, inputs, values = self._repeat() or (step, inputs, values)
        where, advice = _diagnosis(model, inputs, values, rate)
        if self._kept is not None:
            assign(_variables(model), self._kept)
        raise NonFiniteError(
            f"{what} in epoch {self._epoch + 1}, step {step + 1}: {where}. "
            f"Try: {'; '.join(advice)}."
        )

    def _repeat(self):
        """Make the steps since the last look again: the first bad one, its inputs in a list and the
        weights behind it. The model is then as before that step. None if there is no bad one.
        """
        model = self.model
        model.reset_metrics()  # their means are not finite any more
        for step in range(self._step, self._last + 1):
            before = copied(_variables(model))
            batch = self._batch(self._epoch, step)
            logs = model.train_on_batch(*batch, return_dict=True)
            values = copied(model.variables)
            if not np.isfinite(logs["loss"]) or not all(map(_finite, values)):
                assign(_variables(model), before)
                return step, [batch[0]], values
        return None


def _variables(model):
    """Everything that a step changes."""
    return list(variables(model).values())


def _changed(model, kept):
    """Which variables are not trained and differ from their kept values: moving statistics."""
    return [
        i
        for i, (variable, value) in enumerate(zip(model.variables, kept))
        if not variable.trainable
        and value.dtype.kind not in "biu"
        and not np.array_equal(keras.ops.convert_to_numpy(variable), value)
    ]


def _all_finite(tensors):
    """One bool for all of them: copying each would take longer than some steps."""
    return ops.all(ops.stack([ops.all(ops.isfinite(tensor)) for tensor in tensors]))


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
