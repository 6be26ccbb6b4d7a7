import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerascnn import InputError
from kerascnn.visualize import deconvnet, grad_cam, saliency, smooth_grad
from kerascnn.visualize._inside import forward, gradient_of, in_batches, opened, position

PHOTOS = np.random.default_rng(0).uniform(0, 1, (2, 6, 6, 3)).astype("float32")


def nested(output="softmax"):
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 6, 3))
    block = keras.Sequential([layers.Conv2D(3, 3, padding="same", name="conv")], name="block")
    inner = keras.Model(x, layers.Dropout(0.5)(block(x)), name="inner")
    image = keras.Input((6, 6, 3), name="image")
    x = layers.Conv2D(3, 1, name="first")(layers.RandomFlip()(image))
    x = layers.Flatten()(inner(inner(x)))
    return keras.Model(image, layers.Dense(2, output, name="output")(x))


def test_what_is_inside_is_what_predict_computes():
    model = nested()
    found, last = opened(model, PHOTOS)
    first = position(found, "first")
    output, (image, maps) = forward(model, PHOTOS, [0, first], scores=-1)
    np.testing.assert_allclose(output, model.predict(PHOTOS, verbose=0), rtol=1e-5)
    np.testing.assert_array_equal(image, PHOTOS)
    np.testing.assert_allclose(maps, model.get_layer("first")(PHOTOS), rtol=1e-5)
    assert found[last].name == "output"


def test_what_is_behind_is_not_computed():
    model = nested()
    found, _ = opened(model, PHOTOS)
    output, (maps,) = forward(model, PHOTOS[:, 1:], [position(found, "conv")])
    assert output is None and maps.shape == (2, 5, 6, 3)  # at which `Dense` would fail


@pytest.mark.parametrize("end", ["layer", "activation", "softmax", "operation"])
def test_scores_are_what_goes_into_the_softmax_at_the_end(end):
    plain = nested(None)
    x = plain.output
    ends = {
        "activation": layers.Activation("softmax"),
        "softmax": layers.Softmax(),
        "operation": ops.softmax,
    }
    model = keras.Model(plain.input, ends[end](x)) if end in ends else nested()
    model.set_weights(plain.get_weights())
    _, last = opened(model, PHOTOS)
    scores, _ = forward(model, PHOTOS, scores=last)
    np.testing.assert_allclose(scores, plain.predict(PHOTOS, verbose=0), rtol=1e-5)


def test_a_layer_that_is_called_twice_is_its_last_call():
    found, _ = opened(nested(), PHOTOS)
    names = [call.name for call in found]
    assert names.count("inner/block/conv") == 2
    assert position(found, "conv") == len(names) - 1 - names[::-1].index("inner/block/conv")
    assert position(found, "block/conv") == position(found, "conv")


def test_layers_of_one_name_must_be_told_apart():
    def inner(name):
        return keras.Sequential([keras.Input((6, 6, 3)), layers.ReLU(name="relu")], name=name)

    found, _ = opened(keras.Sequential([keras.Input((6, 6, 3)), inner("a"), inner("b")]), PHOTOS)
    assert position(found, "a/relu") + 1 == position(found, "b/relu")
    with pytest.raises(InputError, match="named 'relu': a/relu, b/relu"):
        position(found, "relu")


def test_gradients_are_those_of_the_weights_at_the_time():
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.Flatten(), layers.Dense(1)])

    def measure(tensors):
        return ops.sum(forward(model, tensors[0])[0]), ops.sum(tensors[0])

    step = gradient_of(model, measure)
    for value in (2.0, 3.0):
        model.set_weights([np.full((108, 1), value), np.zeros(1)])
        total, (gradient,) = step([ops.convert_to_tensor(PHOTOS)])
        np.testing.assert_array_equal(gradient, np.full(PHOTOS.shape, value))
        np.testing.assert_allclose(total, PHOTOS.sum(), rtol=1e-5)


@pytest.mark.parametrize("count", [1, 32, 33, 64, 65, 97])
def test_batches_are_few_and_of_one_shape(count):
    x, y, shapes = np.arange(3 * count).reshape(count, 3), np.arange(count), []

    def compute(x, y):
        shapes.append(x.shape)
        return ops.convert_to_tensor(x * y[:, None])

    np.testing.assert_array_equal(in_batches(compute, x, y), x * y[:, None])
    assert len(set(shapes)) == 1 and shapes[0][0] <= 32
    assert len(shapes) == -(-count // 32) and len(shapes) * shapes[0][0] - count < len(shapes)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX compiles every time")
@pytest.mark.parametrize(
    ("maps", "count", "traces"),
    [
        (lambda model, x: grad_cam(model, x, 1), 3, 0),
        (lambda model, x: saliency(model, x, 1), 3, 0),
        (lambda model, x: deconvnet(model, x, "output"), 3, 0),
        (lambda model, x: grad_cam(model, x, 1), 33, 1),
        (lambda model, x: saliency(model, x, 1), 33, 1),
        (lambda model, x: smooth_grad(model, x, 1, samples=2, progress=False), 1, 1),
    ],
)
def test_few_photos_are_not_traced_and_many_once(maps, count, traces):
    import tensorflow as tf

    seen = []

    class Identity(layers.Layer):  # a name that deconvnet knows
        def call(self, x):
            seen.append("run" if tf.executing_eagerly() else "traced")
            return x

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(2, 3), Identity()])
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(2, name="output"))
    seen.clear()
    maps(model, np.resize(PHOTOS, (count, 6, 6, 3)))
    # The first looks for shapes alone.
    assert seen == ["traced", *(["traced"] if traces else ["run"])]


MAPS = """
import keras, numpy as np
from keras import layers
from kerascnn import visualize as v

rng = np.random.default_rng(0)
x = keras.Input((16, 16, 3))
y = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
y = layers.BatchNormalization()(layers.MaxPooling2D(2)(y))
backbone = keras.Model(x, layers.Add()([y, layers.Conv2D(4, 1, activation="relu")(y)]))
image = keras.Input((16, 16, 3))
y = layers.GlobalAveragePooling2D()(backbone(layers.Rescaling(1 / 127.5, -1)(image)))
model = keras.Model(image, layers.Dense(3, "softmax", name="output")(y))
model.set_weights([rng.uniform(0.1, 1, w.shape).astype("float32") for w in model.get_weights()])
photos = rng.uniform(0, 255, (2, 16, 16, 3)).astype("float32")
quiet = {"progress": False}
maps = dict(
    cam=v.grad_cam(model, photos),
    plus=v.grad_cam_plus_plus(model, photos, 1),
    saliency=v.saliency(model, photos, [0, 2]),
    smooth=v.smooth_grad(model, photos, samples=2, **quiet),
    occlusion=v.occlusion(model, photos, **quiet),
    deconvnet=v.deconvnet(model, photos, "output"),
    climbed=v.maximize_activation(model, 1, steps=2, **quiet),
    dreamt=v.deep_dream(model, photos, "conv", octaves=2, steps=2, **quiet),
)
"""


@pytest.mark.thorough
def test_on_jax_all_maps_are_those_on_tensorflow(tmp_path):
    here, path = {}, tmp_path / "maps.npz"
    exec(MAPS, here)
    code = f"{MAPS}\nimport sys\nnp.savez(sys.argv[1], **maps)"
    env = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", code, str(path)], env=env, check=True)
    found = np.load(path)
    for name, maps in here["maps"].items():
        assert maps.any() and np.isfinite(maps).all(), name
        np.testing.assert_allclose(found[name], maps, rtol=1e-3, atol=1e-2, err_msg=name)
