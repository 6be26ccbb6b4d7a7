"""One process, several devices: the same model on each, one part of the batch for each."""

import contextlib
import functools
import logging

import keras

from kerascnn._errors import InputError

__all__ = ["mirrored", "synchronized"]

_log = logging.getLogger("kerascnn")


@contextlib.contextmanager
def mirrored(devices=None):
    """Within `with mirrored():` models are built and trained on all devices of this machine.

    The devices are its GPUs, or the logical devices of its CPU. TensorFlow's `MirroredStrategy` or
    Keras's `DataParallel` on JAX computes on each a part of the batch and adds up the gradients;
    with `shard(data)` the weights are those of one device up to rounding. Build, compile and fit
    within the block. Batch normalisation is over the global batch on JAX; on TensorFlow after
    `synchronized(model)`.

    Args:
        devices: list of strs, e.g. `["gpu:0", "gpu:1"]`, or None: all.

    Yields:
        int: the number of devices.

    Raises:
        InputError: there is no such device, or a distribution is in force already.

    >>> with mirrored(["cpu:0"]) as count:
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> count
    1
    """
    names = _checked(devices)
    if len(names) == 1:
        _log.warning("Mirroring changes nothing: %s is the only device.", names[0])
        yield 1
        return
    if keras.backend.backend() == "tensorflow":
        with _strategy(tuple(names)).scope():
            yield len(names)
        return
    parallel = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
    with parallel.scope():
        yield len(names)


def synchronized(model):
    """Let batch normalisation of `model` take its statistics over the global batch.

    TensorFlow's replicas each normalise their part of the batch unless `synchronized` is set, which
    Keras's builders do not do: with 8 photos a device their statistics are as noisy as those of
    batches of 8. Frozen layers use stored statistics and need nothing. JAX does it anyway. Call it
    before `fit`.

    Args:
        model: `keras.Model`; layers of models within it count too.

    Returns:
        `model`.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.BatchNormalization()])
    >>> synchronized(model).layers[0].synchronized
    True
    """
    if keras.backend.backend() == "tensorflow":
        for layer in _all_layers(model):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
    return model


@functools.cache  # of two at once TensorFlow 2.21 mixes up the sums
def _strategy(names):
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(list(names))


def _all_layers(model):
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _all_layers(layer)


def _checked(devices):
    there = keras.distribution.list_devices()
    wanted = there if devices is None else [str(name).lower() for name in devices]
    missing = [name for name in wanted if name not in there]
    if missing or not wanted:
        raise InputError(
            f"There is no device {', '.join(map(repr, missing))}. There are: {', '.join(there)}."
        )
    return wanted
