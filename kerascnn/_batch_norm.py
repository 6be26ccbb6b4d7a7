"""Statistics of batch normalisation that belong to the weights a model has now."""

import itertools

import keras

from kerascnn._errors import InputError
from kerascnn._graph import leaves

__all__ = ["batch_count", "has_batch_norm", "recalibrate_batch_norm", "refuse_endless"]


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
        steps: int, how many batches, or None for all; data without an end needs it.

    Returns:
        int, the number of batches used.

    Raises:
        InputError: there was no batch, or the data has no end and `steps` is None.

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
    >>> recalibrate_batch_norm(model, [np.array([[1.0], [3.0]]), np.array([[5.0], [7.0]])])
    2
    >>> [float(v[0]) for v in model.layers[0].non_trainable_variables]
    [4.0, 1.0]
    """
    refuse_endless(data, steps)
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


def batch_count(data):
    """How many batches there are, or None where that is not known or there is no end.

    >>> batch_count([1, 2]), batch_count(iter([1, 2]))
    (2, None)
    """
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches
    try:
        return len(data)
    except TypeError:  # a generator, or a tf.data.Dataset of unknown size
        return None


def refuse_endless(data, steps):
    """Data that is known to have no end needs a number of steps."""
    if steps is not None:
        return
    if isinstance(data, keras.utils.PyDataset):
        is_endless = data.num_batches is None
    else:  # a tf.data.Dataset says -1
        is_endless = hasattr(data, "cardinality") and int(data.cardinality()) == -1
    if is_endless:
        raise InputError(
            "data has no end, so pass steps (in fit: steps_per_epoch), how many batches to use."
        )


def _batches(data):
    if isinstance(data, keras.utils.PyDataset):  # iterating over one would not end
        count = data.num_batches
        return (data[i] for i in (itertools.count() if count is None else range(count)))
    return iter(data)


def _layers(model):
    kind = keras.layers.BatchNormalization
    return [layer for layer in leaves(model) if isinstance(layer, kind) and layer.trainable]
