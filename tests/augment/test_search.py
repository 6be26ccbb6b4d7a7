"""The search repeats itself, and its scores are those of trainings done by hand."""

import keras
import numpy as np
import pytest

from kerascnn import augment, data
from kerascnn._errors import InputError
from kerascnn.augment.search import _best_first


def make_model():
    model = keras.Sequential(
        [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def images():
    """Bright on the left or on the right."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=200)
    photos = rng.integers(0, 60, (200, 12, 12, 3), "uint8")
    for photo, label in zip(photos, labels):
        photo[:, 6 * label : 6 * label + 6] += 150
    return data.from_arrays(photos, labels)


def test_the_best_comes_first_and_the_same_seed_repeats(images, capsys):
    found = augment.search_policy(make_model, images, trials=3, epochs=2)
    scores = [record["score"] for record in found]
    assert scores == sorted(scores, reverse=True)
    pairs = [(record["num_ops"], record["magnitude"]) for record in found]
    assert len(set(pairs)) == 3 and (0, 0) in pairs
    assert len(capsys.readouterr().out.splitlines()) == 3
    of_numpy = {"trials": np.int64(3), "epochs": np.int32(2), "seed": np.int64(0)}
    again = augment.search_policy(make_model, images, **of_numpy)
    assert [record["score"] for record in again] == scores
    assert [(record["num_ops"], record["magnitude"]) for record in again] == pairs


def test_the_score_is_that_of_a_training_with_the_layer(images):
    found = augment.search_policy(make_model, images, trials=2, epochs=1, metric="loss")
    assert found[0]["score"] < found[1]["score"]  # the smallest loss first
    for record in found:
        keras.utils.set_random_seed(0)
        model = make_model()
        model.fit(images.train.augment(record["layer"]), shuffle=False, verbose=0)
        assert model.evaluate(images.validation, verbose=0)[0] == pytest.approx(record["score"])


def test_without_augmentation_the_photos_are_as_they_are(images):
    (record,) = augment.search_policy(make_model, images, trials=1, epochs=1)
    ours = images.train.augment(record["layer"]).batch(0, 0)[0]
    np.testing.assert_array_equal(ours, images.train.batch(0, 0)[0])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"trials": 0}, "trials"),
        ({"trials": 32}, "trials must be an int from 1 to 31"),
        ({"trials": 2.5}, "trials must be an int >= 1"),
        ({"epochs": 0}, "epochs"),
        ({"trials": 1, "metric": "auc"}, "accuracy"),
    ],
)
def test_bad_values_are_said(images, bad, words):
    with pytest.raises(InputError, match=words):
        augment.search_policy(make_model, images, **{"epochs": 1, **bad})


@pytest.mark.parametrize(("metric", "order"), [("loss", [0.3, 0.5]), ("accuracy", [0.5, 0.3])])
def test_what_diverged_is_last(metric, order):
    for scores in ([np.nan, 0.5, 0.3], [0.5, np.nan, 0.3], [0.3, 0.5, np.nan]):
        found = _best_first([{"score": score} for score in scores], metric)
        assert [one["score"] for one in found[:2]] == order
