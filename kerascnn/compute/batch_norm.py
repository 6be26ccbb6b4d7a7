"""Batch normalisation in one operation: where TensorFlow spends much of a training step."""

import keras
from keras import ops

from kerascnn._graph import leaves

__all__ = ["fuse_batch_norm", "is_fused"]


def fuse_batch_norm(model):
    """Let batch normalisation train in one operation instead of a dozen, in place.

    In training Keras 3.15 computes means, variances and the normalised maps by separate operations
    of TensorFlow, each of which reads and writes all maps, in float32 under mixed precision too.
    TensorFlow has one operation for it, on a GPU that of cuDNN. How much faster training steps are
    is measured by recipes/benchmarks/batch_norm.py. Results differ by rounding alone; layers,
    weights and saved files stay what they were. A model that is loaded or cloned is plain again;
    copies by `tune_compute` and `kerascnn.compute.to_precision` are fused.

    Only training changes, and only 4-D maps with their channels last, in up to 32 bits; layers that
    are frozen, synchronised over devices or masked compute as before. With XLA, which fuses by
    itself, nothing is gained; on JAX nothing changes.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, Alg. 1. Differs: no.

    Args:
        model: `keras.Model`, before its first `fit`.

    Returns:
        `model`.

    >>> import kerascnn as kc
    >>> model = kc.fuse_batch_norm(kc.models.CifarResNet20())
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    """
    if keras.backend.backend() == "tensorflow":
        for layer in leaves(model):
            if _is_fusible(layer):
                layer.call = _fused(layer, layer.call)
    return model


def is_fused(model):
    """Whether `fuse_batch_norm` changed any layer.

    >>> is_fused(keras.Sequential([keras.layers.BatchNormalization()]))
    False
    """
    return any(_has_own_call(layer) for layer in leaves(model))


def _has_own_call(layer):
    return isinstance(layer, keras.layers.BatchNormalization) and "call" in vars(layer)


def _is_fusible(layer):
    return (
        type(layer) is keras.layers.BatchNormalization
        and not _has_own_call(layer)
        and not layer.synchronized
        and not getattr(layer, "renorm", False)
        and layer.dtype_policy.variable_dtype == "float32"
    )


def _fused(layer, plain):
    import tensorflow as tf

    def call(inputs, training=None, mask=None):
        last = len(inputs.shape) == 4 and layer.axis in (-1, 3)
        if not (training and layer.trainable and last and mask is None):
            return plain(inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=ops.cast(layer.gamma, "float32") if layer.scale else tf.ones([channels]),
            offset=ops.cast(layer.beta, "float32") if layer.center else tf.zeros([channels]),
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=layer.epsilon,
        )
        number = tf.cast(tf.size(inputs) // channels, "float32")
        variance *= (number - 1) / number  # Keras's running variance is that of the batch itself
        for moving, new in (layer.moving_mean, mean), (layer.moving_variance, variance):
            moving.assign(moving * layer.momentum + new * (1 - layer.momentum))
        return outputs

    return call
