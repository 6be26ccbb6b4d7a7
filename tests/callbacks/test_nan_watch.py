"""A training that became NaN ends in that step, names the layer and leaves good weights."""

import keras
import numpy as np
import pytest

from kerascnn import InputError, NonFiniteError
from kerascnn.callbacks import NaNWatch, Resume, nan_watch
from kerascnn.data import from_arrays

LOSS = "sparse_categorical_crossentropy"


@pytest.fixture(scope="module")
def data():
    images = np.random.default_rng(0).integers(256, size=(64, 12, 12, 3), dtype="uint8")
    return from_arrays(images, [0, 1] * 32, batch_size=8).train


def network(rate=0.01, loss=LOSS, scaled=True, activation="softmax", **options):
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Conv2D(4, 3, name="conv1"),
        keras.layers.BatchNormalization(name="bn"),
        keras.layers.ReLU(),
        keras.layers.Conv2D(4, 3, activation="relu", name="conv2"),
        keras.layers.Flatten(),
        keras.layers.Dense(2, activation=activation, name="out"),
    ]
    scale = [keras.layers.Rescaling(1 / 127.5, -1)] if scaled else []
    model = keras.Sequential([keras.Input((12, 12, 3)), *scale, *layers])
    model.compile(keras.optimizers.SGD(rate, **options), loss)
    return model


def log_of_zero(labels, predictions):
    return keras.ops.log(0.0 * predictions[:, 0])


class Counter(keras.callbacks.Callback):
    """The weights at the beginning of the epoch, and the steps since."""

    def on_epoch_begin(self, epoch, logs=None):
        self.begin, self.steps = self.model.get_weights(), 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1


class Spoiled(keras.utils.PyDataset):
    """Batches of which number `bad` holds a NaN."""

    num_batches = 3

    def __init__(self, data, bad):
        super().__init__()
        self.source, self.bad = data, bad

    def batch(self, epoch, index):
        images, labels = self.source.batch(epoch, index)
        images[0, 0, 0, 0] = np.nan if index == self.bad else 0
        return images, labels

    def __getitem__(self, index):
        return self.batch(0, index)


def failure(model, data, *callbacks, watch=None):
    """The error of a training that fails, and its `Counter`."""
    counter, data.epoch = Counter(), 0
    callbacks = [counter, watch or NaNWatch(data), *callbacks]
    with pytest.raises(NonFiniteError) as caught:
        model.fit(data, epochs=3, callbacks=callbacks, shuffle=False, verbose=0)
    return str(caught.value), counter


CASES = {
    "a layer overflows": (
        {"rate": 1e20, "activation": None},
        ["'conv2' is the first whose output is not finite", "learning rate than 1e+20, e.g. 1e+19"],
        ["Rescaling", "logarithms"],
    ),
    "weights overflow": (
        {"rate": 1e12},
        ["'conv2'", "'sequential/conv1/kernel' is the first of", "global_clipnorm"],
        ["Rescaling", "logarithms"],
    ),
    "nothing scales": (
        {"rate": 1e12, "scaled": False, "clipnorm": 1e30},
        ["Rescaling(1 / 127.5, -1) as first layer: inputs reach 255"],
        ["global_clipnorm"],
    ),
    "the loss": (
        {"loss": log_of_zero},
        ["The loss is infinite in epoch 1, step 1", "every output is finite", "logarithms"],
        [],
    ),
}


@pytest.mark.parametrize("options, told, untold", CASES.values(), ids=CASES)
def test_the_cause_is_named(data, options, told, untold):
    keras.utils.clear_session()
    model = network(**options)
    message, counter = failure(model, data)
    assert all(text in message for text in told), message
    assert not any(text in message for text in untold), message
    for weight, good in zip(model.get_weights(), counter.begin):
        np.testing.assert_array_equal(weight, good)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_bad_batch_is_named_in_its_step(data, bad):
    spoiled = Spoiled(data, bad)
    message, counter = failure(network(), spoiled)
    assert f"epoch 1, step {bad + 1}: the images of the batch hold NaN" in message
    assert counter.steps == bad + 1 and "learning rate" not in message


def test_without_the_data_the_weights_tell(data):
    keras.utils.clear_session()
    message, _ = failure(network(1e12), data, watch=NaNWatch())
    assert "'sequential/conv1/kernel' is the first of" in message


class Poison(keras.callbacks.Callback):
    """Spoils a weight before step `step` of the first epoch."""

    def __init__(self, layer, name, step):
        super().__init__()
        self.layer, self.name, self.step = layer, name, step

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.step:
            weight = getattr(self.model.get_layer(self.layer), self.name)
            weight.assign(np.full(weight.shape, np.nan, np.float32))


@pytest.mark.parametrize("every_steps", [1, 3, 100])
def test_moving_statistics_are_looked_at_in_every_step(data, every_steps):
    """Training's loss never sees them."""
    watch = NaNWatch(data, every_steps)
    message, counter = failure(network(), data, Poison("bn", "moving_mean", 1), watch=watch)
    assert "A weight is NaN or infinite in epoch 1, step 2" in message
    assert "bn/moving_mean" in message and counter.steps == 2


def test_a_step_copies_nothing(data, monkeypatch):
    """The first step's begin and the epoch's end do."""
    copies, copied = [], nan_watch.copied
    monkeypatch.setattr(nan_watch, "copied", lambda x: copies.append(len(x)) or copied(x))
    data.epoch, counter = 0, Counter()
    network().fit(data, callbacks=[NaNWatch(data), counter], shuffle=False, verbose=0)
    assert counter.steps > 5 and len(copies) == 2


@pytest.mark.parametrize("layer, name", [("conv1", "kernel"), ("out", "bias")])
def test_a_bad_weight_stops_within_a_step(data, layer, name):
    message, counter = failure(network(), data, Poison(layer, name, 2))
    assert counter.steps == 3 and "in epoch 1, step 3" in message


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("steps, told", [(4, "step 4"), (100, "step 7")])
def test_a_weight_that_no_loss_sees(data, steps, told):
    """It waits for the next look: after so many steps, or at the end of the epoch, of 7 here."""
    inputs = keras.Input((12, 12, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs / 255)
    unused = keras.layers.Dense(1, name="unused")(pooled)
    output = keras.layers.Dense(2, activation="softmax")(pooled)
    model = keras.Model(inputs, [output, unused])
    model.compile("sgd", [LOSS, None])
    message, _ = failure(model, data, Poison("unused", "kernel", 1), watch=NaNWatch(data, steps))
    assert f"A weight is NaN or infinite in epoch 1, {told}" in message
    assert "unused/kernel" in message
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.thorough
def test_the_bad_step_is_found_again(data):
    """A rate that jumps in the fourth step; the last look was before the first."""
    keras.utils.clear_session()
    messages = []
    for every_steps in (1, 100):
        model = network()
        rate = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.01, 1e12])
        model.compile(keras.optimizers.SGD(rate, momentum=0.9), LOSS)
        message, _ = failure(model, data, watch=NaNWatch(data, every_steps))
        messages.append(message.replace("sequential_1", "sequential"))
        assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert messages[0] == messages[1] and "'conv2'" in messages[0]
    assert int(model.optimizer.iterations) == 0


def test_a_model_that_is_not_built_yet(data):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(1e15), "mse")
    message, counter = failure(model, data)
    assert "'dense" in message and counter.steps > 1


def test_a_healthy_training_is_left_alone(data):
    runs = []
    for callbacks in ([], [NaNWatch(data)]):
        model, data.epoch = network(), 0
        model.fit(data, epochs=2, callbacks=callbacks, shuffle=False, verbose=0)
        runs.append(model.get_weights())
    for plain, watched in zip(*runs):
        np.testing.assert_array_equal(plain, watched)


def test_in_resume_the_checkpoint_comes_back(data, tmp_path):
    """Two good epochs, then a rate that breaks it."""

    class Break(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.good = [np.array(v) for v in self.model.optimizer.variables]
                self.weights = self.model.get_weights()
                self.model.optimizer.learning_rate = 1e12

    model, breaks = network(momentum=0.9), Break()
    resume = Resume(tmp_path, data, [NaNWatch(data), breaks])
    with pytest.raises(NonFiniteError, match=r"The model is as it was after 1 epoch"):
        model.fit(resume.data, epochs=3, callbacks=[resume], shuffle=False, verbose=0)
    for variable, good in zip(model.optimizer.variables, breaks.good):
        np.testing.assert_array_equal(variable, good)
    for weight, good in zip(model.get_weights(), breaks.weights):
        np.testing.assert_array_equal(weight, good)
    assert Resume(tmp_path, data).initial_epoch == 1


def test_a_checkpoint_holds_the_weights_once(data, tmp_path):
    sizes = []
    for name, callbacks in (("without", []), ("with", [NaNWatch(data)])):
        resume = Resume(tmp_path / name, data, callbacks, every=3)
        model = network()
        model.fit(resume.data, callbacks=[resume], shuffle=False, verbose=0)
        (last,) = (tmp_path / name).glob("epoch-0001*")
        sizes.append(last.stat().st_size)
    assert sizes[1] - sizes[0] < 500


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data")
@pytest.mark.parametrize("resumed", [False, True])
def test_data_that_cannot_be_asked_for_a_batch(tmp_path, resumed):
    """A `tf.data.Dataset` has a `batch` too, which is something else."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((np.ones((9, 2)), np.ones(9))).batch(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="last")])
    model.compile(keras.optimizers.SGD(1e30), "mse")
    callback, told = NaNWatch(data), "The loss is infinite in epoch 1, step 2"
    if resumed:
        callback, told = Resume(tmp_path, callbacks=[callback]), "There is no checkpoint yet"
    with pytest.raises(NonFiniteError, match=told):
        model.fit(data, callbacks=[callback], shuffle=False, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("every_steps", [0, -1, 1.5, "epoch"])
def test_bad_arguments(every_steps):
    with pytest.raises(InputError, match="every_steps must be an int >= 1"):
        NaNWatch(every_steps=every_steps)
