"""Statistics of batch normalisation that belong to the weights a model has now."""

import itertools

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn._graph import leaves

__all__ = ["batch_count", "has_batch_norm", "recalibrate_batch_norm", "refuse_endless"]

_BATCH = 32  # samples, as in `fit`


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
            inputs, or a tuple that begins with them. An array of inputs, or a tuple of arrays that
            begins with it, is cut into batches of 32, as `fit` does.
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
    statistics = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    means = [0.0] * len(statistics)
    momenta = [layer.momentum for layer in layers]
    step = _training_call(model)
    count = 0
    try:
        for layer in layers:
            layer.momentum = 0.0  # the moving statistics are those of the batch
        for batch in itertools.islice(_batches(data), steps):
            step(batch[0] if isinstance(batch, tuple | list) else batch)
            count += 1
            for i, variable in enumerate(statistics):
                value = keras.ops.convert_to_numpy(variable).astype(np.float64)
                means[i] += (value - means[i]) / count
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum
    if not count:
        raise InputError("data has no batches, so batch normalisation cannot be estimated.")
    for variable, mean in zip(statistics, means):
        variable.assign(mean)
    return count


def _training_call(model):
    """function (inputs), compiled where Keras would compile it and its state can change inside."""

    def call(inputs):
        model(inputs, training=True)

    if keras.backend.backend() != "tensorflow" or model.run_eagerly:
        return call
    import tensorflow as tf

    return tf.function(call, autograph=False, reduce_retracing=True)


def batch_count(data):
    """How many batches there are, or None where that is not known or there is no end.

    >>> batch_count([1, 2]), batch_count(iter([1, 2]))
    (2, None)
    """
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches
    if _holds_arrays(data):
        return len(list(_batches(data)))
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
    if _holds_arrays(data):
        inputs = data[0] if isinstance(data, tuple) else data
        return (inputs[i : i + _BATCH] for i in range(0, len(inputs), _BATCH))
    return iter(data)


def _holds_arrays(data):
    """Whether it is an array of samples, or (inputs, targets) as `fit` takes them."""
    return hasattr(data, "shape") or (isinstance(data, tuple) and hasattr(data[0], "shape"))


def _layers(model):
    kind = keras.layers.BatchNormalization
    return [layer for layer in leaves(model) if isinstance(layer, kind) and layer.trainable]
