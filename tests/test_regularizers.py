import keras
import numpy as np
import pytest
from keras import layers

import kerascnn as kc
from kerascnn import InputError
from kerascnn.regularizers import KLSparsity, regularize

RNG = np.random.default_rng(0)
L1, L2 = keras.regularizers.L1, keras.regularizers.L2


def network():
    """Every kind of kernel beside what must never be punished, one part nested."""
    inner = keras.Sequential(
        [keras.Input((6, 6, 4)), layers.SeparableConv2D(4, 3, name="separable")], name="inner"
    )
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(x)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.PReLU(name="prelu", alpha_regularizer=L2(0.5))(inner(x))
    x = layers.DepthwiseConv2D(2, name="depthwise")(x)
    x = layers.LayerNormalization(name="ln")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(2, name="fc")(x))


def changed(model):
    """The model with all its weights drawn anew."""
    model.set_weights([RNG.normal(size=w.shape) for w in model.get_weights()])
    return model


def penalty(model):
    return float(sum(model.losses))


def test_kernels_are_punished_and_nothing_else():
    model = changed(network())
    kernels = [w.numpy() for w in model.trainable_weights if w.path.endswith("kernel")]
    assert len(kernels) == 5
    alpha = model.get_layer("prelu").get_weights()[0]  # its own penalty stays
    expected = 0.01 * sum((k**2).sum() for k in kernels) + 0.5 * (alpha**2).sum()
    assert penalty(regularize(model, L2(0.01))) == pytest.approx(expected, rel=1e-5)
    assert penalty(model) == pytest.approx(0.5 * (alpha**2).sum(), rel=1e-5)


def test_strengths_by_name_the_first_pattern_counts():
    model = changed(network())
    result = regularize(model, {"fc": L1(1.0), "separable": None, "conv": "l2"})
    fc, conv = (model.get_layer(name).get_weights()[0] for name in ("fc", "conv"))
    expected = abs(fc).sum() + 0.01 * (conv**2).sum()
    own = 0.5 * (model.get_layer("prelu").get_weights()[0] ** 2).sum()
    assert penalty(result) - own == pytest.approx(expected, rel=1e-4)
    assert penalty(regularize(result, None)) == pytest.approx(own, rel=1e-4)


def test_the_copy_computes_the_same_and_survives_saving(tmp_path):
    model = changed(network())
    result = regularize(model, L2(0.01))
    x = RNG.normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_allclose(result(x), model(x), rtol=1e-5)
    assert [layer.name for layer in result.layers] == [layer.name for layer in model.layers]
    result.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert penalty(again) == pytest.approx(penalty(result), rel=1e-6)


def test_training_feels_it():
    """Without a loss of its own, w <- w - rate * 2 * strength * w in each step of SGD."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model = regularize(model, L2(0.1))
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.5), lambda y, p: 0.0 * keras.ops.sum(p))
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
    np.testing.assert_allclose(model.get_weights()[0], 0.9 * before[0], rtol=1e-6)
    np.testing.assert_array_equal(model.get_weights()[1], before[1])


def test_a_compiled_model_stays_compiled():
    model = network()
    model.compile(keras.optimizers.SGD(0.25), "mse")
    assert float(regularize(model, "l2").optimizer.learning_rate) == 0.25


def unregistered(y, p):
    return keras.ops.mean(p - y, axis=-1)


@pytest.mark.parametrize(
    "compiled",
    [
        {"loss": unregistered},
        {"loss": lambda y, p: unregistered(y, p)},
        {"loss": "mse", "metrics": [unregistered]},
    ],
)
def test_a_compilation_that_cannot_be_repeated_is_named(compiled):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="mine")
    model.compile("sgd", **compiled)
    with pytest.raises(InputError, match="of 'mine' cannot be repeated: register losses and"):
        regularize(model, "l2")
    inside = regularize(keras.Sequential([keras.Input((3,)), model]), "l2")  # is not asked for it
    assert not inside.compiled and model.compiled and len(inside.losses) == 1


def test_weights_that_are_left_out_of_weight_decay_stay_so():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dense(2)])
    adam = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    adam.exclude_from_weight_decay(var_names=["bias"])
    model.compile(adam, "mse")
    copy = regularize(model, "l2")
    found = [copy.optimizer._use_weight_decay(v) for v in copy.trainable_variables]
    assert found == [True, False, True, False]


def test_the_layers_own_option_stays_elsewhere():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, name="a", kernel_regularizer=L1(3.0), bias_regularizer=L1(2.0)),
            layers.Dense(3, name="b"),
        ]
    )
    result = regularize(model, {"b": L2(1.0)})
    assert float(result.get_layer("a").kernel_regularizer.l1) == 3.0
    assert float(regularize(model, "l2").get_layer("a").bias_regularizer.l1) == 2.0


def test_a_wrapped_layer_is_reached():
    wrapped = layers.TimeDistributed(layers.Dense(2), name="each")
    model = regularize(keras.Sequential([keras.Input((5, 3)), wrapped]), L1(1.0))
    assert penalty(model) == pytest.approx(abs(model.get_weights()[0]).sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"block*": "l2"}, r"No layer with a kernel has a name like 'block\*'. There are: conv, "),
        ("l3", "No regularizer of Keras or registered with it. Received: 'l3'"),
    ],
)
def test_bad_choices(choice, message):
    with pytest.raises(InputError, match=message):
        regularize(network(), choice)


def test_what_takes_no_penalty_is_named():
    model = keras.Sequential([keras.Input((3,)), Plain(name="mine"), layers.Dense(2)])
    with pytest.raises(InputError, match=r"'mine' \(Plain\).*{'mine': None"):
        regularize(model, "l2")
    assert penalty(regularize(model, {"mine": None, "*": "l2"})) > 0
    with pytest.raises(InputError, match="Received: Subclassed"):
        regularize(Subclassed(), "l2")


class Subclassed(keras.Model):
    pass


@keras.saving.register_keras_serializable(package="tests")
class Plain(layers.Layer):
    """A kernel that takes no regularizer."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 2), name="kernel")

    def call(self, x):
        return keras.ops.matmul(x, self.kernel)


def test_lenet5_takes_a_penalty_on_every_kernel():
    model = kc.models.LeNet5()
    kernels = [w for w in model.trainable_weights if w.path.endswith("kernel")]
    square = sum(float((keras.ops.convert_to_numpy(w) ** 2).sum()) for w in kernels)
    assert len(kernels) == 5
    assert penalty(regularize(model, L2(0.5))) == pytest.approx(0.5 * square, rel=1e-5)


def kl(x, target):
    """The sum over the last axis of KL(target || mean), from the definition."""
    mean = x.reshape(-1, x.shape[-1]).mean(0)
    return sum(
        target * np.log(target / m) + (1 - target) * np.log((1 - target) / (1 - m)) for m in mean
    )


@pytest.mark.parametrize("shape", [(8, 5), (4, 3, 3, 5)])
def test_kl_sparsity_is_the_divergence_whatever_the_batch(shape):
    x = RNG.uniform(0.01, 0.99, size=shape).astype("float32")
    layer = layers.Activation("linear", activity_regularizer=KLSparsity(0.1, 0.5))
    layer(x)
    assert float(layer.losses[0]) == pytest.approx(0.5 * kl(x, 0.1), rel=1e-4)
    layer(np.concatenate([x, x]))
    assert float(layer.losses[-1]) == pytest.approx(0.5 * kl(x, 0.1), rel=1e-4)


def test_kl_sparsity_squashes_what_has_no_end():
    x = np.random.default_rng(0).uniform(0, 3, size=(8, 5)).astype("float32")
    penalty = KLSparsity(0.1, 1.0, activation="tanh")
    assert float(penalty(x)) / 8 == pytest.approx(kl(np.tanh(x), 0.1), rel=1e-4)
    assert np.isfinite(float(KLSparsity(0.1)(x)))  # clipped


def test_units_that_are_hardly_ever_on_are_left_alone():
    """A ReLU that is on in one example of many would get a gradient without bound."""
    penalty = KLSparsity(0.1, 1.0)
    off, barely, on = (np.full((100, 1), mean, "float32") for mean in (0.0, 5e-4, 2e-3))
    assert float(penalty(off)) == float(penalty(barely)) > float(penalty(on))
    least = KLSparsity(1e-3, 1.0)  # smaller targets can still be reached
    off, on = (np.full((100, 1), mean, "float32") for mean in (1e-4, 5e-4))
    assert float(least(off)) > float(least(on)) > 0


@pytest.mark.thorough
def test_kl_sparsity_pulls_means_to_the_target_and_is_saved(tmp_path):
    keras.utils.set_random_seed(0)
    hidden = layers.Dense(8, "sigmoid", activity_regularizer=KLSparsity(0.1, 1.0), name="hidden")
    model = keras.Sequential([keras.Input((6,)), hidden])
    model.compile(keras.optimizers.Adam(0.05), lambda y, p: 0.0 * keras.ops.sum(p))
    x = RNG.normal(size=(64, 6))
    model.fit(x, np.zeros((64, 8)), epochs=150, batch_size=64, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0).mean(0), 0.1, atol=0.01)
    plain = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense.from_config(hidden.get_config())]
    )
    plain.save(tmp_path / "model.keras")
    again = kc.load_model(tmp_path / "model.keras").get_layer("hidden").activity_regularizer
    assert again.get_config() == hidden.activity_regularizer.get_config()


@pytest.mark.parametrize("options", [{"target": 0}, {"target": 1.5}, {"strength": -1}])
def test_kl_sparsity_refuses(options):
    with pytest.raises(InputError, match=r"must be in \(0, 1\)"):
        KLSparsity(**options)
