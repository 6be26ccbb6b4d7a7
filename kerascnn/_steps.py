"""Training steps that TensorFlow can forget."""

import keras


def releasable(model):
    """Let the memory of a model be freed when the model is gone: for many models in one process.

    In every training step Keras 3.15 sums the gradients over the replicas, one replica included,
    and TensorFlow 2.21 keeps the gradient of that sum, and with it the traced step and the model's
    graph, as long as the process lives: tens of megabytes for each model that is trained. Here the
    step runs outside the replica, where nothing is summed and nothing kept; the results are the
    same to the bit. With a `tf.distribute` strategy, with
    mixed_float16's loss scaling, and on JAX, nothing changes.

    `finetune` does this itself. What little remains, Keras's `clear_session()` frees; Keras Tuner
    calls it before each trial, so call this at the end of `build`.

    Args:
        model: `keras.Model`, before its first `fit`.

    Returns:
        `model`.

    >>> import kerascnn as kc
    >>> model = kc.releasable(kc.models.LeNet5())
    >>> model.compile("sgd", "mse")
    """
    if keras.backend.backend() == "tensorflow":
        model.train_step = _outside_replicas(model, model.train_step)
    return model


def _outside_replicas(model, step):
    import tensorflow as tf

    def train_step(data):
        context = tf.distribute.get_replica_context()  # None: it runs outside already
        scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        if context is None or tf.distribute.has_strategy() or scaled:
            return step(data)
        return context.merge_call(lambda strategy: step(data))

    return train_step
