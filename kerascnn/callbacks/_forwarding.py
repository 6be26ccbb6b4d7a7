"""A callback that contains others and calls them."""

import keras

__all__ = ["Forwarding"]


class Forwarding(keras.callbacks.Callback):
    """Passes every call on to `callbacks`, in their order.

    >>> stop = keras.callbacks.EarlyStopping("loss")
    >>> _ = Forwarding([stop]).on_train_begin()
    >>> stop.wait
    0
    """

    def __init__(self, callbacks):
        super().__init__()
        self.callbacks = list(callbacks)

    def _forward(self, hook, *args):
        for callback in self.callbacks:
            getattr(callback, hook)(*args)

    def set_params(self, params):
        super().set_params(params)
        self._forward("set_params", params)

    def set_model(self, model):
        super().set_model(model)
        self._forward("set_model", model)

    def on_train_begin(self, logs=None):
        self._forward("on_train_begin", logs)

    def on_train_end(self, logs=None):
        self._forward("on_train_end", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._forward("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._forward("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._forward("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._forward("on_train_batch_end", batch, logs)

    def on_test_begin(self, logs=None):
        self._forward("on_test_begin", logs)

    def on_test_end(self, logs=None):
        self._forward("on_test_end", logs)

    def on_test_batch_begin(self, batch, logs=None):
        self._forward("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        self._forward("on_test_batch_end", batch, logs)

    def on_predict_begin(self, logs=None):
        self._forward("on_predict_begin", logs)

    def on_predict_end(self, logs=None):
        self._forward("on_predict_end", logs)

    def on_predict_batch_begin(self, batch, logs=None):
        self._forward("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch, logs=None):
        self._forward("on_predict_batch_end", batch, logs)
