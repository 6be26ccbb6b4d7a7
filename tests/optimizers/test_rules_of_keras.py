"""Keras's optimisers against the rules of the notes and papers, step by step.

Each rule is followed with the mapping that `kerascnn.optimizers` documents; without it the steps
differ, which the tests see too.
"""

import keras
import numpy as np
import pytest

from tests.oracles import update_rules as rules

K = keras.optimizers
STEPS = 20
CURVATURE = np.array([[3.0, 0.4, 0.0], [0.4, 1.0, 0.2], [0.0, 0.2, 0.1]])
START = np.array([1.0, -2.0, 3.0])


def bowl(w):
    """The gradient of a quadratic, which is neither round nor axis-parallel."""
    return CURVATURE @ w


def with_decay(w):
    """The gradient with `keras.regularizers.L2(0.00025)`: l sum(w^2), without a half."""
    return bowl(w) + 2 * 0.00025 * w


def tiny(w):
    """Gradients as small as the epsilons."""
    return 1e-6 * bowl(w)


def shortened(w):
    """The bowl's gradient, at most 0.5 long."""
    return bowl(w) * min(1, 0.5 / np.linalg.norm(bowl(w)))


def path_of(optimizer, gradient=bowl, start=START, before=lambda optimizer, step: None):
    """The weights after each step of a Keras optimiser."""
    variable = keras.Variable(start.astype("float32"))
    optimizer.build([variable])
    path = []
    for step in range(1, STEPS + 1):
        before(optimizer, step)
        optimizer.apply([gradient(np.asarray(variable, "f8")).astype("float32")], [variable])
        path.append(np.array(variable, "f8"))
    return path


def uncorrected(rate, rho_1=0.9, rho_2=0.999):
    """The schedule of the package's table: Adam's bias correction, undone."""

    class Uncorrected(K.schedules.LearningRateSchedule):
        def __call__(self, step):
            t = keras.ops.cast(step, "float32") + 1
            return rate * (1 - rho_1**t) / keras.ops.sqrt(1 - rho_2**t)

    return Uncorrected()


def epsilon_of_paper(epsilon):
    def set_epsilon(optimizer, step):
        optimizer.epsilon = epsilon * np.sqrt(1 - 0.999**step)

    return set_epsilon


SAME = {  # name: (rule, Keras's way to get it)
    "gradient descent": (
        lambda: rules.gradient_descent(bowl, START, STEPS, 0.1),
        lambda: path_of(K.SGD(0.1)),
    ),
    "momentum": (
        lambda: rules.momentum(bowl, START, STEPS, 0.1),
        lambda: path_of(K.SGD(0.1, momentum=0.9)),
    ),
    "Nesterov, stored": (
        lambda: rules.nesterov_stored(bowl, START, STEPS, 0.1),
        lambda: path_of(K.SGD(0.1, momentum=0.9, nesterov=True)),
    ),
    "AdaGrad": (
        lambda: rules.adagrad(bowl, START, STEPS, 0.1, nu=1e-7),
        lambda: path_of(K.Adagrad(0.1, initial_accumulator_value=0.0, epsilon=1e-14)),
    ),
    "RMSProp": (
        lambda: rules.rmsprop(bowl, START, STEPS, 0.1, nu=1e-7),
        lambda: path_of(K.RMSprop(0.1, rho=0.9, epsilon=1e-14)),
    ),
    "Adam without correction": (
        lambda: rules.adam_uncorrected(tiny, START, STEPS, 0.1),
        lambda: path_of(K.Adam(uncorrected(0.1), epsilon=1e-8), tiny),
    ),
    "Adam": (
        lambda: rules.adam(tiny, START, STEPS, 0.1, epsilon=1e-6),
        lambda: path_of(K.Adam(0.1), tiny, before=epsilon_of_paper(1e-6)),
    ),
    "AdamW": (
        lambda: rules.adam(bowl, 10 * START, STEPS, 0.1, decay=0.004),
        lambda: path_of(K.AdamW(0.1, weight_decay=0.04, epsilon=1e-8), start=10 * START),
    ),
    "clipped by its norm": (
        lambda: rules.gradient_descent(shortened, START, STEPS, 0.1),
        lambda: path_of(K.SGD(0.1, clipnorm=0.5)),
    ),
    "clipped by value": (
        lambda: rules.gradient_descent(lambda w: np.clip(bowl(w), -0.5, 0.5), START, STEPS, 0.1),
        lambda: path_of(K.SGD(0.1, clipvalue=0.5)),
    ),
    "AlexNet": (
        lambda: rules.alexnet(bowl, START, STEPS, 0.1),
        lambda: path_of(K.SGD(0.1, momentum=0.9), with_decay),
    ),
    "PReLU's slope": (
        lambda: rules.prelu(bowl, START, STEPS, 0.1),
        lambda: path_of(K.SGD(0.1, momentum=0.9)),
    ),
}


@pytest.mark.parametrize("rule, keras_way", SAME.values(), ids=SAME)
def test_the_same_step_by_step(rule, keras_way):
    np.testing.assert_allclose(keras_way(), rule(), rtol=3e-5, atol=3e-6)


DIFFERENT = {  # name: (rule, Keras's way that looks the same, the least difference)
    "Nesterov, ahead": (
        lambda: rules.nesterov_ahead(bowl, START, STEPS, 0.1),
        lambda: path_of(K.SGD(0.1, momentum=0.9, nesterov=True)),
        0.1,
    ),
    "AdaGrad's start": (
        lambda: rules.adagrad(bowl, START, STEPS, 0.1),
        lambda: path_of(K.Adagrad(0.1)),
        0.01,
    ),
    "AdaGrad's epsilon": (
        lambda: rules.adagrad(tiny, START, STEPS, 0.1),
        lambda: path_of(K.Adagrad(0.1, initial_accumulator_value=0.0), tiny),
        0.01,
    ),
    "RMSProp's epsilon": (
        lambda: rules.rmsprop(tiny, START, STEPS, 0.1),
        lambda: path_of(K.RMSprop(0.1), tiny),
        0.01,
    ),
    "Adam's correction": (
        lambda: rules.adam_uncorrected(bowl, START, STEPS, 0.1),
        lambda: path_of(K.Adam(0.1)),
        0.1,
    ),
    "Adam's epsilon": (
        lambda: rules.adam(tiny, START, STEPS, 0.1, epsilon=1e-7),
        lambda: path_of(K.Adam(0.1, epsilon=1e-7), tiny),
        0.01,
    ),
    "AdamW's decay": (
        lambda: rules.adam(bowl, START, STEPS, 0.1, decay=0.04),
        lambda: path_of(K.AdamW(0.1, weight_decay=0.04, epsilon=1e-8)),
        0.01,
    ),
    "AlexNet's decay": (
        lambda: rules.alexnet(bowl, START, STEPS, 0.1, decay=0.05),
        lambda: path_of(K.SGD(0.1, momentum=0.9, weight_decay=0.05)),
        0.01,
    ),
}


@pytest.mark.parametrize("rule, keras_way, least", DIFFERENT.values(), ids=DIFFERENT)
def test_without_the_mapping_they_differ(rule, keras_way, least):
    difference = np.abs(np.array(keras_way()) - rule()).max()
    assert least < difference < 10


def test_nesterov_of_keras_stores_the_point_ahead():
    """Its weights minus momentum times velocity are those of the notes' first form."""
    variable = keras.Variable(START.astype("float32"))
    optimizer = K.SGD(0.1, momentum=0.9, nesterov=True)
    optimizer.build([variable])
    for expected in rules.nesterov_ahead(bowl, START, STEPS, 0.1):
        optimizer.apply([bowl(np.asarray(variable, "f8")).astype("float32")], [variable])
        velocity = np.asarray(optimizer.momentums[0])
        np.testing.assert_allclose(variable - 0.9 * velocity, expected, rtol=3e-5, atol=3e-6)


def test_the_notes_other_sign_is_no_nesterov():
    """(1 - rho) v - rho v_prev climbs a parabola that the rule descends."""
    w, v = 1.0, 0.0
    for _ in range(200):
        v, v_prev = 0.9 * v - 0.1 * w, v
        w = w + (1 - 0.9) * v - 0.9 * v_prev
    right = rules.nesterov_stored(lambda w: w, 1.0, 200, 0.1)[-1]
    assert abs(right) < 1e-4 and abs(w) > 10


def test_the_slope_of_prelu():
    """Keras's gradient of a channel's slope; it starts at 0, and shares nothing unless told."""
    rng = np.random.default_rng(0)
    y, upstream = rng.normal(size=(2, 4, 3, 3, 5)).astype("float32")
    layer = keras.layers.PReLU(shared_axes=[1, 2])
    model = keras.Sequential([keras.Input((3, 3, 5)), layer])
    assert layer.alpha.shape == (1, 1, 5) and not np.any(layer.alpha)
    layer.set_weights([np.full((1, 1, 5), 0.25)])
    model.compile(K.SGD(1.0), loss=lambda upstream, f: keras.ops.sum(upstream * f, (1, 2, 3)))
    model.train_on_batch(y, upstream)
    gradient = 0.25 - layer.get_weights()[0].ravel()  # the mean over the 4 samples
    expected = rules.prelu_slope_gradient(y, upstream)
    np.testing.assert_allclose(4 * gradient, expected, rtol=1e-4, atol=1e-5)


def network(optimizer, regularizer=None):
    """A small network, always from the same start."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, "tanh", kernel_regularizer=regularizer, use_bias=False),
            keras.layers.Dense(1, kernel_regularizer=regularizer, use_bias=False),
        ]
    )
    model.compile(optimizer, "mse")
    return model


def test_alexnets_rule_in_a_network():
    """L2(decay / 2) and momentum are the rule, with gradients by hand; `weight_decay` is not."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 4)), rng.normal(size=(16, 1))
    decay, shapes = 0.05, [(4, 5), (5, 1)]
    start = np.concatenate([w.ravel() for w in network(K.SGD(0.1)).get_weights()])

    def gradient(w):
        first, last = w[:20].reshape(shapes[0]), w[20:].reshape(shapes[1])
        hidden = np.tanh(x @ first)
        error = 2 * (hidden @ last - y) / len(x)
        back = error @ last.T * (1 - hidden**2)
        return np.concatenate([(x.T @ back).ravel(), (hidden.T @ error).ravel()])

    expected = rules.alexnet(gradient, start, STEPS, 0.1, decay=decay)[-1]
    inside = network(K.SGD(0.1, momentum=0.9), keras.regularizers.L2(decay / 2))
    beside = network(K.SGD(0.1, momentum=0.9, weight_decay=decay))
    differences = []
    for model in (inside, beside):
        for _ in range(STEPS):
            model.train_on_batch(x, y)
        w = np.concatenate([w.ravel() for w in model.get_weights()])
        differences.append(np.abs(w - expected).max())
    assert differences[0] < 1e-5 and differences[1] > 0.01


def test_the_mean_that_keras_keeps():
    """`use_ema`: the first step's weights, then m mean + (1 - m) w."""
    optimizer = K.SGD(0.1, use_ema=True, ema_momentum=0.9)
    variable = keras.Variable(START.astype("float32"))
    optimizer.build([variable])
    path = rules.gradient_descent(bowl, START, STEPS, 0.1)
    mean = path[0]
    for step, w in enumerate(path):
        gradient = bowl(np.asarray(variable, "f8")).astype("float32")
        optimizer.apply([gradient], [variable])
        mean = 0.9 * mean + 0.1 * w if step else w
    optimizer.finalize_variable_values([variable])
    np.testing.assert_allclose(variable, mean, rtol=1e-5)
