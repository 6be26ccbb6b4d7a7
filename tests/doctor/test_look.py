"""A look measures what a training step would see, also in nested models, and changes nothing."""

import keras
import numpy as np
import pytest

from kerascnn.doctor._look import Look, kernels_of, weight_name

L = keras.layers
X = np.random.default_rng(0).normal(size=(16, 8, 8, 1)).astype("float32")
Y = np.arange(16) % 3


def nested():
    """A trunk with dropout and batch normalisation in a classifier."""
    keras.utils.set_random_seed(0)
    trunk = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            L.Conv2D(4, 3, name="conv"),
            L.BatchNormalization(name="bn"),
            L.ReLU(name="relu"),
            L.Dropout(0.5),
            L.Flatten(),
        ]
    )
    inputs = keras.Input((8, 8, 1))
    x = L.Dense(5, "tanh", name="hidden")(trunk(inputs))
    return keras.Model(inputs, L.Dense(3, "softmax", name="head")(x))


def compiled(model, **options):
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", **options)
    return model


def test_dead_and_saturated_shares_are_numpys():
    model = compiled(nested())
    model.get_layer("hidden").set_weights([np.full((144, 5), 9.0), np.array([0, 0, -1e9, 1e9, 1])])
    bn = model.layers[1].get_layer("bn")
    bn.gamma.assign([1, 0, 0, 0.5])
    bn.beta.assign([0, -1, 1, -9])
    seen = Look(model, (X, Y))()
    assert seen["dead"] == {"relu": 0.5}  # two channels are negative for every image
    assert seen["saturated"].keys() == {"hidden"} and seen["saturated"]["hidden"] >= 0.4
    assert list(seen["gradients"]) == ["conv/kernel", "hidden/kernel", "head/kernel"]


def test_gradients_are_those_of_the_step():
    """An SGD step at rate 0.1 changes a kernel by a tenth of the gradient."""
    model = compiled(
        keras.Sequential([keras.Input((8, 8, 1)), L.Flatten(), L.Dense(3, "softmax", name="head")])
    )
    seen, before = Look(model, (X, Y))(), model.layers[-1].kernel.numpy()
    loss = model.train_on_batch(X, Y)
    assert seen["loss"] == pytest.approx(loss, rel=1e-5)
    slope = (before - model.layers[-1].kernel.numpy()) / 0.1
    expected = np.sqrt(np.mean(slope**2))
    assert seen["gradients"]["head/kernel"] == pytest.approx(expected, rel=1e-3)


def test_penalties_and_weights_of_samples_count():
    options = {"kernel_regularizer": keras.regularizers.L2(0.5)}
    model = keras.Sequential([keras.Input((8, 8, 1)), L.Flatten(), L.Dense(3, **options)])
    model.compile("sgd", "mse")
    penalty = 0.5 * np.sum(model.layers[-1].kernel.numpy() ** 2)
    seen = Look(model, (X, np.ones((16, 3)), np.zeros(16)))()
    assert seen["loss"] == pytest.approx(penalty, rel=1e-5)


def test_nothing_is_changed():
    model = compiled(nested(), metrics=["accuracy"])
    model.fit(X, Y, verbose=0)
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    before = [keras.ops.convert_to_numpy(v).copy() for v in variables]
    look = Look(model, (X, Y))
    first, second = look(), look()
    assert first == second  # dropout too draws the same
    for variable, value in zip(variables, before):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)
    assert all("call" not in vars(layer) for layer in model.layers)


def test_it_follows_what_is_trained():
    model = compiled(nested())
    look = Look(model, (X, Y))
    assert len(look()["gradients"]) == 3
    model.layers[1].trainable = False
    assert list(look()["gradients"]) == ["hidden/kernel", "head/kernel"]
    assert [weight_name(v) for v in kernels_of(model)] == ["hidden/kernel", "head/kernel"]


def test_subclassed_models_and_shared_layers():
    class Twice(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.shared = L.Flatten(), L.Dense(64, "relu", name="shared")
            self.head = L.Dense(3, "softmax", name="head")

        def call(self, x):
            return self.head(self.shared(self.shared(self.flat(x))))

    model = compiled(Twice())
    model(X)
    seen = Look(model, (X, Y))()
    assert list(seen["dead"]) == ["shared"] and list(seen["gradients"])[-1] == "head/kernel"


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        seen = Look(compiled(nested()), (X, Y))()
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite([seen["loss"], *seen["gradients"].values()]).all()
