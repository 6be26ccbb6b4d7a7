"""What `adapt` promises, for every layer that has it."""

import inspect

import keras
import numpy as np
import pytest

from kerascnn import InputError, layers
from kerascnn.data import from_arrays
from kerascnn.layers._fitted import Fitted

SHAPE = (6, 5, 3)
IMAGES = np.random.default_rng(0).integers(256, size=(60, *SHAPE), dtype="uint8")
OTHERS = IMAGES[::7] / 2 + 0.25
FITTED = [
    layer
    for layer in map(layers.__dict__.get, layers.__all__)
    if inspect.isclass(layer) and issubclass(layer, Fitted)
]
every_fitted_layer = pytest.mark.parametrize("make", FITTED)


def adapted(make, data=IMAGES, **options):
    layer = make(**options)
    layer.adapt(data)
    return layer


def model_of(layer):
    model = keras.Sequential(
        [keras.Input(SHAPE), layer, keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    model.compile("sgd", "mse")
    return model


def test_these_are_fitted():
    assert {make.__name__ for make in FITTED} == {"MeanImage", "MinMaxScaling", "Whitening"}


@every_fitted_layer
def test_one_pass_over_batches_of_any_size_gives_the_same(make):
    splits = [from_arrays(IMAGES, np.arange(60) % 2, batch_size=size) for size in (7, 48)]
    train = splits[0].train.images(range(48))
    read = []
    batches = (read.append(i) or train[i : i + 11] for i in range(0, 48, 11))
    first, *others = [adapted(make, data) for data in (train, *splits, splits[0].train, batches)]
    assert read == [0, 11, 22, 33, 44]
    for other in others:
        np.testing.assert_allclose(other(OTHERS), first(OTHERS), rtol=1e-5, atol=1e-4)


@every_fitted_layer
@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "mixed_bfloat16"])
def test_computes_in_float32_from_inputs_that_16_bits_do_not_hold(make, policy):
    first, half = adapted(make), adapted(make, dtype=policy)
    assert all(weight.dtype == "float32" for weight in half.weights)
    y = keras.Sequential([keras.Input(SHAPE), half])(OTHERS)
    assert keras.backend.standardize_dtype(y.dtype) == policy.removeprefix("mixed_")
    np.testing.assert_array_equal(y, keras.ops.cast(first(OTHERS), y.dtype))


@every_fitted_layer
def test_without_adapt_it_refuses_and_compiled_it_is_nan(make):
    model = model_of(make())
    with pytest.raises(InputError, match=r"call adapt\(data\) before the model is used"):
        model(IMAGES)
    assert np.isnan(model.predict(IMAGES, verbose=0)).all()
    model.layers[0].adapt(IMAGES)  # what is compiled reads the weights
    assert np.isfinite(model.predict(IMAGES, verbose=0)).all()


@every_fitted_layer
def test_nothing_of_it_is_trained_and_a_second_adapt_replaces_the_first(make):
    layer = adapted(make)
    assert layer.weights and not layer.trainable_weights
    before = layer.get_weights()
    model_of(layer).fit(IMAGES, np.zeros((60, 2)), verbose=0)
    np.testing.assert_equal(layer.get_weights(), before)
    layer.adapt(OTHERS)
    np.testing.assert_array_equal(layer(OTHERS), adapted(make, OTHERS)(OTHERS))


@every_fitted_layer
def test_images_of_another_scale_give_a_warning_that_names_both(make):
    layer = adapted(make)
    assert layer.value_range == (0, 255)
    with pytest.warns(UserWarning, match="from 0 to 255, and these images have 0 to 1:"):
        model_of(layer)(IMAGES / 255)
    with pytest.warns(UserWarning, match="from 0 to 1, and these images have 0 to 255:"):
        adapted(make, IMAGES / 255)(IMAGES)
    with pytest.warns(UserWarning, match="from 0 to 1, and these images have -1 to 1:"):
        adapted(make, IMAGES / 255)(IMAGES / 127.5 - 1)


@every_fitted_layer
@pytest.mark.parametrize("images", [OTHERS, OTHERS / 10, OTHERS * 5, OTHERS - 40, 0 * OTHERS])
def test_brighter_darker_overshooting_and_black_photos_give_none(make, images):
    adapted(make)(images)


@every_fitted_layer
def test_other_shapes_are_refused(make):
    with pytest.raises(InputError, match=r"is built for images .*3\). Received: \(6, 5, 1\)"):
        adapted(make).adapt(IMAGES[..., :1])
    with pytest.raises(ValueError, match="incompatible with the layer"):
        adapted(make)(IMAGES[..., :1])
    with pytest.raises(InputError, match="these are the test split"):
        adapted(make, from_arrays(IMAGES, np.arange(60) % 2).test)


@every_fitted_layer
def test_no_images(make):
    assert adapted(make)(IMAGES[:0]).shape[0] == 0
