"""Training on joined batches is training on large ones."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.callbacks import BatchSizeGrowth

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


def test_it_grows_epoch_by_epoch():
    updates = []

    class Count(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            updates.append(int(self.model.optimizer.iterations))

    callbacks = [BatchSizeGrowth([1, 3], factor=3), Count()]
    compiled().fit({"x": X}, Y, batch_size=4, epochs=5, callbacks=callbacks, verbose=0)
    assert np.diff([0, *updates]).tolist() == [11, 4, 4, 2, 2]


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
