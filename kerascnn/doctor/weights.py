"""Checks of a network's weights: what is trained, what is a copy, what stands still."""

import itertools

import keras
import numpy as np

from kerascnn import _graph
from kerascnn.doctor._finding import Finding

__all__ = ["batch_norm_settings", "equal_layers", "optimizer_fits", "unreached_layers"]

_BATCH_NORM = "Ioffe and Szegedy 2015, arXiv:1502.03167, Algorithm 2"


def batch_norm_settings(model, batch_size=32, steps_per_epoch=None):
    """Whether the moving statistics of batch normalisation will be those of the data.

    They become m * old + (1 - m) * batch in each step; m is Keras's `momentum`. Problems: m = 1 in
    a layer that is trained, and a frozen layer whose statistics are those of the start (0 and 1),
    for then they never move. Warnings: m = 0 (only the last batch counts), m so near to 1 that
    after ten epochs over half is still the start, and batches of under 8 (Wu and He 2018,
    arXiv:1803.08494, Fig. 1). Frozen layers of pretrained networks are fine.

    Args:
        model: `keras.Model`, with nested ones or not.
        batch_size: int >= 1.
        steps_per_epoch: int, or None if it is not known.

    Returns:
        `Finding`.

    >>> layers = [keras.Input((4,)), keras.layers.BatchNormalization(momentum=1.0, name="bn")]
    >>> batch_norm_settings(keras.Sequential(layers)).message
    "1 of 1 batch normalisations has momentum 1: its statistics never move ('bn')."
    """
    check = "batch normalisation"
    norms = [x for x in _graph.leaves(model) if isinstance(x, keras.layers.BatchNormalization)]
    if not norms:
        return Finding(check, "skipped", "There is none.")
    for found, what, severity, advice in _norm_mistakes(norms, batch_size, steps_per_epoch):
        if found:
            number = f"{len(found)} of {len(norms)} batch normalisations has"
            message = f"{number} {what} ({found[0].name!r})."
            return Finding(check, severity, message, advice, _BATCH_NORM)
    message = f"{sum(x.trainable for x in norms)} of {len(norms)} are trained, with usual settings."
    return Finding(check, "fine", message, source=_BATCH_NORM)


def _norm_mistakes(norms, batch_size, steps):
    """(layers, what they have, severity, advice), the worst first."""
    learning = [x for x in norms if x.trainable]
    return [
        (
            [x for x in learning if x.momentum >= 1],
            "momentum 1: its statistics never move",
            "problem",
            "Keras's momentum is the share that stays: 0.9 or 0.99.",
        ),
        (
            [x for x in norms if not x.trainable and _at_start(x)],
            "been frozen at its start: it normalises nothing",
            "problem",
            "Set its trainable=True, or load weights before you freeze it.",
        ),
        (
            [x for x in learning if x.momentum <= 0],
            "momentum 0: only the last batch counts",
            "warning",
            "Set momentum to 0.9 or 0.99.",
        ),
        (
            [x for x in learning if steps and x.momentum ** (10 * steps) > 0.5],
            f"momentum too near to 1 for {steps} steps an epoch",
            "warning",
            "Set momentum to 0.9: validation lags far behind training till then.",
        ),
        (
            learning if batch_size < 8 else [],
            f"to take its statistics from batches of {batch_size}",
            "warning",
            "Use 8 or more a batch, freeze it if pretrained, or GroupNormalization.",
        ),
    ]


def equal_layers(model):
    """Whether layers have equal kernels: they compute the same, as one layer would.

    An initialiser with a seed gives the same numbers at each call, so layers that share it start
    alike. A warning. Kernels of one value throughout are `audit_initialization`'s.

    Args:
        model: `keras.Model`, with nested ones or not.

    Returns:
        `Finding`.

    >>> start = keras.initializers.GlorotUniform(seed=0)
    >>> layers = [keras.layers.Dense(4, kernel_initializer=start, name=f"d{i}") for i in range(2)]
    >>> equal_layers(keras.Sequential([keras.Input((4,)), *layers])).message
    "Layers 'd0' and 'd1' have the same kernel."
    """
    check, seen, pairs = "equal layers", {}, []
    for layer in {id(x): x for x in _graph.leaves(model)}.values():
        for weight in layer.weights:
            kernel = keras.ops.convert_to_numpy(weight)
            if kernel.ndim > 1 and kernel.size > 1 and np.ptp(kernel) > 0:
                first = seen.setdefault((kernel.shape, kernel.tobytes()), layer.name)
                pairs += [(first, layer.name)] if first != layer.name else []
    if not pairs:
        return Finding(check, "fine", "No two kernels are equal.")
    message = f"Layers {pairs[0][0]!r} and {pairs[0][1]!r} have the same kernel"
    message += f", and {len(pairs) - 1} more." if len(pairs) > 1 else "."
    advice = "Give each layer an initialiser of its own: a seed makes all calls of one equal."
    return Finding(check, "warning", message, advice)


def unreached_layers(before, after):
    """Whether training moves every layer: some steps change each kernel that is trained.

    A problem where a kernel is the same to the bit: no gradient reaches it, because a layer stops
    it, all its units are dead, or the loss does not depend on it.

    Args:
        before, after: dicts, name of a kernel: array, its values before and after some steps of an
            optimiser without weight decay.

    Returns:
        `Finding`.

    >>> before, after = {"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2), "b": np.zeros(2)}
    >>> unreached_layers(before, after).message
    "1 of 2 kernels does not change in training: 'a'."
    """
    check = "unreached layers"
    if not before:
        return Finding(check, "skipped", "No kernel is trained.")
    still = [name for name in before if np.array_equal(before[name], after[name])]
    if not still:
        return Finding(check, "fine", f"All {len(before)} kernels change in training.")
    named = ", ".join(map(repr, still[:3])) + (", ..." if len(still) > 3 else "")
    message = (
        f"{len(still)} of {len(before)} kernels do{'es' * (len(still) == 1)} not change in "
        f"training: {named}."
    )
    advice = "Look for dead ReLUs, stop_gradient, or outputs that no loss is computed of."
    return Finding(check, "problem", message, advice)


def optimizer_fits(model):
    """Whether the optimiser trains what is trainable now.

    Keras ignores `trainable` of layers that is changed after the first `fit`, until the model is
    compiled again. A problem where the optimiser was built for another number of weights; one
    without state (plain SGD) does not show it.

    Args:
        model: compiled `keras.Model`.

    Returns:
        `Finding`.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> _ = model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    >>> model.layers[0].trainable = False
    >>> optimizer_fits(model).severity
    'problem'
    """
    check, optimizer = "optimiser", model.optimizer
    if not getattr(optimizer, "built", False):
        return Finding(check, "fine", "It will be built with the first step.")
    anew = type(optimizer).from_config(optimizer.get_config())
    anew.build(model.trainable_variables)
    if len(anew.variables) == len(optimizer.variables):
        return Finding(check, "fine", "It trains what is trainable.")
    message = (
        f"It was built for other layers than the {len(model.trainable_variables)} weights that are "
        "trainable now: the change has no effect yet."
    )
    return Finding(check, "problem", message, "Compile the model again after changing trainable.")


def kernels(model):
    """{path: array} of the kernels that are trained."""
    found = (v for v in model.trainable_variables if len(v.shape) > 1)
    return {v.path: np.array(keras.ops.convert_to_numpy(v)) for v in found}


def trained_layers(model):
    """Whether each layer with a kernel is trained, first layer first."""
    layers = {id(x): x for x in _graph.leaves(model)}.values()
    with_kernel = [x for x in layers if any(len(w.shape) > 1 for w in x.weights)]
    return [any(len(w.shape) > 1 for w in x.trainable_weights) for x in with_kernel]


def frozen_vectors(model):
    """Biases, offsets and moving means of the layers with weights of which none is trained."""
    frozen = [x for x in _graph.leaves(model) if x.weights and not x.trainable_weights]
    weights = itertools.chain.from_iterable(x.weights for x in frozen)
    names = ("bias", "beta", "moving_mean")
    return [keras.ops.convert_to_numpy(w) for w in weights if w.name in names]


def is_from_scratch(model):
    """Whether nothing trained before is in the weights: biases, offsets and means are all 0."""
    names = ("bias", "beta", "moving_mean")
    return not any(np.any(keras.ops.convert_to_numpy(w)) for w in model.weights if w.name in names)


def _at_start(norm):
    mean, variance = map(keras.ops.convert_to_numpy, (norm.moving_mean, norm.moving_variance))
    return not mean.any() and bool((variance == 1).all())
