"""Uncompiled copies of a model; weights into it, and into what its layers keep beside them."""

import contextlib

import keras


def clone(model, *args, **options):
    """As `keras.models.clone_model`, but not compiled.

    Keras compiles the copy of a compiled model from what it saves, and fails where that cannot be
    saved: of a loss or metric of a user's own that is not registered.
    """
    with contextlib.ExitStack() as stack:
        for one in _models(model):
            stack.callback(setattr, one, "compiled", one.compiled)
            one.compiled = False
        return keras.models.clone_model(model, *args, **options)


def loss_weights(model):
    """The argument of `compile`, which Keras tells only together with losses that can be saved."""
    compiled = getattr(model, "_compile_config", None)
    return compiled and compiled.config.get("loss_weights")


def _models(model):
    """The model and those in it."""
    yield model
    for layer in getattr(model, "layers", ()):
        if isinstance(layer, keras.Model):
            yield from _models(layer)


def set_weights(model, values):
    """As `model.set_weights(values)`, and the model then computes with them.

    In Keras 3.15 `Normalization` computes with constants that it makes of its mean and variance
    when it is adapted, built or loaded; `set_weights` alone leaves them as they were.

    Args:
        model: built `keras.Model` or layer.
        values: list of arrays, those of `get_weights()`.

    >>> import numpy as np
    >>> x = np.array([[1.0], [3.0]], "float32")
    >>> adapted = keras.layers.Normalization()
    >>> adapted.adapt(x)
    >>> model = keras.Sequential([keras.Input((1,)), adapted])
    >>> copy = keras.models.clone_model(model)
    >>> set_weights(copy, model.get_weights())
    >>> np.ravel(copy(x)).tolist()
    [-1.0, 1.0]
    """
    model.set_weights(values)
    finalize(model)


def finalize(layer):
    """Lets a layer, or all those of a model, compute with the weights that they have."""
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()
    for inner in getattr(layer, "layers", ()):
        finalize(inner)
    if isinstance(layer, keras.layers.Wrapper):
        finalize(layer.layer)
