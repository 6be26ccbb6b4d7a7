"""A penalty on the kernels that begins late in the training."""

import keras

from kerascnn._errors import InputError, whole
from kerascnn._kernels import kernels
from kerascnn.callbacks._values import refuse_unbuilt

__all__ = ["LatePenalty"]


class LatePenalty(keras.callbacks.Callback):
    """Adds a penalty on the kernels, never on biases or normalisation, from an epoch on.

    L1 towards the end of training sets small weights to about zero when the others have found their
    place. Penalties that the kernels have already stay beside it. `val_loss` has it too, as it has
    Keras's own. The steps are traced anew once, in the epoch in which it begins. After `fit` the
    kernels have the penalties of before; after one that was interrupted, call `on_train_end()`, or
    give the next one this callback too.

    Source: Srivastava et al. 2014, JMLR 15, Table 9, "L2 + L1 applied towards the end of training";
    when and how strong is not printed.

    Args:
        start_epoch: int >= 0. The first epoch with the penalty, counted from 0 as in `fit`.
        regularizer: a `keras.regularizers.Regularizer` or its name.

    Raises:
        InputError: `start_epoch` is no such int, or there is no such regulariser; from `fit`, the
            penalty begins before the first batch of a model that is not built.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = keras.ops.ones((4, 2))
    >>> callbacks = [LatePenalty(1, keras.regularizers.L1(100.0))]
    >>> history = model.fit(x, x[:, :1], epochs=2, callbacks=callbacks, verbose=0)
    >>> history.history["loss"][1] > history.history["loss"][0]
    True
    """

    def __init__(self, start_epoch, regularizer="l1"):
        super().__init__()
        self._start_epoch = whole(start_epoch, "start_epoch", 0)
        try:
            self._regularizer = keras.regularizers.get(regularizer)
        except ValueError as error:
            raise InputError(f"There is no regulariser {regularizer!r}.") from error
        if self._regularizer is None:
            raise InputError('regularizer must be one, such as "l1". Received: None.')
        self._on = False

    def get_state(self):
        """Nothing for `Resume` to keep: the epoch says whether the penalty is on."""
        return {}

    def set_state(self, state):
        pass

    def on_train_begin(self, logs=None):
        self._take_away()  # a `fit` that was interrupted had no end

    def on_epoch_begin(self, epoch, logs=None):
        if epoch >= self._start_epoch and not self._on:
            refuse_unbuilt(self.model)
            self._on = True
            for kernel in kernels(self.model).values():
                kernel.regularizer = _Late(self._regularizer, kernel.regularizer)
            self._trace_anew()

    def on_train_end(self, logs=None):
        self._take_away()

    def _take_away(self):
        """Of every late penalty, so that one made anew does not add to one left by another."""
        late = [k for k in kernels(self.model).values() if isinstance(k.regularizer, _Late)]
        for kernel in late:
            while isinstance(kernel.regularizer, _Late):
                kernel.regularizer = kernel.regularizer.own
        if late:
            self._trace_anew()
        self._on = False

    def _trace_anew(self):
        self.model.make_train_function(force=True)
        self.model.make_test_function(force=True)


class _Late:
    """A late penalty, and the kernel's own under it, or None."""

    def __init__(self, late, own):
        self.late, self.own = late, own

    def __call__(self, kernel):
        late = self.late(kernel)
        return late if self.own is None else self.own(kernel) + late
