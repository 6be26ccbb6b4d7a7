"""Trains the last layers first, then more of them."""

import keras

from kerascnn._errors import InputError, in_order, one_of, whole
from kerascnn._graph import leaves
from kerascnn.callbacks._values import fresh_optimizer, refuse_unbuilt, slot_names

__all__ = ["GradualUnfreezing"]

_FROZEN = "_frozen_for_now"  # on a layer that is frozen here, and not by the user


class GradualUnfreezing(keras.callbacks.Callback):
    """Freezes all layers before the first boundary, then moves on to the next one every few epochs.

    Batch normalisation before the first boundary stays frozen for good. Layers that you froze
    stay so too. The optimiser goes on with what it has learnt about the layers that train already.
    After `fit` the layers stay as in the last phase; a further `fit` with this callback unfreezes
    what the one before did not reach.

    Adam's bias correction counts the steps of the run, not those of a layer: layers that begin late
    take steps that are too long, with its default betas up to 6.5 times (at the 10th) and still 1.3
    times at the 1,000th. If that harms, compile with `kc.optimizers.layer_rates(model, optimizer,
    groups=...)`, a group for each phase: each counts its own steps.

    Source: Howard and Ruder 2018, arXiv:1801.06146, Sec. 3.3 (one more layer an epoch). Differs:
    the boundaries are yours; a convolutional network has too many layers for one each.

    Args:
        boundaries: list of names of layers of the model, from its end to its beginning: the first
            layer that trains, in each phase. None as the last one stands for all layers.
        every_epochs: int >= 1, length of each phase; the last one goes on.

    Raises:
        InputError: an argument is outside its range; from `fit`, the model is not built, there is
            no such layer, or the boundaries do not go towards the beginning.

    >>> layers = [keras.layers.Dense(1, name=name) for name in ("first", "second", "third")]
    >>> model = keras.Sequential([keras.Input((1,)), *layers])
    >>> model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    >>> x = keras.ops.ones((4, 1))
    >>> _ = model.fit(x, x, epochs=2, verbose=0, callbacks=[GradualUnfreezing(["third", "second"])])
    >>> [layer.trainable for layer in model.layers]
    [False, True, True]
    """

    def __init__(self, boundaries, every_epochs=1):
        super().__init__()
        boundaries = in_order(boundaries, "boundaries")
        if not boundaries or None in boundaries[:-1]:
            raise InputError(
                "boundaries must be names of layers, None at most at their end. Received: "
                f"{boundaries!r}."
            )
        self.boundaries = boundaries
        self.every_epochs = whole(every_epochs, "every_epochs", 1)

    def get_state(self):
        return {"phase": self._phase}

    def set_state(self, state):
        self._enter(state["phase"])

    def set_model(self, model):
        super().set_model(model)
        for layer in model.layers:
            for part in _parts(layer):
                if getattr(part, _FROZEN, False):  # by an earlier `fit`
                    _train(part, True)

    def on_train_begin(self, logs=None):
        refuse_unbuilt(self.model)
        names = [layer.name for layer in self.model.layers]
        self._starts = [
            0 if name is None else names.index(one_of(name, names, "layer"))
            for name in self.boundaries
        ]
        if sorted(self._starts, reverse=True) != self._starts:
            raise InputError(
                "boundaries must go from the model's end to its beginning. Received: "
                f"{self.boundaries}."
            )
        trunk = {id(x) for layer in self.model.layers[: self._starts[0]] for x in _parts(layer)}
        self._layers = [  # (place, layer) of all that will train at some time
            (place, part)
            for place, layer in enumerate(self.model.layers)
            for part in _parts(layer)
            if part.trainable
            and not (isinstance(part, keras.layers.BatchNormalization) and id(part) in trunk)
        ]
        for layer in self.model.layers[: self._starts[0]]:
            for part in _parts(layer):
                if part.trainable:
                    _train(part, False)
        self._phase = None
        self._enter(0)

    def on_epoch_begin(self, epoch, logs=None):
        self._enter(min(epoch // self.every_epochs, len(self._starts) - 1))

    def _enter(self, phase):
        if phase == self._phase:
            return
        self._phase = phase
        for place, layer in self._layers:
            _train(layer, place >= self._starts[phase])
        _rebuild_optimizer(self.model)


def _parts(layer):
    """The layer, or those of a nested model."""
    return list(leaves(layer)) if isinstance(layer, keras.Model) else [layer]


def _train(layer, trainable):
    layer.trainable = trainable
    setattr(layer, _FROZEN, not trainable)


def _rebuild_optimizer(model):
    """An optimiser of the weights that train now, with what the old one knows of them."""
    old, new = model.optimizer, fresh_optimizer(model)
    known = dict(zip(slot_names(old.variables, model, old), old.variables))
    for name, variable in zip(slot_names(new.variables, model, new), new.variables):
        if name in known:
            variable.assign(keras.ops.copy(known[name]))  # else JAX deletes the old one
    model.optimizer = new
    model.make_train_function(force=True)
