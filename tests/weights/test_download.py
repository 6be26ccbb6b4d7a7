"""Downloads, from a local folder instead of the internet: the whole file, or nothing."""

import errno
import hashlib
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import InputError, models
from kerascnn.weights import download, loading
from kerascnn.weights.download import cache_folder, fetch

# Keras 3.15 saves TensorFlow variables through NumPy 1's __array__.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

DATA = b"published weights" * 1000


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return cache_folder()


def row(folder, algorithm="sha256", data=DATA):
    (folder / "served.h5").write_bytes(data)
    digest = hashlib.new(algorithm, DATA).hexdigest()
    return {"file": "kept.h5", "url": (folder / "served.h5").as_uri(), algorithm: digest}


def left(cache):
    """Everything below the cache, hidden files included."""
    return [path.name for path in cache.rglob("*")]


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_what_fits_its_hash_is_kept_under_its_name(algorithm, cache, tmp_path):
    published = row(tmp_path, algorithm)
    path = fetch("VGG16", published)
    assert path == cache / "kept.h5" and path.read_bytes() == DATA
    assert left(cache) == ["kept.h5"]
    (tmp_path / "served.h5").unlink()
    assert fetch("VGG16", published) == path  # no second download


@pytest.mark.parametrize("arrived", [b"", DATA[:-1], DATA[:-1] + b"x", DATA + b"x"])
@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_truncated_or_altered_download_is_refused_and_removed(
    arrived, algorithm, cache, tmp_path
):
    with pytest.raises(InputError, match="served.h5 sent is truncated or altered.*It was removed"):
        fetch("VGG16", row(tmp_path, algorithm, arrived))
    assert left(cache) == []


def test_a_damaged_file_in_the_cache_is_downloaded_again(cache, tmp_path):
    cache.mkdir()
    (cache / "kept.h5").write_bytes(DATA[:100])
    assert fetch("VGG16", row(tmp_path)).read_bytes() == DATA


def test_offline_is_one_sentence_and_nothing_is_left(cache, tmp_path):
    published = row(tmp_path) | {"url": "https://example.org/served.h5"}
    cache.mkdir()
    (cache / "kept.h5").write_bytes(DATA[:100])  # what a killed download of Keras leaves
    with pytest.raises(InputError) as error:
        fetch("VGG16", published)
    assert str(error.value) == (
        "The VGG16 weights could not be downloaded from https://example.org/served.h5. Connect to "
        f"the internet, or put the file at {cache / 'kept.h5'}, or pass weights=None or the path "
        "of a file."
    )
    assert left(cache) == []
    (cache / "kept.h5").write_bytes(DATA)  # put there by hand
    assert fetch("VGG16", published).read_bytes() == DATA


@pytest.mark.parametrize(
    ("failure", "raised", "message"),
    [
        (ConnectionResetError(), InputError, "could not be downloaded"),
        (TimeoutError(), InputError, "could not be downloaded"),
        (Exception("URL fetch failure"), InputError, "could not be downloaded"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            InputError,
            "cannot be kept at .*: No space left on device. Free .* KERAS_HOME",
        ),
    ],
)
def test_a_download_that_breaks_off_leaves_nothing(
    failure, raised, message, cache, tmp_path, monkeypatch
):
    def get_file(name, url, cache_dir, cache_subdir):
        (Path(cache_dir) / name).write_bytes(DATA[:100])
        raise failure

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(raised, match=message):
        fetch("VGG16", row(tmp_path))
    assert left(cache) == []


def test_a_folder_that_cannot_be_made(cache, tmp_path):
    cache.write_text("a file where the folder belongs")
    with pytest.raises(InputError, match="cannot be kept at .*: File exists"):
        fetch("VGG16", row(tmp_path))


@pytest.mark.parametrize(
    ("build", "file"),
    [
        (
            lambda: models.ResNet50(weights="imagenet", variant="v1"),
            "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        ),
        (
            lambda: models.VGG16(weights="imagenet", include_top=False),
            "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
        (lambda: models.ResNet18(weights="imagenet"), "resnet18.tv_in1k.safetensors"),
        (
            lambda: models.ResNet18(weights="imagenet", include_top=False),
            "resnet18.tv_in1k.safetensors",
        ),
    ],
)
def test_builders_offline(build, file, cache):
    with pytest.raises(InputError, match=f"put the file at {cache / file}, or"):
        build()
    assert left(cache) == []


def test_a_download_becomes_the_weights_of_a_network(cache, tmp_path, monkeypatch):
    trained = models.LeNet5(weights="mnist")
    trained.save_weights(tmp_path / "trained.weights.h5")
    published = row(tmp_path, data=(tmp_path / "trained.weights.h5").read_bytes())
    published["sha256"] = hashlib.sha256((tmp_path / "served.h5").read_bytes()).hexdigest()
    monkeypatch.setattr(loading, "entry", lambda *_: published)
    model = models.LeNet5(weights="mnist")
    assert left(cache) == ["kept.h5"]
    assert all(map(np.array_equal, model.get_weights(), trained.get_weights()))
    monkeypatch.setitem(published, "sha256", "0" * 64)
    with pytest.raises(InputError, match="served.h5 sent is truncated or altered"):
        models.LeNet5(weights="mnist")
    assert left(cache) == []


def test_the_cache_is_keras_own(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".keras").mkdir()
    assert cache_folder() == tmp_path / ".keras" / "models"
    monkeypatch.setattr(download.os, "access", lambda *args: False)
    assert cache_folder() == Path("/tmp/.keras/models")
