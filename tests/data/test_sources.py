"""Folders and TensorFlow Datasets become the same thing: three splits of decoded photos."""

import importlib.resources.abc
import shutil
import sys
import types

import numpy as np
import pytest
from PIL import Image

from kerascnn import InputError
from kerascnn.data import Decoder, cache_folder, decode_file, from_directory, from_tfds

# --- folders ---------------------------------------------------------------------------------


@pytest.fixture
def folder(make_folder):
    return make_folder({"cat": 10, "dog": 10, "cow": 2})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"image_size": (5, 7)},
        {"image_size": 9, "channels": 1},
        {"image_size": (6, 12), "resize": "pad"},
        {"image_size": (6, 12), "resize": "crop"},
    ],
)
def test_every_photo_is_there_once(options, folder):
    data = from_directory(folder, **options)
    decoder = Decoder(**{"image_size": 224} | options)
    assert data.decoder == decoder and data.image_shape == decoder.shape
    assert data.class_names == ["cat", "cow", "dog"]
    paths = []
    for split in (data.train, data.validation, data.test):
        paths += split.paths
        assert split.decoder == decoder and split.class_names == data.class_names
        for i in range(split.num_photos):
            wanted = decoder((folder / split.paths[i]).read_bytes())
            np.testing.assert_array_equal(split.images([i])[0], wanted)
            assert split.paths[i].startswith(data.class_names[split.labels[i]])
    assert sorted(paths) == sorted(str(p.relative_to(folder)) for p in folder.rglob("*.png"))
    assert (data.train.shuffle, data.validation.shuffle, data.test.shuffle) == (True, False, False)


def test_options_reach_their_places(folder, tmp_path):
    options = {"splits": (0.5, 0.3, 0.2), "seed": 3, "batch_size": 4, "one_hot": True}
    data = from_directory(folder, 8, **options)
    assert [s.num_photos for s in (data.train, data.validation, data.test)] == [12, 6, 4]
    images, labels = data.train[0]
    assert images.shape == (4, 8, 8, 3) and labels.shape == (4, 3) and data.train.seed == 3
    data.save_manifest(tmp_path / "m.csv")
    again = from_directory(folder, 8, manifest=tmp_path / "m.csv")
    assert again.inventory.photos == data.inventory.photos
    (folder / "cat" / "bad.png").write_bytes(b"")
    assert from_directory(folder, 8).findings[0].paths == ["cat/bad.png (empty file)"]
    with pytest.raises(InputError, match="'cat/bad.png' cannot be used: empty file"):
        from_directory(folder, 8, on_error="raise")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"image_size": None}, "image_size must be an int or .* Received: None"),
        ({"image_size": 0}, "image_size must be an int >= 1"),
        ({"channels": 4}, "channels must be 1"),
        ({"resize": "squash"}, "Unknown resize 'squash'"),
        ({"batch_size": 2.5}, "batch_size must be an int >= 1"),
        ({"seed": "0"}, "seed must be an int"),
        ({"splits": 0.2}, "three shares"),
    ],
)
def test_wrong_options(options, sentence, folder):
    with pytest.raises(InputError, match=sentence):
        from_directory(folder, **options)


def test_real_photos(shared_data):
    """The clothing photos as they are given, in train, validation and test folders."""
    root = shared_data("data/clothing")
    data = from_directory(root, 32)
    for split, name in (
        (data.train, "train"),
        (data.validation, "validation"),
        (data.test, "test"),
    ):
        assert all(path.startswith(f"{name}/") for path in split.paths)
    skipped = sum(len(f.paths) for f in data.findings if f.action == "skipped")
    sizes = [data.train.num_photos, data.validation.num_photos, data.test.num_photos]
    assert sum(sizes) + skipped == 1624 + 341 + 372
    splits = [set(s.digests) for s in (data.train, data.validation, data.test)]
    assert not (splits[0] & splits[1] or splits[0] & splits[2] or splits[1] & splits[2])
    image = decode_file(root / data.test.paths[0], 32)
    np.testing.assert_array_equal(data.test.images([0])[0], image)


# --- TensorFlow Datasets ---------------------------------------------------------------------

NAMES = ["zebra", "ant", "mole"]


def pictures(count, seed):
    draw = np.random.default_rng(seed)
    return draw.integers(256, size=(count, 9, 11, 3), dtype="uint8"), draw.integers(3, size=count)


@pytest.fixture
def store_tfds(monkeypatch, tmp_path):
    """`store_tfds(name, {split: (images, labels)})` makes a real data set of TFDS on disk."""
    # TFDS 4.9.10 imports this old name of importlib.resources without asking for it.
    monkeypatch.setitem(sys.modules, "importlib_resources", importlib.resources)
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def store(name, splits, features=None):
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version="1.0.0",
            data_dir=tmp_path / "tfds",
            split_datasets={
                split: tf.data.Dataset.from_tensor_slices({"image": images, "label": labels})
                for split, (images, labels) in splits.items()
            },
            features=tfds.features.FeaturesDict(
                features
                or {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=NAMES),
                }
            ),
            disable_shuffling=True,
        )
        return tmp_path / "tfds"

    return store


def test_a_tfds_data_set(store_tfds):
    given = {"train": pictures(60, 0), "test": pictures(9, 1)}
    folder = store_tfds("tiny_photos", given)
    data = from_tfds("tiny_photos", (9, 11), data_dir=folder)
    assert data.class_names == NAMES and data.findings == []
    assert data.test.num_photos == 9 and data.validation.num_photos >= 3
    assert data.train.num_photos + data.validation.num_photos == 60
    for split in (data.train, data.validation, data.test):
        for i, path in enumerate(split.paths):
            _, part, number = path.split("/")
            assert part == ("test" if split is data.test else "train")
            np.testing.assert_array_equal(split.images([i])[0], given[part][0][int(number)])
            assert split.labels[i] == given[part][1][int(number)]
    small = from_tfds(
        "tiny_photos:1.0.0", 4, channels=1, one_hot=True, batch_size=5, data_dir=folder
    )
    assert small.train[0][0].shape == (5, 4, 4, 1) and small.train[0][1].shape == (5, 3)


def test_a_tfds_data_set_is_fetched_and_decoded_once(store_tfds, monkeypatch):
    import tensorflow_datasets as tfds

    folder = store_tfds("tiny_photos", {"train": pictures(20, 0)})
    first = from_tfds("tiny_photos", 8, data_dir=folder)
    monkeypatch.setattr(Decoder, "decode", lambda self, data: pytest.fail("decoded again"))
    builder = type(tfds.builder("tiny_photos", data_dir=folder))
    monkeypatch.setattr(builder, "download_and_prepare", lambda self: pytest.fail("fetched again"))
    again = from_tfds("tiny_photos", 8, data_dir=folder)
    assert again.inventory == first.inventory
    for path in cache_folder().rglob("keys.bin"):
        path.unlink()
    with pytest.raises(InputError, match="cached photos of this data set were deleted meanwhile"):
        again.train[0]


def test_only_what_is_missing_of_a_tfds_data_set_needs_room(store_tfds, monkeypatch):
    images, labels = pictures(30, 0)
    folder = store_tfds("part", {"train": (images[:20], labels[:20])})
    store_tfds("whole", {"train": (images, labels)})
    from_tfds("part", 8, data_dir=folder)
    usage = types.SimpleNamespace(free=10 * 8 * 8 * 3 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="^10 photos decoded to 8 x 8 x 3 would take 1.92kB in"):
        from_tfds("whole", 8, data_dir=folder)
    usage.free += 1
    assert len(from_tfds("whole", 8, data_dir=folder).inventory.photos) == 30


def test_real_photos_from_tfds_are_those_of_their_folder(shared_data, store_tfds, tmp_path):
    """A builder that was never prepared is; files keep their bytes, so all else is the same."""
    import tensorflow_datasets as tfds

    names = ["hat", "pants", "shoes"]
    for name in names:
        (tmp_path / "photos" / name).mkdir(parents=True)
        for file in sorted((shared_data("data/clothing/train") / name).iterdir())[:30]:
            (tmp_path / "photos" / name / file.name).symlink_to(file)

    class FewClothes(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            label = tfds.features.ClassLabel(names=names)
            features = {"image": tfds.features.Image(encoding_format="jpeg"), "label": label}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for file in sorted((tmp_path / "photos").glob("*/*")):
                yield file.name, {"image": str(file), "label": file.parent.name}

    data = from_tfds("few_clothes", 64, data_dir=tmp_path / "tfds")
    same = from_directory(tmp_path / "photos", 64)
    assert data.class_names == same.class_names == names
    assert [s.num_photos for s in (data.train, data.validation, data.test)] == [72, 9, 9]
    for ours, theirs in ((data.train, same.train), (data.validation, same.validation)):
        labels = dict(zip(theirs.digests, theirs.labels))
        assert dict(zip(ours.digests, ours.labels)) == labels
        order = [theirs.digests.index(digest) for digest in ours.digests]
        np.testing.assert_array_equal(ours.images(range(9)), theirs.images(order[:9]))
    assert len(list(cache_folder().glob("pixels-*"))) == 1  # one store for both


def test_leaks_contradictions_and_untrained_classes_of_a_tfds_data_set(store_tfds):
    images, labels = pictures(40, 0)
    labels = np.arange(40) % 2  # no mole in training
    held, held_labels = pictures(6, 1)
    held_labels = np.array([0, 1, 0, 1, 2, 2])
    held[0] = images[0]  # a leak
    images[3] = images[2]  # a contradiction
    splits = {"train": (images, labels), "validation": (held, held_labels)}
    data = from_tfds("leaky", 8, data_dir=store_tfds("leaky", splits))
    assert data.class_names == ["zebra", "ant"]
    assert data.validation.num_photos == 4 and data.test.num_photos == 4
    assert data.train.num_photos == 40 - 1 - 2 - 4
    assert {(f.problem, f.action): f.paths for f in data.findings} == {
        ("also in a held-out split", "skipped"): ["tfds:leaky/train/0"],
        ("same photo in two classes", "skipped"): ["tfds:leaky/train/2", "tfds:leaky/train/3"],
        ("class 'mole' has fewer than 3 photos", "kept"): [
            "tfds:leaky/validation/4",
            "tfds:leaky/validation/5",
        ],
        ("class 'mole' has no training photo", "skipped"): [
            "tfds:leaky/validation/4",
            "tfds:leaky/validation/5",
        ],
    }


def test_a_tfds_data_set_of_something_else(store_tfds):
    import tensorflow_datasets as tfds

    features = {"image": tfds.features.Image(shape=(None, None, 3)), "label": np.int64}
    folder = store_tfds("ages", {"train": pictures(9, 0)}, features)
    with pytest.raises(InputError, match="'ages' is not a data set of images .* it has image, la"):
        from_tfds("ages", 8, data_dir=folder)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("tf_flowrs", "TensorFlow Datasets has no 'tf_flowrs': .* See https://www.tensorflow.org/"),
        ("mnist:9.9.9", "'mnist:9.9.9' could not be opened: .*"),
        ("", "'' could not be opened: .*"),
        ("mnist", "'mnist' is not in .*/tfds/mnist/.*. Pass download=True, or the right data_dir."),
    ],
)
def test_a_tfds_data_set_that_is_not_there(name, sentence, monkeypatch, tmp_path):
    with pytest.raises(InputError, match=sentence) as caught:
        from_tfds(name, 8, data_dir=tmp_path / "tfds", download=False)
    assert "\n" not in str(caught.value)


def test_what_a_tfds_data_set_needs_is_named(monkeypatch, tmp_path):
    import tensorflow_datasets as tfds

    def needs(*args, **kwargs):
        import no_such_package  # noqa: F401

    monkeypatch.setattr(tfds, "builder", needs)
    with pytest.raises(InputError, match="'x' needs more: pip install no_such_package."):
        from_tfds("x", 8)


def test_grey_photos_of_a_tfds_data_set(store_tfds):
    import tensorflow_datasets as tfds

    images, labels = pictures(30, 0)
    features = {
        "image": tfds.features.Image(shape=(None, None, 1)),
        "label": tfds.features.ClassLabel(names=NAMES),
    }
    folder = store_tfds("grey", {"train": (images[..., :1], labels)}, features)
    data = from_tfds("grey", (9, 11), channels=1, splits=(1, 0, 0), data_dir=folder)
    assert data.findings == []
    order = [int(path.rsplit("/", 1)[1]) for path in data.train.paths]
    np.testing.assert_array_equal(data.train.images(range(30)), images[order, ..., :1])
    assert Image.fromarray(data.train.images([0])[0, ..., 0]).mode == "L"
