"""Several networks as one: votes of their outputs, or the mean of their weights."""

import hashlib
import json
import math

import keras
import numpy as np
from keras import layers

from kerascnn._batch_norm import recalibrate_batch_norm
from kerascnn._errors import InputError, in_order, one_of
from kerascnn._state import set_weights
from kerascnn.tasks._outputs import outputs_of

__all__ = ["average_weights", "ensemble", "recalibrate_batch_norm"]


def ensemble(members, weights=None, vote="soft", model=None, name="ensemble"):
    """One network whose output is the vote of several: a plain, flat, savable `keras.Model`.

    What the members compute alike is computed once: from the input on, layers of equal settings,
    weights and inputs are shared, so that preprocessing, and a backbone that stayed frozen, cost as
    in one member. The first member's layers keep their names; what the others add is named
    `member2_...`, `member3_...`. Keras opens the saved model alone if it opens the members.

    Members may come from other seeds, from a search (`ensemble(tuner.get_best_models(3))`) or be
    checkpoints of one run (`ensemble(files, model=model)`). For Keras's own moving average of one
    run's weights see `use_ema` of its optimizers and `keras.callbacks.SwapEMAWeights`.

    Args:
        members: at least two functional or Sequential `keras.Model`s or paths of `.keras` files, of
            one input and one output, all of the same shapes. They stay as they are.
        weights: floats >= 0, one for each member, e.g. from a validation; scaled to the sum 1. None
            for equal ones.
        vote: "soft", the mean of the outputs, which should be probabilities; or "hard", the share
            of members for each class (of sigmoids: of those above a half), which is rarely better:
            confidence counts for nothing.
        model: what members that are `.weights.h5` files are weights of, or None.
        name: str, the model's name.

    Returns:
        A new `keras.Model`, not compiled; its output is float32.

    Raises:
        InputError: there are fewer than two members, or they do not fit together.

    >>> def member():
    ...     inputs = keras.Input((4,))
    ...     x = layers.Rescaling(1 / 255, name="scale")(inputs)
    ...     return keras.Model(inputs, layers.Dense(3, "softmax", name="output")(x))
    >>> [layer.name for layer in ensemble([member(), member()]).layers][1:]
    ['scale', 'output', 'member2_output', 'vote']
    """
    one_of(vote, ["soft", "hard"], "vote")
    members = _opened(members, model)
    weights = _shares(weights, len(members))
    inputs, outputs, names = _grafted(members)
    if vote == "hard":
        outputs = [_choice(member, y) for member, y in zip(members, outputs)]
    return keras.Model(inputs, _weighted(outputs, weights, names), name=name)


def average_weights(members, weights=None, model=None):
    """One network whose weights are the mean of those of several of the same architecture.

    Good for checkpoints of one run (Polyak averaging, stochastic weight averaging, model soups of
    one start): networks from different seeds have no mean that computes anything. Counts and other
    integer weights are those of the first member. With batch normalisation the statistics belong to
    none of the averaged networks: estimate them anew by `recalibrate_batch_norm(model, data)`.

    Source: Izmailov et al. 2018, arXiv:1803.05407, Algorithm 1; Polyak and Juditsky 1992. Differs:
    no.

    Args:
        members: as for `ensemble`.
        weights: as for `ensemble`.
        model: as for `ensemble`.

    Returns:
        A new `keras.Model` like the first member, not compiled.

    Raises:
        InputError: there are fewer than two members, or their weights differ in shape.

    >>> models = [keras.Sequential([keras.Input((1,)), layers.Dense(1)]) for _ in range(2)]
    >>> for value, member in zip((1.0, 3.0), models):
    ...     member.set_weights([np.full((1, 1), value), np.zeros(1)])
    >>> float(average_weights(models).get_weights()[0][0, 0])
    2.0
    """
    members = _opened(members, model)
    weights = _shares(weights, len(members))
    result = _copy(members[0])
    values = [member.get_weights() for member in members]
    shapes = [[value.shape for value in own] for own in values]
    if any(own != shapes[0] for own in shapes):
        odd = next(i for i, own in enumerate(shapes) if own != shapes[0])
        raise InputError(
            f"Weights of other shapes have no mean: member {odd + 1} differs from the first. "
            "`ensemble` averages the outputs of different networks."
        )
    set_weights(result, [_mean(column, weights) for column in zip(*values)])
    return result


def _mean(values, weights):
    if not keras.backend.is_float_dtype(str(values[0].dtype)):  # NumPy's kind of bfloat16 is "V"
        return values[0]
    mean = sum(w * value.astype("float64") for w, value in zip(weights, values))
    return mean.astype(values[0].dtype)


def _opened(members, model):
    """The members as models."""
    members = [_open(member, model) for member in members]
    if len(members) < 2:
        raise InputError(f"At least two members are needed. Received: {len(members)}.")
    for i, member in enumerate(members, start=1):
        if len(member.inputs or ()) != 1 or len(member.outputs) != 1:
            raise InputError(f"Member {i}, {member.name!r}, has more than one input or output.")
        for what, own, first in (
            ("takes", member.input_shape, members[0].input_shape),
            ("gives", member.output_shape, members[0].output_shape),
        ):
            if own != first:
                raise InputError(
                    f"Member {i}, {member.name!r}, {what} {own}, but the first one {what} {first}. "
                    "All must agree: resize inside the members, build them for the same classes."
                )
    return members


def _open(member, model):
    if isinstance(member, keras.Model):
        return member
    if not str(member).endswith(".weights.h5"):
        from kerascnn import load_model

        return load_model(member, compile=False)
    if model is None:
        raise InputError(f"{member} holds weights only: pass model=, the network they are of.")
    copy = _copy(model)
    try:
        copy.load_weights(member)
    except Exception as error:  # Keras raises almost anything about a file that does not fit
        raise InputError(f"{member} does not hold the weights of {model.name!r}: {error}") from None
    return copy


def _copy(model):
    """The same network with weights of its own, not compiled."""
    copy = model.__class__.from_config(model.get_config())
    set_weights(copy, model.get_weights())
    return copy


def _shares(weights, count):
    weights = [1.0] * count if weights is None else in_order(weights, "weights")
    weights = [float(weight) for weight in weights]
    total = sum(weights)
    if len(weights) != count or min(weights) < 0 or not 0 < total < math.inf:
        raise InputError(
            f"`weights` must be {count} numbers of at least 0, not all 0. Received: {weights}."
        )
    return [weight / total for weight in weights]


def _grafted(members):
    """(input, outputs of the members, names of layers), copies of all on one input."""
    first = members[0]
    inputs = keras.Input(batch_shape=first.inputs[0].shape, dtype=first.inputs[0].dtype)
    known, names, outputs = {}, {inputs.name}, []
    for i, member in enumerate(members, start=1):
        graft = _Graft(f"member{i}_" if i > 1 else "", known, names)
        outputs.append(graft(member, inputs))
    return inputs, outputs, names


class _Graft:
    """Copies a network onto a tensor, where the same was not computed there before.

    Attributes:
        known: {what is computed: output}; tensors stand in it by their identity.
    """

    def __init__(self, prefix, known, names):
        self.prefix, self.known, self.names = prefix, known, names
        self.of = {}  # copy: original
        self.used = []

    def __call__(self, member, inputs):
        plain = keras.Model(member.inputs[0], member.outputs[0])  # neither Sequential nor compiled
        y = keras.models.clone_model(plain, inputs, self.copied, self.called).output
        for copy in self.used:
            set_weights(copy, self.of[copy].get_weights())
        return y

    def copied(self, layer):
        name = _free(self.prefix + layer.name, self.names)
        copy = layer.__class__.from_config(layer.get_config() | {"name": name})
        self.of[copy] = layer
        return copy

    def called(self, copy, *args, **kwargs):
        original = self.of[copy]
        key = (_identity(original), _told(args), _told(kwargs))
        if key not in self.known:
            self.known[key] = copy(*args, **kwargs)
            self.names.add(copy.name)
            if getattr(copy, "weights", None):
                self.used.append(copy)
        return self.known[key]


def _identity(operation):
    """Class, settings but the name, and weights of an operation."""
    config = operation.get_config()
    config.pop("name", None)
    text = json.dumps(keras.saving.serialize_keras_object(config), sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for weight in getattr(operation, "weights", ()):
        digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return type(operation), digest.hexdigest()


def _told(arguments):
    """What a call was given, tensors by their identity and arrays by their values."""
    parts = []
    for part in keras.tree.flatten(arguments):
        if isinstance(part, keras.KerasTensor):
            parts.append(id(part))
        elif hasattr(part, "shape"):
            array = keras.ops.convert_to_numpy(part)
            parts.append((array.shape, str(array.dtype), array.tobytes()))
        else:
            parts.append(repr(part))
    return tuple(parts)


def _choice(member, y):
    """One at the largest output, zero elsewhere; of sigmoids, which are above a half."""
    last = outputs_of(member)[0].activations[:1]
    if y.shape[-1] == 1 or [name for name, _ in last] == ["sigmoid"]:
        return keras.ops.cast(y > 0.5, "float32")
    return keras.ops.one_hot(keras.ops.argmax(y, axis=-1), y.shape[-1], dtype="float32")


def _weighted(outputs, weights, names):
    name = _free("vote", names)
    if len(set(weights)) == 1:
        return layers.Average(name=name, dtype="float32")(outputs)
    scaled = [
        layers.Rescaling(weight, name=_free(f"weight{i}", names), dtype="float32")(y)
        for i, (weight, y) in enumerate(zip(weights, outputs), start=1)
    ]
    return layers.Add(name=name, dtype="float32")(scaled)


def _free(name, names):
    while name in names:
        name = f"{name}_again"
    return name
