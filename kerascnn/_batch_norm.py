"""Statistics of batch normalisation that belong to the weights a model has now."""

import itertools

import keras

from kerascnn._errors import InputError
from kerascnn._graph import leaves

__all__ = ["has_batch_norm", "recalibrate_batch_norm"]


def has_batch_norm(model):
    """Whether the model has a batch normalisation whose statistics follow the data.

    >>> has_batch_norm(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    False
    """
    return bool(_layers(model))


def recalibrate_batch_norm(model, data, steps=None):
    """Estimate the statistics of every batch normalisation anew, in place.

    Weights that were averaged or pruned have other activations than the statistics are of. The
    mean over all batches of their means and variances replaces them; nothing else changes but the
    seeds of layers that draw. Frozen layers keep theirs.

    Source: Izmailov et al. 2018, arXiv:1803.05407, Sec. 3.2. Differs: equal weights for batches (as
    PyTorch's `update_bn`), so a smaller last batch counts as much as the others.

    Args:
        model: `keras.Model`.
        data: batches: a `keras.utils.PyDataset` such as `data.train`, or an iterable; each is the
            inputs, or a tuple that begins with them.
        steps: int, how many batches, or None for all.

    Returns:
        int, the number of batches used.

    Raises:
        InputError: there was no batch.

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
    >>> recalibrate_batch_norm(model, [np.array([[1.0], [3.0]]), np.array([[5.0], [7.0]])])
    2
    >>> [float(v[0]) for v in model.layers[0].non_trainable_variables]
    [4.0, 1.0]
    """
    layers = _layers(model)
    momenta = [layer.momentum for layer in layers]
    count = 0
    try:
        for batch in itertools.islice(_batches(data), steps):
            for layer in layers:
                layer.momentum = count / (count + 1)  # so the moving mean is the mean
            model(batch[0] if isinstance(batch, tuple | list) else batch, training=True)
            count += 1
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum
    if not count:
        raise InputError("data has no batches, so batch normalisation cannot be estimated.")
    return count


def _batches(data):
    if isinstance(data, keras.utils.PyDataset):  # iterating over one would not end
        return (data[index] for index in range(data.num_batches))
    return iter(data)


def _layers(model):
    kind = keras.layers.BatchNormalization
    return [layer for layer in leaves(model) if isinstance(layer, kind) and layer.trainable]
