"""Weights into a model, and into what its layers keep beside them."""

import keras


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
