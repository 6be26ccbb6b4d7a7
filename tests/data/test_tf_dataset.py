"""A `tf.data.Dataset` is augmented alike in every run and otherwise in every pass."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerascnn import InputError
from kerascnn.augment import ColorJitter, RandomAffine
from kerascnn.data import augment_dataset, from_arrays

IMAGES = np.random.default_rng(0).integers(256, size=(40, 8, 8, 3), dtype="uint8")
LABELS = np.arange(40)


def layers():
    return RandomAffine("horizontal", rotation=30), ColorJitter()


def made(images=IMAGES, batch=8, seed=0):
    rows = tf.data.Dataset.from_tensor_slices((images, LABELS))
    return augment_dataset(rows.batch(batch) if batch else rows, *layers(), seed=seed)


def read(dataset):
    return [np.concatenate(part) for part in zip(*dataset.as_numpy_iterator())]


def test_runs_repeat_and_passes_differ():
    first, second = made(), made()
    passes = [read(first) for _ in range(3)]
    for (images, labels), (again, _) in zip(passes, [read(second) for _ in range(3)]):
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(labels, LABELS)
    kinds = [IMAGES, *(images for images, _ in passes), read(made(seed=1))[0]]
    for i, one in enumerate(kinds):
        for other in kinds[:i]:
            assert (one != other).any(axis=(1, 2, 3)).mean() > 0.9


def test_single_images_and_images_without_labels():
    dataset = made(batch=None)
    images, labels = zip(*dataset.as_numpy_iterator())
    assert images[0].shape == (8, 8, 3) and images[0].dtype == np.uint8
    assert (np.stack(images) != IMAGES).any(axis=(1, 2, 3)).all()
    alone = augment_dataset(tf.data.Dataset.from_tensor_slices(IMAGES).batch(8), *layers())
    assert alone.element_spec.shape.as_list() == [None, 8, 8, 3]
    assert sum(len(images) for images in alone) == 40


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_floats_keep_their_dtype(dtype):
    images, _ = read(made(IMAGES.astype(dtype)))
    assert images.dtype == dtype
    uint8, _ = read(made())
    assert np.abs(images.astype("float32") - uint8).mean() < 1


def test_a_list_of_layers_is_as_the_layers():
    rows = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(8)
    np.testing.assert_array_equal(read(augment_dataset(rows, list(layers())))[0], read(made())[0])


ROWS = {"image": IMAGES, "label": LABELS}


@pytest.mark.parametrize(
    ("given", "layer", "said"),
    [
        (IMAGES, keras.layers.RandomFlip(), "draw for each image. Received: RandomFlip"),
        (IMAGES, "light", "Received: 'light'"),
        (ROWS, RandomAffine(), "tuples that begin with them.*Received: {'image': TensorSpec"),
        (LABELS, RandomAffine(), "Received: TensorSpec"),
    ],
)
def test_what_does_not_fit_is_one_sentence(given, layer, said):
    with pytest.raises(InputError, match=said) as error:
        augment_dataset(tf.data.Dataset.from_tensor_slices(given), layer)
    assert "\n" not in str(error.value)


def test_a_split_is_no_tf_dataset():
    with pytest.raises(InputError, match="Received: Split"):
        augment_dataset(from_arrays(IMAGES, LABELS % 2).train, RandomAffine())
