import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.constraints import MaxRMS, constrain
from tests.facts import ZFNET_MAX_RMS
from tests.oracles import constraints as oracle

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(7, 7, 3, 8), (50, 8), (3, 3, 3, 2, 8)])
def test_filters_beyond_the_radius_come_back_to_it(shape):
    kernel = (RNG.normal(size=shape) * np.linspace(0.01, 0.3, 8)).astype("float32")
    limited = keras.ops.convert_to_numpy(MaxRMS()(kernel))
    np.testing.assert_allclose(limited, oracle.renormalise(kernel, ZFNET_MAX_RMS), rtol=1e-5)
    changed = (limited != kernel).any(axis=tuple(range(len(shape) - 1)))
    assert 0 < changed.sum() < 8


def test_it_is_a_maximal_norm_over_the_root_of_the_size():
    kernel = RNG.normal(size=(3, 3, 4, 6)).astype("float32")
    norm = keras.constraints.MaxNorm(0.5 * 36**0.5, axis=[0, 1, 2])
    np.testing.assert_allclose(MaxRMS(0.5)(kernel), norm(kernel), rtol=1e-5)


def test_it_holds_during_training_and_stays_in_the_config():
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Conv2D(4, 3, kernel_constraint=MaxRMS(0.02))]
    )
    model.compile(keras.optimizers.SGD(10.0), "mse")
    model.train_on_batch(RNG.normal(size=(8, 6, 6, 1)), RNG.normal(size=(8, 4, 4, 4)))
    kernel = model.get_weights()[0]
    assert np.sqrt((kernel**2).mean((0, 1, 2))).max() == pytest.approx(0.02, rel=1e-4)
    again = keras.Sequential.from_config(model.get_config())
    assert again.layers[0].kernel_constraint.get_config() == {"max_value": 0.02}


def test_a_zero_filter_stays_zero():
    np.testing.assert_array_equal(MaxRMS()(np.zeros((3, 3, 1, 2), "float32")), 0)


def test_a_radius_that_is_none_is_refused():
    with pytest.raises(InputError, match="must be positive.*max_value=0"):
        MaxRMS(0)


L = keras.layers
KERNELS = {  # id: (layer, axes of its kernel over which the weights of one unit lie)
    "dense": (L.Dense(3), (0,)),
    "conv": (L.Conv2D(3, 3), (0, 1, 2)),
    "groups": (L.Conv2D(4, 3, groups=2), (0, 1, 2)),
    "transposed": (L.Conv2DTranspose(3, 3), (0, 1, 3)),
    "depthwise": (L.DepthwiseConv2D(3, depth_multiplier=2), (0, 1)),
}


@pytest.mark.parametrize(("layer", "axes"), KERNELS.values(), ids=KERNELS)
def test_max_norm_holds_what_enters_each_unit(layer, axes):
    model = keras.Sequential([keras.Input((6, 6, 4)), layer])
    model = constrain(model, keras.constraints.MaxNorm(0.5))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    kernel = 10 * RNG.normal(size=model.get_weights()[0].shape)
    model.set_weights([kernel, *model.get_weights()[1:]])
    x = RNG.normal(size=(2, 6, 6, 4))
    model.train_on_batch(x, np.zeros(model(x).shape))
    norms = np.sqrt((model.get_weights()[0] ** 2).sum(axes))
    np.testing.assert_allclose(norms, 0.5, rtol=1e-4)  # each was larger, and each is held


def test_constraints_of_other_axes_and_kinds_stay():
    model = keras.Sequential([keras.Input((6, 6, 4)), L.Conv2D(3, 3, name="conv")])
    for given in (keras.constraints.MaxNorm(1.0, axis=[0, 1]), MaxRMS(0.1)):
        taken = constrain(model, given).get_layer("conv").kernel_constraint
        assert taken.get_config() == given.get_config()
    separable = keras.Sequential([keras.Input((6, 6, 4)), L.SeparableConv2D(3, 3)])
    layer = constrain(separable, "max_norm").layers[0]
    assert layer.depthwise_constraint.axis == [0, 1]
    assert layer.pointwise_constraint.axis == [0, 1, 2]
    assert layer.bias_constraint is None


def test_a_loss_that_is_not_registered_is_named():
    model = keras.Sequential([keras.Input((3,)), L.Dense(2)])
    model.compile("sgd", lambda y, p: keras.ops.mean(p - y, axis=-1))
    with pytest.raises(InputError, match="cannot be repeated.*register_keras_serializable"):
        constrain(model, "max_norm")


def test_a_constrained_model_is_saved_and_opens_with_plain_keras(tmp_path):
    model = keras.Sequential([keras.Input((6, 6, 4)), L.Conv2D(3, 3, name="conv")])
    constrain(model, keras.constraints.MaxNorm(0.5)).save(tmp_path / "model.keras")
    layer = keras.models.load_model(tmp_path / "model.keras").get_layer("conv")
    assert layer.kernel_constraint.axis == [0, 1, 2]
    assert layer.kernel.constraint is layer.kernel_constraint
