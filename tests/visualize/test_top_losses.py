"""Top losses against Keras's loss of each sample, sorted by hand."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.data import from_arrays
from kerascnn.visualize import plot_top_losses, top_losses


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(256, size=(40, 8, 8, 1), dtype="uint8")


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(3, "softmax"),
        ]
    )


def by_hand(model, images, labels):
    probabilities = model.predict(images.astype("float32"), verbose=0)
    losses = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
    return probabilities, keras.ops.convert_to_numpy(losses)


def test_sorted_by_hand(model, images):
    labels = np.arange(40) % 3
    probabilities, losses = by_hand(model, images, labels)
    rows = top_losses(model, (images, labels), count=7)
    order = sorted(range(40), key=lambda i: -losses[i])[:7]
    assert [row.index for row in rows] == order
    np.testing.assert_allclose([row.loss for row in rows], losses[order], rtol=1e-4)
    assert [row.label for row in rows] == [i % 3 for i in order]
    assert [row.predicted for row in rows] == [probabilities[i].argmax() for i in order]
    np.testing.assert_allclose([row.probability for row in rows], probabilities[order].max(axis=1))


def test_a_model_its_probabilities_and_a_split_agree(model, images):
    split = from_arrays(images, np.arange(40) % 3, batch_size=9).train
    rows = top_losses(model, split, count=100)
    assert len(rows) == split.num_photos
    photos = split.images(np.arange(split.num_photos))
    assert repr(rows) == repr(top_losses(model, (photos, split.labels), count=100))
    assert repr(rows) == repr(top_losses(model, [photos, split.labels], count=100))
    probabilities = model.predict(photos.astype("float32"), verbose=0)
    found = top_losses(probabilities, np.eye(3)[split.labels], count=100)
    assert [row.index for row in found] == [row.index for row in rows]
    assert split.epoch == 0  # nothing was read in an order of training


def test_what_is_impossible_has_a_finite_loss():
    (row,) = top_losses([[1.0, 0.0]], [1])
    assert 80 < row.loss < 100


def test_the_photos_are_drawn_with_their_names(model, images, tmp_path):
    split = from_arrays(images, ["a", "b"] * 20).train
    rows = top_losses(np.tile([0.3, 0.7], (split.num_photos, 1)), split, count=3)
    figure = plot_top_losses(rows, split, path=tmp_path / "worst.png")
    assert [axes.get_title() for axes in figure.axes] == ["b 70 %\nis a"] * 3
    np.testing.assert_allclose(
        figure.axes[2].images[0].get_array() * 255, split.images([rows[2].index])[0, ..., 0]
    )
    assert (tmp_path / "worst.png").stat().st_size > 1000


def test_one_sentence_for_what_does_not_fit(model, images):
    with pytest.raises(InputError, match="39 labels"):
        top_losses(model, (images, np.zeros(39, int)))
    with pytest.raises(InputError, match="one class"):
        top_losses(model, (images[:2], [[1, 1, 0], [0, 0, 0]]))
    data = from_arrays(images, np.arange(40) % 3, splits=(1, 0, 0))
    for empty in (data.test, (images[:0], [])):
        with pytest.raises(InputError, match="no samples"):
            top_losses(model, empty)
    for other, kind in ((data, "ImageData"), (data.train.augment(), "Augmented"), ([1], "list")):
        with pytest.raises(InputError, match=f"a Split, .* or a pair.*Received: {kind}"):
            top_losses(model, other)
    with pytest.raises(InputError, match="`count`"):
        top_losses([[0.5, 0.5]], [0], count=0)
    with pytest.raises(InputError, match="no rows"):
        plot_top_losses([], images)
