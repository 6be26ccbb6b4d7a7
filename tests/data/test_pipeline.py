"""What `fit` sees is a function of (seed, epoch) alone; reading is a copy of what was decoded."""

import contextlib
import copy
import functools
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from kerascnn import InputError
from kerascnn.data import (
    Decoder,
    Photo,
    Split,
    cache_folder,
    decode_file,
    from_arrays,
    from_directory,
    load_manifest,
)
from kerascnn.data.pipeline import StoredPixels


class Recorder(keras.layers.Layer):
    """Notes the number of every image that passes: image i is full of i."""

    def __init__(self):
        super().__init__()
        self.training, self.testing = [], []

    def call(self, x, training=False):
        with contextlib.suppress(Exception):  # while the model is built there are no numbers
            numbers = keras.ops.convert_to_numpy(x)[:, 0, 0, 0].astype(int).tolist()
            (self.training if training else self.testing).append(numbers)
        return x


def recorder():
    layer = Recorder()
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Sequential([keras.Input((2, 2, 1)), layer, keras.layers.Flatten(), dense])
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    return model, layer


def numbered(count=50, **options):
    images = np.arange(count, dtype="uint8")[:, None, None].repeat(2, 1).repeat(2, 2)
    return from_arrays(images, [0, 1] * (count // 2), batch_size=8, **options)


def numbers(split, epoch):
    """The batches of image numbers that epoch must show."""
    values = [int(path.removeprefix("array/")) for path in split.paths]
    order = [values[i] for i in split.order(epoch)]
    return [order[i : i + 8] for i in range(0, len(order), 8)]


# --- order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_fit_sees_the_order_of_each_epoch(workers):
    data = numbered()
    data.train.workers = workers
    model, seen = recorder()
    options = {"validation_data": data.validation, "shuffle": False, "verbose": 0}
    model.fit(data.train, epochs=3, **options)
    train = data.train
    assert seen.training == numbers(train, 0) + numbers(train, 1) + numbers(train, 2)
    assert seen.testing == 3 * numbers(data.validation, 0)
    assert train.epoch == 3
    model.fit(train, epochs=1, **options)
    assert seen.training[-6:] == numbers(train, 3) and train.epoch == 4
    model.evaluate(data.test, verbose=0), model.predict(data.test, verbose=0)
    assert train.epoch == 4


def test_the_weights_do_not_depend_on_who_reads(make_folder):
    """Photos from disk, turned over at random: the same after three epochs to the bit."""

    def trained(workers):
        keras.utils.set_random_seed(0)
        dense = keras.layers.Dense(2, activation="softmax")
        model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), dense])
        model.compile(keras.optimizers.SGD(1e-4), "sparse_categorical_crossentropy")
        train = from_directory(folder, 8, batch_size=4).train
        train = train.augment(keras.layers.RandomFlip())
        train.workers, train.max_queue_size = workers, 4
        model.fit(train, epochs=3, shuffle=False, verbose=0)
        return [*model.get_weights(), train.epoch]

    folder = make_folder({"cat": 20, "dog": 20})
    alone = trained(workers=1)
    for together in (trained(workers=4), trained(workers=4)):
        for mine, other in zip(together, alone, strict=True):
            np.testing.assert_array_equal(mine, other)
    assert alone[-1] == 3


def test_a_tf_data_chain_reads_the_same_in_parallel():
    import tensorflow as tf

    split = numbered(250).train

    def batches(epoch):
        def read(index):
            read_one = functools.partial(split.batch, epoch)
            return tf.numpy_function(read_one, [index], (tf.float32, tf.int64))

        indices = tf.data.Dataset.range(split.num_batches)
        return indices.map(read, num_parallel_calls=4).prefetch(2).as_numpy_iterator()

    for epoch in range(3):
        for (images, labels), (wanted, truth) in zip(
            batches(epoch), [split.batch(epoch, i) for i in range(split.num_batches)], strict=True
        ):
            np.testing.assert_array_equal(images, wanted)
            np.testing.assert_array_equal(labels, truth)


def test_a_run_continues_where_another_process_would_be():
    data = numbered()
    data.train.epoch = 2
    model, seen = recorder()
    model.fit(data.train, initial_epoch=2, epochs=4, shuffle=False, verbose=0)
    assert seen.training == numbers(numbered().train, 2) + numbers(numbered().train, 3)


def test_a_run_that_was_interrupted_repeats_its_epoch():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    data = numbered(250)  # more batches than TensorFlow reads ahead
    model, seen = recorder()
    with pytest.raises(KeyboardInterrupt):
        model.fit(data.train, epochs=2, shuffle=False, verbose=0, callbacks=[Stop()])
    assert data.train.epoch == 0
    seen.training.clear()
    model.fit(data.train, epochs=1, shuffle=False, verbose=0)
    assert seen.training == numbers(data.train, 0)


def test_what_workers_read_before_keras_says_that_an_epoch_begins_counts():
    """Keras starts the workers first."""
    train = numbered().train
    for epoch in range(3):
        train[0], train.on_epoch_begin()
        for index in range(1, train.num_batches):
            train[index]
        train.on_epoch_end()
        assert train.epoch == epoch + 1


def test_only_whole_epochs_count():
    split = numbered().train

    def read(*batches):
        for i in batches:
            split[i]

    split.on_epoch_end()  # as Keras does before the first epoch
    assert split.epoch == 0
    split.on_epoch_begin(), read(0), split.on_epoch_end()  # as JAX does to build the model
    assert split.epoch == 0
    split.on_epoch_begin(), read(3, 1, 0, 2, 5, 4), split.on_epoch_end(), split.on_epoch_end()
    assert split.epoch == 1
    split.on_epoch_begin(), read(0, 1, 2, 3, 4), split.on_epoch_begin(), split.on_epoch_end()
    assert split.epoch == 1


def test_every_epoch_is_another_order_of_all_photos():
    split = numbered().train
    orders = [split.order(epoch).tolist() for epoch in range(20)]
    assert len({tuple(order) for order in orders}) == 20
    assert all(sorted(order) == list(range(42)) for order in orders)
    assert numbered(seed=1).train.order(0).tolist() != orders[0]
    assert numbered().train.order(np.int64(7)).tolist() == orders[7]
    assert split.order(7).tolist() == orders[7]  # whatever was asked before


def test_validation_and_test_are_not_shuffled():
    data = numbered()
    for split in (data.validation, data.test):
        for epoch in (0, 5):
            assert split.order(epoch).tolist() == list(range(split.num_photos))


def fitted():
    """What two epochs show, with the backend's name."""
    data = numbered()
    model, seen = recorder()
    model.fit(data.train, validation_data=data.validation, epochs=2, shuffle=False, verbose=0)
    return [keras.backend.backend(), seen.training, seen.testing]


@pytest.mark.slow
def test_the_same_on_jax():
    run = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == ["jax", *fitted()[1:]]


# --- batches ---------------------------------------------------------------------------------


def test_batches():
    split = numbered().train
    assert split.num_batches == 6 and split.num_photos == 42
    batches = list(split)
    assert [len(labels) for _, labels in batches] == [8, 8, 8, 8, 8, 2]
    for images, labels in batches:
        assert images.dtype == np.float32 and images.shape[1:] == (2, 2, 1)
        np.testing.assert_array_equal(images[:, 0, 0, 0] % 2, labels)
        assert labels.dtype == np.int64
    for wrong in (6, -1):
        with pytest.raises(IndexError, match="Batches are numbered 0 to 5"):
            split[wrong]
    assert split.epoch == 0  # only what fit reads counts


def test_a_batch_is_a_function_of_epoch_and_index():
    split = numbered().train
    first = split.batch(3, 2)
    split.epoch = 3
    np.testing.assert_array_equal(split[2][0], first[0])
    split.epoch = 0
    np.testing.assert_array_equal(split.batch(3, 2)[0], first[0])
    first[0][:] = 0  # a copy: nothing else changes
    assert split.batch(3, 2)[0].any()


def test_photos_and_labels_are_chosen_alike():
    split = numbered().train
    every = split.images(range(split.num_photos))
    is_second = split.labels == 1
    assert 0 < is_second.sum() < split.num_photos
    for chosen in (is_second, slice(3, 9), [4, -1], np.array([7, 7])):
        np.testing.assert_array_equal(split.images(chosen), every[chosen])
        np.testing.assert_array_equal(split.targets(chosen), split.labels[chosen])


def test_photos_may_move_between_splits():
    data = numbered()
    moved = data.test.paths[0]
    other = data.with_splits({moved: "train"})
    assert sorted(other.train.paths) == sorted([*data.train.paths, moved])
    assert other.test.paths == data.test.paths[1:]
    assert other.validation.paths == data.validation.paths
    with pytest.raises(InputError, match="Unknown split 'val'. Possible: train, validation, test"):
        data.with_splits({moved: "val"})
    with pytest.raises(InputError, match="2 of the 3 paths are of no photo.*'array/50'"):
        data.with_splits({moved: "train", "array/50": "test", "array/51": "test"})


def test_one_hot():
    ints, vectors = numbered().train[1], numbered(one_hot=True).train[1]
    np.testing.assert_array_equal(vectors[1].argmax(1), ints[1])
    assert vectors[1].dtype == np.float32 and vectors[1].sum() == 8
    np.testing.assert_array_equal(vectors[0], ints[0])


def test_the_fingerprint_is_of_what_decides_the_batches():
    def of(**options):
        return numbered(**options).train.fingerprint()

    assert of() == of() and json.loads(json.dumps(of())) == of()
    assert json.dumps(of(seed=np.int64(1))) == json.dumps(of(seed=1))
    for change in ({"seed": 1}, {"one_hot": True}, {"splits": (0.7, 0.2, 0.1)}, {"count": 48}):
        assert of(**change) != of()
    assert numbered().train.fingerprint() != numbered().test.fingerprint()
    relabelled = numbered().train
    relabelled.labels[0] = 1 - relabelled.labels[0]
    assert relabelled.fingerprint()["photos_sha256"] != of()["photos_sha256"]


def test_the_manifest_names_every_photo():
    split = numbered().train
    assert len(split.manifest()) == 42
    assert split.manifest()[split.digests[3]] == [split.paths[3], str(split.labels[3])]


def test_class_weights_are_scikit_learns_balanced_ones():
    images = np.random.default_rng(0).integers(256, size=(100, 4, 4), dtype="uint8")
    labels = np.repeat([0, 1, 2], [70, 25, 5])
    split = from_arrays(images, labels, splits=["train"] * 100).train
    weights = split.class_weight()
    oracle = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert weights == pytest.approx(dict(enumerate(oracle)))
    assert sum(weights[label] for label in labels) == pytest.approx(100)
    empty = from_arrays(images, labels, splits=["train"] * 95 + ["test"] * 5).train.class_weight()
    assert empty[2] == pytest.approx(95 / 3)  # none of it: as if there were one


def test_class_weights_and_fit_belong_together():
    data = numbered()
    model, seen = recorder()
    weights = data.train.class_weight()
    model.fit(data.train, class_weight=weights, shuffle=False, verbose=0)
    assert seen.training == numbers(data.train, 0)


def test_an_empty_split():
    data = numbered(splits=(1, 0, 0))
    assert data.test.num_batches == 0 and list(data.test) == []
    assert data.test.images([]).shape == (0, 2, 2, 1)


# --- photos on disk --------------------------------------------------------------------------


@pytest.fixture
def folder(make_folder):
    return make_folder({"cat": 10, "dog": 10})


def test_photos_are_what_the_decoder_makes_of_their_files(folder):
    data = from_directory(folder, (7, 9), batch_size=4)
    for split in (data.train, data.validation, data.test):
        images = split.images(range(split.num_photos))
        for i, (path, image) in enumerate(zip(split.paths, images)):
            np.testing.assert_array_equal(image, decode_file(folder / path, (7, 9)))
            assert data.class_names[split.labels[i]] == path.split("/")[0]
    files = [folder / path for path in data.test.paths]
    np.testing.assert_array_equal(data.read_photos(files), data.test.images([0, 1]))
    np.testing.assert_array_equal(data.read_photos(files[1]), data.test.images([1]))
    assert data.read_photos([]).shape == (0, 7, 9, 3) == (0, *data.image_shape)
    with pytest.raises(InputError, match="Expected paths of image files.*Received: ndarray"):
        data.read_photos(data.test.images([0, 1]))
    data.save_manifest(folder.parent / "m.csv")
    assert load_manifest(folder.parent / "m.csv") == data.inventory.photos


def test_a_cache_that_is_deleted_meanwhile(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    data = from_directory(folder.name, 8)
    monkeypatch.chdir("/")
    before = data.train[0]
    for harm in (shutil.rmtree, lambda cache: next(cache.rglob("keys.bin")).unlink()):
        harm(cache_folder())
        np.testing.assert_array_equal(data.train[0][0], before[0])
    shutil.rmtree(cache_folder())
    path = folder / data.train.paths[0]
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match=f"{path} was changed meanwhile. Read the folder again."):
        data.train.images([0])
    path.unlink()
    with pytest.raises(InputError, match=f"Cannot read {path}: No such file or directory."):
        data.train.images([0])
    assert data.train.images([1]).shape == (1, 8, 8, 3)


def test_copies_of_a_split_read_on_their_own(folder):
    for split in (from_directory(folder, 8).train, numbered().train):
        for twin in (copy.deepcopy(split), pickle.loads(pickle.dumps(split))):
            np.testing.assert_array_equal(twin[0][0], split[0][0])
            assert twin.epoch == split.epoch == 0


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_reading_takes_no_memory(tmp_path):
    """60 MB of photos, read three times, stay on disk."""
    pixels = StoredPixels(Decoder(224))
    digests = [f"{i:064}" for i in range(400)]
    for start in range(0, 400, 50):
        values = np.full((50, 224, 224, 3), start // 2, "uint8")
        pixels.store.append(digests[start : start + 50], values)
    photos = [Photo(f"a/{i}", digest, "a", "train") for i, digest in enumerate(digests)]
    split = Split(pixels, photos, ["a"], Decoder(224), shuffle=True)
    split[0]
    before = resident_bytes()
    for _ in range(3):
        for _ in split:
            pass
        split.on_epoch_end()
    assert resident_bytes() - before < 30_000_000


if __name__ == "__main__":
    print(json.dumps(fitted()))
