"""Fused batch normalisation: the same numbers, plain files, and only where it applies."""

import keras
import numpy as np
import pytest
from keras import layers

import kerascnn as kc
from kerascnn.compute.batch_norm import is_fused

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's")


def network(dtype="float32", **options):
    image = keras.Input((6, 5, 3))
    x = layers.Conv2D(4, 3, use_bias=False, name="conv")(image)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype, name="bn", **options)(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(image, layers.Dense(3, dtype="float32")(x))


def trained(model, steps=3, jit_compile=False):
    """Weights after some steps; the maps have means and deviations that are far from 0 and 1."""
    rng = np.random.default_rng(0)
    images = rng.normal(40, 9, size=(8 * steps, 6, 5, 3)).astype("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01, 0.9), loss, jit_compile=jit_compile)
    labels = np.arange(len(images)) % 3
    history = model.fit(images, labels, batch_size=8, shuffle=False, verbose=0)
    return [*model.get_weights(), np.array(history.history["loss"])]


def pair(**options):
    keras.utils.set_random_seed(0)
    plain = network(**options)
    fused = keras.models.clone_model(plain)
    fused.set_weights(plain.get_weights())
    return plain, kc.fuse_batch_norm(fused)


@pytest.mark.thorough
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({}, 2e-5),
        ({"scale": False}, 2e-5),
        ({"center": False}, 2e-5),
        ({"dtype": "mixed_bfloat16"}, 2e-2),
        ({"dtype": "mixed_float16"}, 5e-3),
    ],
    ids=str,
)
def test_it_trains_like_plain_keras(options, tolerance, jit_compile):
    plain, fused = pair(**options)
    start = plain.get_weights()
    wanted, found = trained(plain, jit_compile=jit_compile), trained(fused, jit_compile=jit_compile)
    for one, other in zip(wanted, found):
        np.testing.assert_allclose(other, one, rtol=tolerance, atol=tolerance)
    assert all(np.abs(new - old).max() > 1e-4 for new, old in zip(found, start))


@on_tensorflow
def test_it_is_one_operation():
    def operations(model):
        import tensorflow as tf

        traced = tf.function(lambda x: model(x, training=True))
        graph = traced.get_concrete_function(tf.TensorSpec((8, 6, 5, 3), "float32")).graph
        return [operation.type for operation in graph.get_operations()]

    plain, fused = map(operations, pair())
    assert fused.count("FusedBatchNormV3") == 1
    assert "FusedBatchNormV3" not in plain


def test_inference_and_frozen_layers_are_as_before():
    images = np.random.default_rng(0).normal(size=(4, 6, 5, 3)).astype("float32")
    plain, fused = pair()
    np.testing.assert_array_equal(plain(images), fused(images))
    plain.trainable = fused.trainable = False
    np.testing.assert_array_equal(plain(images, training=True), fused(images, training=True))


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(axis=1),
        layers.BatchNormalization(dtype="float64"),
        layers.BatchNormalization(renorm=True),
    ],
    ids=["channels first", "float64", "renorm"],
)
def test_what_cannot_be_fused_computes_as_before(layer):
    images = np.random.default_rng(0).normal(size=(4, 6, 5, 3))
    model = keras.Sequential([keras.Input((6, 5, 3)), layer])
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(images, training=True),
                                  kc.fuse_batch_norm(copy)(images, training=True))  # fmt: skip


def test_masked_rows_compute_as_before():
    rows = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    mask = np.arange(6)[None] < np.array([[6], [3], [2], [5]])
    plain = keras.Sequential([keras.Input((6, 3)), layers.BatchNormalization()])
    fused = kc.fuse_batch_norm(keras.models.clone_model(plain))
    fused.set_weights(plain.get_weights())
    normalized = [model.layers[0](rows, training=True, mask=mask) for model in (plain, fused)]
    np.testing.assert_array_equal(*normalized)


def test_files_and_copies_are_plain_keras(tmp_path):
    _, fused = pair()
    trained(fused)
    fused.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not is_fused(loaded)
    images = np.random.default_rng(0).normal(size=(4, 6, 5, 3)).astype("float32")
    np.testing.assert_array_equal(loaded(images), fused(images))
    again = kc.fuse_batch_norm(kc.fuse_batch_norm(loaded))
    assert len(trained(again)) == len(loaded.weights) + 1


def test_fused_twice_is_fused_once():
    _, fused = pair()
    calls = [layer.call for layer in fused.layers]
    assert [layer.call for layer in kc.fuse_batch_norm(fused).layers] == calls


@on_tensorflow
def test_a_copy_in_another_precision_is_fused_too():
    plain, fused = pair()
    assert is_fused(kc.compute.to_precision(fused, "mixed_bfloat16"))
    assert not is_fused(kc.compute.to_precision(plain, "mixed_bfloat16"))


def test_nested_networks_are_reached():
    inner = network()
    kc.fuse_batch_norm(keras.Sequential([keras.Input((6, 5, 3)), inner]))
    assert is_fused(inner) == (keras.backend.backend() == "tensorflow")
