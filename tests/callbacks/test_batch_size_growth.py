"""Training on joined batches is training on large ones."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import BatchSizeGrowth, LatePenalty

RNG = np.random.default_rng(0)
X = RNG.normal(size=(44, 3)).astype("float32")
Y = (X @ [1.0, -2.0, 0.5])[:, None].astype("float32")
WEIGHTS = RNG.uniform(size=44).astype("float32")


def compiled(**options):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,), name="x")
    model = keras.Model({"x": inputs}, keras.layers.Dense(1)(inputs))
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse", metrics=["mae"], **options)
    return model


def grown(*data, epochs=1, **options):
    model, growth = compiled(), BatchSizeGrowth([1], factor=4)
    history = model.fit(
        *data, batch_size=4, initial_epoch=1, epochs=1 + epochs, callbacks=[growth], shuffle=False,
        verbose=0, **options,
    )  # fmt: skip
    return model, history.history


def plain(*data, epochs=1, **options):
    model = compiled()
    history = model.fit(*data, batch_size=16, epochs=epochs, shuffle=False, verbose=0, **options)
    return model, history.history


@pytest.mark.parametrize(
    "options", [{}, {"sample_weight": WEIGHTS}, {"validation_data": ({"x": X}, Y)}]
)
def test_joined_batches_are_large_batches(options):
    """11 batches: 4 + 4 + 3."""
    joined, found = grown({"x": X}, Y, epochs=3, **options)
    large, expected = plain({"x": X}, Y, epochs=3, **options)
    for a, b in zip(joined.get_weights(), large.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert int(joined.optimizer.iterations) == int(large.optimizer.iterations) == 9
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4)
    assert found["learning_rate"] == [pytest.approx(0.05)] * 3


class Count(keras.callbacks.Callback):
    """Updates in each epoch."""

    def on_train_begin(self, logs=None):
        self.updates, self.before = [], int(self.model.optimizer.iterations)

    def on_epoch_end(self, epoch, logs=None):
        self.updates.append(int(self.model.optimizer.iterations) - self.before)
        self.before += self.updates[-1]


def updates(model, *callbacks, epochs):
    count = Count()
    model.fit(
        {"x": X}, Y, batch_size=4, epochs=epochs, callbacks=[*callbacks, count], verbose=0
    )  # fmt: skip
    return count.updates


def test_it_grows_epoch_by_epoch():
    growth = BatchSizeGrowth([1, 3], factor=3)
    assert updates(compiled(), growth, epochs=5) == [11, 4, 4, 2, 2]


@pytest.mark.parametrize("first", [True, False])
def test_a_callback_that_makes_the_step_anew(first):
    """The penalty stays, and so do the large batches."""
    model, growth = compiled(), BatchSizeGrowth([1], 5)
    model.optimizer.learning_rate = 1e-6
    callbacks = [growth, LatePenalty(2, keras.regularizers.L1(1.0))]
    assert updates(model, *callbacks[:: 1 if first else -1], epochs=5) == [11, 3, 3, 3, 3]
    losses = model.history.history["loss"]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    assert losses[2] > losses[1] + 0.1 and losses[2:] == pytest.approx([losses[2]] * 3, rel=0.01)


class Interrupt(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (1, 2):
            raise KeyboardInterrupt


def test_a_fit_after_one_that_was_interrupted():
    model, growth = compiled(), BatchSizeGrowth([1], 5)
    for callbacks, expected in (
        ([], [11, 11]),
        ([growth], [11, 3]),
        ([BatchSizeGrowth([1], 5)], [11, 3]),
    ):
        with pytest.raises(KeyboardInterrupt):
            updates(model, Interrupt(), growth, epochs=3)
        assert updates(model, *callbacks, epochs=2) == expected


@pytest.mark.filterwarnings("ignore:.*ran out of data:UserWarning")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data")
def test_data_of_unknown_size():
    """7 batches: 5 + 2."""
    import tensorflow as tf

    def batches():
        yield from ((X[i : i + 4], Y[i : i + 4]) for i in range(0, 28, 4))

    kinds = tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))
    data = tf.data.Dataset.from_generator(batches, output_signature=kinds)
    model, large = (keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]) for _ in range(2))
    large.set_weights(model.get_weights())
    for each in (model, large):
        each.compile(keras.optimizers.SGD(0.05), "mse")
    count = Count()
    callbacks = [BatchSizeGrowth([1], 5), count]
    model.fit(data, initial_epoch=1, epochs=4, callbacks=callbacks, shuffle=False, verbose=0)
    assert count.updates == [2, 2, 2]
    large.fit(X[:28], Y[:28], batch_size=20, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), large.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_data_of_kerascnn_and_a_second_fit():
    images = RNG.integers(256, size=(40, 1, 3), dtype="uint8")
    data = kc.data.from_arrays(images, [0, 1] * 20, batch_size=4, splits=["train"] * 40)
    model = keras.Sequential([keras.Input((1, 3, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(2))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for expected in (10 + 5, 2 * 10 + 5):
        model.fit(data.train, epochs=2, callbacks=[BatchSizeGrowth([1], 2)][: expected < 20],
                  verbose=0)  # fmt: skip
    assert int(model.optimizer.iterations) == 15 + 20  # the second one did not grow


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BatchSizeGrowth([3, 2]), "epochs must be rising"),
        (lambda: BatchSizeGrowth([0]), "epochs must be rising ints from 1"),
        (lambda: BatchSizeGrowth([1], 1), "factor must be an int >= 2"),
        (lambda: BatchSizeGrowth([1], 2.5), "factor must be an int >= 2"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(kc.InputError, match=message):
        make()


def test_larger_than_the_data():
    with pytest.raises(kc.InputError, match="grow to 16 times its size, but the data has 11 batch"):
        compiled().fit({"x": X}, Y, batch_size=4, epochs=3, callbacks=[BatchSizeGrowth([1, 2], 4)])


def test_several_steps_at_once_are_refused():
    with pytest.raises(kc.InputError, match="without steps_per_execution=2"):
        compiled(steps_per_execution=2).fit(
            {"x": X}, Y, callbacks=[BatchSizeGrowth([1])], verbose=0
        )


class StopAt(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step, self.seen = step, []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(set(logs))
        self.model.stop_training |= batch == self.step


def test_a_batch_that_waits_has_no_logs_and_an_epoch_that_ends_there_has():
    """The fourth batch of each four trains."""
    model, stop = compiled(), StopAt(5)
    history = model.fit(
        {"x": X}, Y, batch_size=4, initial_epoch=1, epochs=2, verbose=0,
        callbacks=[BatchSizeGrowth([1], 4), stop],
    ).history  # fmt: skip
    assert [bool(names) for names in stop.seen] == [False, False, False, True, False, False]
    assert history.keys() == {"loss", "mae", "learning_rate"} and history["loss"][0] > 0
    assert type(history["mae"][0]) is float


class Traced(keras.Model):
    traces = 0

    def train_step(self, *args):
        Traced.traces += 1
        return super().train_step(*args)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its traces")
def test_one_step_is_traced_for_all_large_sizes():
    """So that a run that continues at a large size computes what one that grew to it computes."""
    inputs = keras.Input((3,))
    model = Traced(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    Traced.traces, options = 0, {"batch_size": 4, "epochs": 4, "initial_epoch": 2, "verbose": 0}
    model.fit(X[:32], Y[:32], callbacks=[BatchSizeGrowth([1, 2, 3], 2)], **options)
    assert Traced.traces == 1
