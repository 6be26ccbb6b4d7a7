"""Short trainings of a copy: the model itself stays as it is."""

import keras
import numpy as np

from kerascnn._kernels import with_handle
from kerascnn._state import clone, loss_weights, set_weights


class Trial:
    """A copy of a compiled model that trains, each time from the same start.

    Nothing random or regularising is in the copy: dropout, noise and augmentation work as they do
    without training, and penalties are left out. Batch normalisation works as in training.

    Args:
        model: compiled functional or Sequential `keras.Model`.
        optimizer: `keras.optimizers.Optimizer` with a number as its rate.

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="out")])
    >>> model.compile("sgd", "mse")
    >>> trial = Trial(model, keras.optimizers.SGD())
    >>> losses = trial.losses([(np.ones((4, 1)), np.zeros(4))], rate=0.1, steps=50)
    >>> losses[-1] < 0.01 * losses[0]
    True
    """

    def __init__(self, model, optimizer):
        self.model = _still_copy(model)
        self.model.compile(
            optimizer,
            loss=model.loss,
            loss_weights=loss_weights(model),
            jit_compile=keras.backend.backend() == "jax",
        )
        optimizer.build(self.model.trainable_variables)
        self._variables = [*self.model.variables, *optimizer.variables]
        self._start = [np.array(keras.ops.convert_to_numpy(v)) for v in self._variables]

    def first_loss(self, batch):
        """The loss of a training step on a batch, without penalties."""
        self._begin_anew()
        x, y, weights = batch
        values = [[v.value for v in part] for part in self._parts()]
        y_pred, _ = self.model.stateless_call(*values, x, training=True)
        return self.loss(x, y, y_pred, weights)

    def loss(self, x, y, y_pred, weights=None):
        """The loss of predictions, a float."""
        parts = [keras.tree.map_structure(_tensor, part) for part in (x, y, y_pred, weights)]
        return float(self.model.compute_loss(*parts))

    def losses(self, batches, rate, steps, enough=-np.inf):
        """The loss before each step, on each batch in turn, until it is infinite or `enough`."""
        self._begin_anew()
        self.model.optimizer.learning_rate = rate
        losses = []
        while len(losses) < steps and (not losses or enough < losses[-1] < np.inf):
            self.model.reset_metrics()  # of which the loss is the mean
            batch = batches[len(losses) % len(batches)]
            losses.append(float(self.model.train_on_batch(*batch, return_dict=True)["loss"]))
        return losses

    def _begin_anew(self):
        for variable, value in zip(self._variables, self._start):
            variable.assign(value)

    def _parts(self):
        return self.model.trainable_variables, self.model.non_trainable_variables


def rate_of(optimizer):
    """The learning rate, of a schedule its highest in 10,000 steps; None if there are several."""
    config = getattr(optimizer, "inner_optimizer", optimizer).get_config()
    rate = config.get("learning_rate")
    if isinstance(rate, dict):
        schedule = keras.optimizers.schedules.deserialize(rate)
        steps = [0, *np.unique(np.geomspace(1, 10_000, 50).astype(int))]
        return max(float(schedule(step)) for step in steps)
    return None if rate is None else float(rate)


def like(optimizer, rate):
    """A new one with the same settings, a constant rate, and no weight decay."""
    if rate is None:
        return keras.optimizers.Adam()
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    config = optimizer.get_config() | {"learning_rate": rate, "gradient_accumulation_steps": None}
    if config.get("weight_decay"):
        config["weight_decay"] = 0.0
    return type(optimizer).from_config(config)


def _still_copy(model):
    copy = clone(model, clone_function=_still, recursive=True)
    set_weights(copy, model.get_weights())
    return copy


def _still(layer):
    config = layer.get_config()
    config |= {name: None for name in config if name.endswith("_regularizer")}
    copy = with_handle(type(layer).from_config(config), layer)
    return Still(copy, name=layer.name) if _draws(layer) else copy


def _draws(layer):
    """Whether the layer draws random numbers and does nothing else that is trained."""
    states = [v for v in layer.variables if v.name == "seed_generator_state"]
    return bool(states) and not layer.weights


class Still(keras.layers.Layer):
    """A layer as it works without training, in training too."""

    def __init__(self, layer, **options):
        super().__init__(**options)
        self.layer = layer

    def build(self, input_shape):
        self.built = True  # the layer has no weights

    def call(self, inputs, **options):
        return self.layer(inputs, **{**options, "training": False})


def _tensor(array):
    return None if array is None else keras.ops.convert_to_tensor(array)
