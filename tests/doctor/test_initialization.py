"""Starts as the lecture notes draw them, against theory; those of known good and bad networks."""

import keras
import numpy as np
import pytest
from keras import layers

from kerascnn import InputError, models
from kerascnn.doctor import audit_initialization

WIDTH, DEPTH = 4096, 6
RNG = np.random.default_rng(0)


def normal(std):
    return keras.initializers.RandomNormal(stddev=std, seed=0)


def deep(initializer, activation, width=WIDTH, depth=DEPTH, **options):
    hidden = [
        layers.Dense(
            width,
            activation,
            use_bias=False,
            kernel_initializer=initializer,
            name=f"l{i}",
            **options,
        )
        for i in range(depth)
    ]
    return keras.Sequential([keras.Input((width,)), *hidden])


def expected_stds(weight_std, activation):
    """Those of an endlessly wide network: q' = E[f(sqrt(n q) * weight_std * z)^2], z normal."""
    z, share = np.polynomial.hermite_e.hermegauss(201)
    share = share / share.sum()
    q, stds = 1.0, []
    for _ in range(DEPTH):
        y = activation(np.sqrt(WIDTH * q) * weight_std * z)
        q = (share * y**2).sum()
        stds.append(np.sqrt(q - (share * y).sum() ** 2))
    return stds


def relu(x):
    return np.maximum(x, 0)


FIGURES = [  # start, std of a weight, activation, its NumPy form, verdicts of l0 .. l4
    pytest.param(
        normal(0.001), 0.001, "tanh", np.tanh, ["vanishing"] * 5, marks=pytest.mark.slow, id="0.001"
    ),
    pytest.param(
        normal(0.01),
        0.01,
        "tanh",
        np.tanh,
        ["fine"] * 4 + ["vanishing"],
        marks=pytest.mark.slow,
        id="0.01",
    ),
    pytest.param(normal(0.05), 0.05, "tanh", np.tanh, ["saturated"] * 5, id="0.05"),
    pytest.param(
        "lecun_normal",
        WIDTH**-0.5,
        "tanh",
        np.tanh,
        ["fine"] * 5,
        marks=pytest.mark.slow,
        id="Xavier",
    ),
    pytest.param(
        "he_normal", (2 / WIDTH) ** 0.5, "relu", relu, ["fine"] * 5, marks=pytest.mark.slow, id="He"
    ),
]


@pytest.mark.parametrize(("initializer", "std", "activation", "function", "verdicts"), FIGURES)
def test_the_figures_of_the_notes(initializer, std, activation, function, verdicts):
    keras.utils.set_random_seed(0)
    rows = audit_initialization(deep(initializer, activation), RNG.normal(size=(16, WIDTH)))
    found = [row.std for row in rows]
    np.testing.assert_allclose(found, expected_stds(std, function), rtol=0.08)
    assert [row.verdict for row in rows[:5]] == verdicts
    for row in rows:
        assert np.sum(row.activations[0]) == 16 * WIDTH and len(row.activations[1]) == 51


def test_saturation_is_the_share_at_the_ends():
    """For 0.05 the first layer's sums are N(0, 3.2^2): |tanh| > 0.99 where they are above 2.65."""
    row = audit_initialization(deep(normal(0.05), "tanh", depth=1), RNG.normal(size=(16, WIDTH)))[0]
    z = RNG.normal(size=10**6) * 3.2
    assert row.saturated == pytest.approx((abs(np.tanh(z)) > 0.99).mean(), abs=0.01)


def small(**options):
    return [
        keras.Input((10,)),
        layers.Dense(8, "tanh", name="a", **options),
        layers.Dense(8, "tanh", name="b", **options),
        layers.Dense(3, name="last", **options),
    ]


X = RNG.normal(size=(32, 10)).astype("float32")


def verdicts(network, x=X, labels=None):
    model = network if isinstance(network, keras.Model) else keras.Sequential(network)
    return {row.layer: row.verdict for row in audit_initialization(model, x, labels)}


@pytest.mark.parametrize("value", ["zeros", keras.initializers.Constant(0.3)])
def test_equal_weights_are_symmetric(value):
    found = verdicts(small(kernel_initializer=value))
    assert found["a"] == found["b"] == "symmetric"


def test_zeros_in_the_last_layer_alone_are_no_fault_of_their_own():
    network = [*small()[:-1], layers.Dense(3, kernel_initializer="zeros", name="last")]
    assert "symmetric" not in verdicts(network).values()


def hidden(activation, **options):
    return layers.Dense(50, activation, **options)


@pytest.mark.parametrize(
    ("verdict", "network"),
    [
        ("dead", lambda: [hidden("relu", bias_initializer=keras.initializers.Constant(-99))]),
        ("exploding", lambda: [hidden("relu", kernel_initializer=normal(2.0)) for _ in range(3)]),
        ("exploding", lambda: [hidden("exponential", kernel_initializer=normal(99.0))]),  # infinite
        ("vanishing", lambda: [hidden("sigmoid") for _ in range(9)]),
    ],
)
def test_bad_starts(verdict, network):
    with np.errstate(invalid="ignore"):
        found = verdicts([keras.Input((10,)), *network(), layers.Dense(3)])
    assert list(found.values())[-2] == verdict


def test_gradients_are_those_of_the_loss():
    """By hand for a linear network and the mean squared error: 2 x^T (x w - y) / (n k)."""
    model = keras.Sequential([keras.Input((10,)), layers.Dense(3, name="last")])
    model.compile("sgd", "mse")
    y = RNG.normal(size=(32, 3)).astype("float32")
    (row,) = audit_initialization(model, X, y)
    gradient = 2 * X.T @ (X @ model.get_weights()[0] - y) / (32 * 3)
    assert row.gradient_std == pytest.approx(np.sqrt((gradient**2).mean()), rel=1e-4)
    assert np.sum(row.gradients[0]) == 30
    assert row.gradients[1][0] == pytest.approx(gradient.min(), rel=1e-4)


def test_the_model_stays_as_it_is():
    model = models.CifarResNet20()
    before = [np.array(v) for v in model.variables]
    audit_initialization(model, RNG.normal(size=(8, 32, 32, 3)))
    for a, b in zip(before, model.variables):
        np.testing.assert_array_equal(a, b)


def test_published_networks():
    """Residual and normalised ones start well; VGG from N(0, 0.01^2) alone, as it is known, not."""
    x = RNG.normal(size=(8, 32, 32, 3))
    for model in (models.CifarResNet20(), models.CifarPlainNet20()):
        assert set(verdicts(model, x).values()) == {"fine"}
    found = list(verdicts(models.VGG16(input_shape=(32, 32, 3), classes=10), x).values())
    assert set(found[:-1]) == {"vanishing"}


def test_activation_layers_have_rows_and_nested_models_are_opened():
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv")], name="in")
    inputs = keras.Input((8, 8, 3))
    x = layers.ReLU(name="relu")(layers.BatchNormalization()(inner(inputs)))
    model = keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x)))
    rows = audit_initialization(model, RNG.normal(size=(8, 8, 8, 3)))
    assert [row.layer for row in rows] == ["conv", "relu", "out"]
    assert rows[1].gradient_std is None and 0.4 < rows[1].zero < 0.6
    assert "conv: fine; outputs" in str(rows[0]) and "gradient" in str(rows[0])


def test_bad_arguments():
    flat = keras.Sequential([keras.Input((10,)), layers.ReLU()])
    with pytest.raises(InputError, match="has no layer with a kernel"):
        audit_initialization(flat, X)
    with pytest.raises(InputError, match="must be compiled"):
        audit_initialization(keras.Sequential(small()), X, np.zeros(32))
