"""Features against Keras's own `predict`, and what the cache must and must not find again."""

import gc
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import InputError, data
from kerascnn.transfer import FeatureExtractor, extract_features, features
from tests.transfer.conftest import ROOT, draw_photos, draw_shape, in_process, tiny_network

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LAYER = "stage2_relu"


def shapes(count=100, size=32):
    """The training photos are all there are, in order."""
    images = [draw_shape("circle", i).resize((size, size)) for i in range(count)]
    return data.from_arrays(
        np.stack([np.asarray(image) for image in images]),
        [i % 2 for i in range(count)],
        splits=["train"] * count,
    ).train


def pixels(split):
    return split.images(np.arange(split.num_photos)).astype(np.float32)


def extract(network, split, layer=None, **options):
    return extract_features(
        network, split, layer, **{"engine": "keras", "progress": False} | options
    )


def stored():
    return sorted(path.name for path in (data.cache_folder() / "features").glob("*"))


# Against predict


def test_equal_to_predict_to_the_bit_and_computed_once():
    network, split = tiny_network(), shapes()
    first = extract(network, split)
    assert (first.num_computed, first.shape, first.dtype) == (100, (100, 64), np.float32)
    np.testing.assert_array_equal(first, network.predict(pixels(split), batch_size=32, verbose=0))
    again = extract(network, split)
    assert again.num_computed == 0
    np.testing.assert_array_equal(again, first)


def test_auto_engine_is_within_1e_5_of_predict():
    network, split = tiny_network(), shapes(40)
    found = np.asarray(extract(network, split, engine="auto"))
    expected = network.predict(pixels(split), verbose=0)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.thorough
def test_real_photos_and_weights_equal_predict_to_the_bit(clothing, mobilenet):
    network = mobilenet()
    split = data.from_directory(clothing, 128, splits=(1, 0, 0), progress=False).train
    found = extract(network, split)
    assert found.shape == (80, 256)
    np.testing.assert_array_equal(found, network.predict(pixels(split), batch_size=32, verbose=0))


def test_layers_of_one_pass_equal_separate_passes():
    network, split = tiny_network(), shapes(40)
    together = extract(network, split, [LAYER, None])
    assert list(together) == [LAYER, None]
    maps = keras.Model(network.input, network.get_layer(LAYER).output)
    expected = maps.predict(pixels(split), batch_size=32, verbose=0)
    assert expected.shape == (40, 8, 8, 32)
    np.testing.assert_allclose(together[LAYER], expected.mean(axis=(1, 2)), rtol=1e-5, atol=1e-5)
    # One at a time they are found in the cache; without it, they are computed and the same.
    for layer in (LAYER, None):
        assert extract(network, split, layer).num_computed == 0
        alone = extract(network, split, layer, cache=False)
        assert alone.num_computed == 40
        np.testing.assert_array_equal(alone, together[layer])


def test_layer_without_pooling_keeps_the_map():
    network, split = tiny_network(), shapes(33)
    found = extract(network, split, LAYER, pooling=None)
    maps = keras.Model(network.input, network.get_layer(LAYER).output)
    assert found.shape == (33, 8, 8, 32)
    np.testing.assert_array_equal(found, maps.predict(pixels(split), batch_size=32, verbose=0))


def test_maxima_of_a_map():
    network, split = tiny_network(), shapes(33)
    maps = np.asarray(extract(network, split, LAYER, pooling=None))
    found = extract(network, split, LAYER, pooling="max")
    np.testing.assert_array_equal(found, maps.max(axis=(1, 2)))


def test_a_sequential_network_has_features_too():
    network, split = tiny_network(), shapes(33)
    same = keras.Sequential(network.layers)
    np.testing.assert_array_equal(extract(same, split), extract(network, split))
    expected = network.predict(pixels(split), batch_size=32, verbose=0)
    np.testing.assert_array_equal(extract(same, split), expected)


def test_views_are_rows_of_their_own():
    network, split = tiny_network(), shapes(40)
    plain = np.asarray(extract(network, split))
    found = extract(network, split, views=3, seed=5)
    assert (found.shape, found.num_computed) == ((120, 64), 80)
    np.testing.assert_array_equal(found[:40], plain)
    mirrored = network.predict(pixels(split)[:, :, ::-1], verbose=0)
    np.testing.assert_allclose(found[40:80], mirrored, rtol=1e-5, atol=1e-5)
    shifted = data.view(split.images(np.arange(40)), split.digests, 2, seed=5)
    expected = network.predict(shifted.astype(np.float32), verbose=0)
    np.testing.assert_allclose(found[80:], expected, rtol=1e-5, atol=1e-5)
    # Another seed draws other shifts, and no other mirror images.
    assert extract(network, split, views=3, seed=6).num_computed == 40


def test_features_are_indexed_like_an_array():
    split = shapes(10)
    found = extract(tiny_network(), split)
    whole = np.asarray(found)
    assert len(found) == 10 and np.asarray(found, np.float64).dtype == np.float64
    for index in (3, slice(2, 5), [4, 1, 4], whole[:, 0] > whole[:, 0].mean()):
        np.testing.assert_array_equal(found[index], whole[index])


# What is computed again


def test_ten_more_photos_compute_ten(tmp_path):
    folder = draw_photos(tmp_path / "photos", {"circle": 20, "square": 20})
    network = tiny_network()
    read = lambda: data.from_directory(folder, 32, splits=(1, 0, 0), progress=False).train  # noqa: E731
    before = extract(network, read())
    for number in range(20, 30):
        draw_shape("square", number).save(folder / "square" / f"{number}.png")
    split = read()
    after = extract(network, split)
    assert (before.num_computed, after.num_computed, len(after)) == (40, 10, 50)
    np.testing.assert_allclose(
        after, network.predict(pixels(split), verbose=0), rtol=1e-5, atol=1e-6
    )


def test_auto_computes_ten_with_the_engine_that_computed_the_others(monkeypatch):
    """Which engine is faster is a matter of the moment; ten new photos are ten all the same."""
    network = tiny_network()
    extract(network, shapes(40), engine="keras")
    found = extract(network, shapes(50), engine="auto")
    assert (found.num_computed, found.engine) == (10, "keras")
    pytest.importorskip("openvino")
    extract(network, shapes(50), cache=True, layer=LAYER, engine="openvino")
    found = extract(network, shapes(60), layer=LAYER, engine="auto")
    assert (found.num_computed, found.engine) == (10, "openvino-float32")
    monkeypatch.setitem(sys.modules, "openvino", None)  # not installed any more
    found = extract(network, shapes(70), layer=LAYER, engine="auto")
    assert (found.num_computed, found.engine) == (70, "tensorflow")


def test_equal_photos_are_computed_once():
    split = shapes(8)
    images = np.concatenate([split.images([0, 1, 0, 2]), split.images([1, 3])])
    twice = data.from_arrays(images, [0, 1, 0, 0, 1, 1], splits=["train"] * 6).train
    network = tiny_network()
    found = extract(network, twice)
    assert found.num_computed == 4
    expected = network.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.thorough
def test_killed_extraction_goes_on():
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from kerascnn.transfer import features
from tests.transfer.test_features import extract, shapes, tiny_network
features._HELD_BYTES = 0  # every batch is written
split, read = shapes(), []
images = split.images
def killed(rows):
    read.extend(rows)
    if len(read) > 32 + 64:  # the sample, two batches, and no more
        os.kill(os.getpid(), signal.SIGKILL)
    return images(rows)
split.images = killed
extract(tiny_network(), split)
"""
    with pytest.raises(AssertionError):
        in_process(code)
    network, split = tiny_network(), shapes()
    found = extract(network, split)
    assert found.num_computed == 36
    np.testing.assert_array_equal(found, network.predict(pixels(split), batch_size=32, verbose=0))


def relu_or(activation, name):
    """A network of one dense layer on 4x4 photos; only its activation and names can differ."""
    photos = keras.Input((4, 4, 3), name=f"{name}_photos")
    x = keras.layers.Flatten()(photos)
    x = keras.layers.Dense(3, kernel_initializer="ones", name=name)(x)
    x = keras.layers.Activation(activation, name=activation)(x)
    return keras.Model(photos, x)


def test_what_changes_the_features_changes_the_key():
    split = shapes(6)
    small = shapes(6, size=4)
    network = tiny_network()
    calls = [
        lambda: extract(network, split),
        lambda: extract(network, split, LAYER),
        lambda: extract(network, split, LAYER, pooling=None),
        lambda: extract(tiny_network(seed=1), split),
        lambda: extract(tiny_network(size=33), shapes(6, size=33)),
        lambda: extract(keras.Model(network.input, network.output * 2), split),
        lambda: extract(relu_or("relu", "dense"), small),
        # A layer named like its activation must not hide which activation it is.
        lambda: extract(relu_or("tanh", "dense"), small),
    ]
    for number, call in enumerate(calls, start=1):
        assert call().num_computed == 6
        assert len(stored()) == number
    for call in calls:
        assert call().num_computed == 0


def test_preprocessing_changes_the_key():
    split, network = shapes(6), tiny_network()
    photos = keras.Input((32, 32, 3))
    for offset in (0.0, 1.0):
        x = keras.layers.Rescaling(1.0, offset)(photos)
        assert extract(keras.Model(photos, network(x)), split).num_computed == 6


def test_way_of_resizing_changes_the_key(tmp_path):
    folder = draw_photos(tmp_path / "photos", {"circle": 5, "square": 5})
    network = tiny_network()
    for resize in ("stretch", "pad"):
        options = {"resize": resize, "splits": (1, 0, 0), "progress": False}
        split = data.from_directory(folder, 32, **options).train
        assert extract(network, split).num_computed == 10


def test_names_and_training_flags_do_not_change_the_key():
    """Built twice in a process, or frozen meanwhile, it is the same network."""
    split, network = shapes(6), tiny_network()
    extract(network, split)
    network.trainable = False
    assert extract(network, split).num_computed == 0
    assert extract(tiny_network(), split).num_computed == 0
    small = shapes(6, size=4)
    assert extract(relu_or("relu", "one"), small).num_computed == 6
    assert extract(relu_or("relu", "other"), small).num_computed == 0


def test_one_extractor_serves_several_splits():
    parts = data.from_arrays(pixels(shapes(40)).astype(np.uint8), [0, 1] * 20)
    network = tiny_network()
    extractor = FeatureExtractor(network, engine="keras")
    for split in (parts.train, parts.validation, parts.test):
        expected = network.predict(pixels(split), batch_size=32, verbose=0)
        np.testing.assert_array_equal(extractor(split, progress=False), expected)


def test_a_network_that_was_trained_meanwhile_is_noticed():
    """Else its new features would be kept as those of the old weights."""
    network, split = tiny_network(), shapes(20)
    extractor = FeatureExtractor(network, engine="keras")
    first = np.asarray(extractor(split, progress=False))
    layer = network.get_layer("stage3_conv")
    layer.set_weights([2 * value for value in layer.get_weights()])
    with pytest.raises(InputError, match="'tiny' was trained|was trained since"):
        extractor(shapes(30), progress=False)
    assert extract(network, split).num_computed == 20
    layer.set_weights([value / 2 for value in layer.get_weights()])
    assert extract(network, split).num_computed == 0
    np.testing.assert_array_equal(extract(network, split), first)


def test_split_without_photos():
    images = pixels(shapes(4)).astype(np.uint8)
    found = extract(tiny_network(), data.from_arrays(images, [0, 1] * 2, splits=(1, 0, 0)).test)
    assert found.shape == (0, 64) and found.num_computed == 0
    assert np.asarray(found).shape == (0, 64)


# What is left behind


def test_without_cache_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(features.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    split, network = shapes(6), tiny_network()
    found = extract(network, split, cache=False)
    np.testing.assert_array_equal(found, network.predict(pixels(split), verbose=0))
    assert not (data.cache_folder() / "features").exists()
    assert any((tmp_path / "temporary").iterdir())  # as long as it is in use
    del found
    gc.collect()
    assert not any((tmp_path / "temporary").iterdir())


def test_no_progress_bar_but_on_a_terminal(capfd):
    extract(tiny_network(), shapes(6), progress=True)
    captured = capfd.readouterr()
    assert captured.out == "" and "photo" not in captured.err


def test_progress_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    extract(tiny_network(), shapes(6), progress=True)
    assert "Features (keras): 100%" in capsys.readouterr().err
    extract(tiny_network(seed=1), shapes(6), progress=False)
    assert capsys.readouterr().err == ""


# Wrong use


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "stage2_rel"}, "Did you mean 'stage2_relu'?"),
        ({"layer": [None, "nonsense"]}, "Unknown layer of model 'tiny': 'nonsense'"),
        ({"pooling": "mean"}, "Unknown pooling 'mean'"),
        ({"pooling": "AVG"}, "Did you mean 'avg'?"),
        ({"views": 0}, "views must be an int >= 1. Received: 0."),
        ({"views": 1.5}, "views must be an int >= 1. Received: 1.5."),
        ({"engine": "tensorflw"}, "Did you mean 'tensorflow'?"),
        ({"precision": "bfloat16"}, "needs engine='openvino'"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(InputError) as caught:
        extract(tiny_network(), shapes(2), **options)
    assert message in str(caught.value)


def test_features_are_of_a_split():
    split = shapes(2)
    images = split.images([0, 1])
    for wrong in (images, (images, split.labels), data.from_arrays(images, [0, 1])):
        with pytest.raises(InputError, match=f"of a Split.*Received: {type(wrong).__name__}."):
            extract(tiny_network(), wrong)


def test_full_disk_is_said_in_one_sentence():
    from kerascnn._runs import said_simply

    class Full(data.RowStore):
        def append(self, keys, values):
            with said_simply(self.folder), Path("/dev/full").open("wb", buffering=0) as file:
                file.write(values.tobytes())

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "RowStore", Full)
        with pytest.raises(InputError, match="the disk is full; free some space"):
            extract(tiny_network(), shapes(6))


# Other backends


@pytest.mark.slow
def test_features_on_jax_equal_those_on_tensorflow(tmp_path):
    pytest.importorskip("jax")
    network, weights = tiny_network(), str(tmp_path / "tiny.weights.h5")
    network.save_weights(weights)
    ours = np.asarray(extract(network, shapes(64), views=2))
    output = str(tmp_path / "jax.npy")
    code = f"""
import numpy as np
from tests.transfer.test_features import extract, pixels, shapes, tiny_network
split, network = shapes(64), tiny_network()
network.load_weights({weights!r})
found = extract(network, split, views=2, engine="auto")
assert (found.engine, found.num_computed) == ("keras", 128)  # none of TensorFlow's
np.testing.assert_array_equal(found[:64], network.predict(pixels(split), batch_size=32, verbose=0))
assert extract(network, split).num_computed == 0
np.save({output!r}, found)
"""
    in_process(code, KERAS_BACKEND="jax")
    np.testing.assert_allclose(np.load(output), ours, rtol=1e-4, atol=1e-5)
