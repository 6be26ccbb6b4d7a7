"""The batches of a stage are a function of (seed, epoch), and its fit keeps the best epoch."""

import keras
import numpy as np
import pytest

from kerascnn import data
from kerascnn.transfer import _training
from kerascnn.transfer._training import Batches, class_weight, fit, predict

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def parts(counts=(40, 30)):
    """Photos of 2x2 whose values tell their class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = (
        np.random.default_rng(0).integers(0, 60, (len(labels), 2, 2, 1))
        + 90 * labels[:, None, None, None]
    )
    return data.from_arrays(images.astype(np.uint8), labels)


def rows_of(batches):
    return np.concatenate([batches[i][0] for i in range(batches.num_batches)])


def recorded(split, **options):
    """Batches whose inputs are the row numbers themselves."""
    return Batches(lambda rows: rows, split, **options)


def test_an_epoch_reads_each_photo_once_in_one_of_its_views():
    split = parts().train
    batches = recorded(split, views=3, seed=7, batch_size=16)
    rows = rows_of(batches)
    assert batches.num_batches == 4 and [len(batches[i][0]) for i in range(4)] == [16, 16, 16, 8]
    assert sorted(rows % 56) == list(range(56)) and set(rows // 56) == {0, 1, 2}
    labels = np.concatenate([batches[i][1] for i in range(4)])
    np.testing.assert_array_equal(labels, np.eye(2)[split.labels[rows % 56]])
    assert labels.dtype == np.float32


def test_order_and_views_are_a_function_of_seed_and_epoch():
    split = parts().train
    first, second, other = (recorded(split, views=2, seed=seed) for seed in (7, 7, 8))
    rows_of(second)  # what was read before does not matter
    for batches in (first, second):
        batches.epoch = 1
    np.testing.assert_array_equal(rows_of(first), rows_of(second))
    before, after, seed8 = rows_of(recorded(split, views=2, seed=7)), rows_of(first), rows_of(other)
    for rows in (after, seed8):
        assert (rows % 56).tolist() != (before % 56).tolist()  # another order
        assert set(rows[rows >= 56] % 56) != set(before[before >= 56] % 56)  # others mirrored


def test_held_out_photos_are_read_in_order_as_they_are():
    batches = recorded(parts().validation)
    for _ in range(2):
        assert rows_of(batches).tolist() == list(range(7))
        batches.epoch += 1


def test_augmentation_is_a_function_of_seed_epoch_and_photo():
    images = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3)).astype(np.uint8)
    split = data.from_arrays(images, [0, 1] * 30).train
    read = photos(split)

    def epoch(number, size, magnitude=15):
        """{photo: its pixels} of an epoch in batches of `size`."""
        batches = Batches(read, split, 1, 7, None, size, magnitude)
        batches.epoch = number
        pixels = np.concatenate([batches[i][0] for i in range(batches.num_batches)])
        assert pixels.dtype == np.float32 and pixels.min() >= 0 and pixels.max() <= 255
        return dict(zip(batches.rows(number).tolist(), pixels))

    first, other, next_epoch, plain = epoch(0, 8), epoch(0, 32), epoch(1, 8), epoch(0, 8, 0)
    assert all(np.array_equal(first[i], other[i]) for i in first)
    changed = np.mean([not np.array_equal(first[i], plain[i]) for i in first])
    assert changed > 0.7  # two of fourteen operations; one is the identity
    assert np.mean([not np.array_equal(first[i], next_epoch[i]) for i in first]) > 0.7
    np.testing.assert_array_equal(np.stack([plain[i] for i in range(48)]), read(np.arange(48)))


def test_class_weights_are_sample_weights():
    split = parts((60, 10)).train
    weight = class_weight("balanced", split)
    batches = recorded(split, seed=0, class_weight=weight)
    photos, targets, weights = (
        np.concatenate(p) for p in zip(*map(batches.__getitem__, range(batches.num_batches)))
    )
    for number in (0, 1):  # each class weighs as much as the other
        assert abs(weights[targets[:, number] == 1].sum() - len(photos) / 2) < 1e-3


@pytest.mark.parametrize(
    ("counts", "choice", "weighted"),
    [
        ((50, 50), "auto", False), ((80, 10), "auto", False), ((120, 10), "auto", True),
        ((50, 40), "balanced", True), ((120, 10), None, False),
    ],
)  # fmt: skip
def test_when_classes_are_weighted(counts, choice, weighted):
    assert (class_weight(choice, parts(counts).train) is not None) == weighted


def classifier(seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((2, 2, 1))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Dense(8, "relu")(keras.layers.Flatten()(x))
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))


def photos(split):
    return lambda rows: split.images(rows).astype(np.float32)


def fitted(rate=0.05, epochs=4, seed=0):
    sets = parts()
    lines, model = [], classifier()
    batches = Batches(photos(sets.train), sets.train, seed=seed)
    held = Batches(photos(sets.validation), sets.validation)
    return model, held, fit(model, batches, held, rate, epochs, lines.append), lines


def test_keras_reads_each_epoch_as_its_own():
    """Keras reads ahead; what it reads ahead must not belong to another epoch."""
    split, read = parts().train, []
    images = photos(split)

    def reader(rows):
        read.append((batches.epoch, rows.tolist()))
        return images(rows)

    batches = Batches(reader, split, seed=3, batch_size=16)
    fit(classifier(), batches, Batches(images, parts().test), 0.01, 3, lambda line: None)
    for epoch in range(3):
        expected = batches.rows(epoch)
        seen = [rows for when, rows in read if when == epoch]
        chunks = [expected[i : i + 16].tolist() for i in range(0, 56, 16)]
        # Before the first epoch Keras reads two batches more to learn their shapes.
        assert seen[-4:] == chunks and all(rows in chunks for rows in seen)


def test_fit_learns_and_its_history_is_what_keras_measured():
    model, held, history, lines = fitted()
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    for column in _training.COLUMNS:
        assert all(np.isfinite(row[column]) for row in history)
    assert history[-1]["loss"] < history[0]["loss"]
    assert len(lines) == 4 and lines[0].startswith("epoch 1/4: accuracy ")
    labels = held._targets.argmax(axis=1)
    accuracy = (predict(model, held).argmax(axis=1) == labels).mean()
    best = min(history, key=lambda row: row["val_loss"])
    assert accuracy == pytest.approx(best["val_accuracy"])


def test_rate_warms_up_for_an_epoch_and_falls_along_a_cosine():
    *_, history, _ = fitted(rate=0.01, epochs=5)
    rates = [row["learning_rate"] for row in history]
    share = [0.02 + 0.98 * (1 + np.cos(np.pi * i / 4)) / 2 for i in range(5)]
    np.testing.assert_allclose(rates, 0.01 * np.array(share), rtol=1e-5)


def test_the_best_epoch_stays_and_patience_ends_the_rest():
    """A rate so high that it gets worse: the weights are those of the lowest validation loss."""
    model, held, history, _ = fitted(rate=3.0, epochs=12)
    losses = [row["val_loss"] for row in history]
    assert len(history) == min(12, int(np.argmin(losses)) + 1 + 4)
    assert np.argmin(losses) < len(losses) - 1
    assert model.evaluate(held, verbose=0)[0] == pytest.approx(min(losses), rel=1e-5)


def test_without_held_out_photos_all_epochs_are_trained():
    split, model = parts().train, classifier()
    nothing = data.from_arrays(split.images(range(8)), [0, 1] * 4, splits=(1, 0, 0)).test
    batches, held = Batches(photos(split), split, seed=0), Batches(photos(nothing), nothing)
    history = fit(model, batches, held, 0.01, 6, lambda line: None)
    assert len(history) == 6 and history[0]["val_loss"] is None
    assert predict(model, held).shape == (0, 2)


def test_the_same_seed_gives_the_same_weights():
    first, again, other = (fitted(seed=seed)[0].get_weights() for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other))


def test_the_only_step_of_an_epoch_trains():
    split = parts((12, 12)).train
    batches, model = Batches(photos(split), split, seed=0), classifier()
    assert batches.num_batches == 1
    before = model.get_weights()
    fit(model, batches, Batches(photos(split), parts((2, 2)).test), 0.05, 1, lambda line: None)
    assert any((old != new).any() for old, new in zip(before, model.get_weights()))
