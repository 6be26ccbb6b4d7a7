import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.layers import StochasticDepthAdd, survival_rates
from tests.facts import STOCHASTIC_DEPTH_LAST, STOCHASTIC_DEPTH_MEAN_BLOCKS
from tests.oracles import paths as oracle

RNG = np.random.default_rng(0)


def inputs(number):
    """The same random shortcut and branch, `number` times."""
    return [np.tile(x, (number, 1, 1)) for x in RNG.normal(size=(2, 1, 3, 4)).astype("float32")]


def train(layer, xs):
    return keras.ops.convert_to_numpy(layer(xs, training=True))


def test_inference_is_the_papers_equation_5():
    xs = inputs(2)
    layer = StochasticDepthAdd(0.7, activation="relu")
    expected = oracle.stochastic_depth_inference(*xs, 0.7)
    np.testing.assert_allclose(layer(xs), expected, rtol=1e-6)


def test_a_sample_is_dropped_or_kept_as_a_whole():
    xs = shortcut, branch = inputs(4000)
    y = train(StochasticDepthAdd(0.7, "sample", "relu", seed=1), xs)
    kept = (y == np.maximum(0, shortcut + branch)).all((1, 2))
    np.testing.assert_array_equal(y, oracle.stochastic_depth(*xs, kept))
    assert kept.mean() == pytest.approx(0.7, abs=0.03)


def test_by_default_a_mini_batch_is_dropped_or_kept_as_a_whole():
    xs = shortcut, branch = inputs(8)
    layer = StochasticDepthAdd(0.7, seed=1)
    kept = 0
    for _ in range(200):
        y = train(layer, xs)
        whole = (y == shortcut + branch).all()
        assert whole or (y == shortcut).all()
        kept += whole
    assert kept / 200 == pytest.approx(0.7, abs=0.1)


def test_inference_is_the_expectation_of_training_before_the_relu_and_not_after_it():
    xs = inputs(50_000)
    mean = train(StochasticDepthAdd(0.6, "sample", seed=1), xs).mean(0)
    inference = np.asarray(StochasticDepthAdd(0.6)(xs))[0]
    np.testing.assert_allclose(mean, inference, atol=0.02)
    mean = train(StochasticDepthAdd(0.6, "sample", "relu", seed=1), xs).mean(0)
    assert abs(mean - np.maximum(0, inference)).max() > 0.05


@pytest.mark.parametrize("mode", ["batch", "sample"])
@pytest.mark.parametrize("training", [False, True])
def test_with_survival_rate_1_it_is_an_addition(mode, training):
    xs = inputs(100)
    y = StochasticDepthAdd(1, mode)(xs, training=training)
    np.testing.assert_array_equal(y, keras.layers.Add()(xs))


def test_the_branch_has_a_gradient_only_where_it_survives():
    import tensorflow as tf

    shortcut, branch = (tf.constant(x) for x in inputs(50))
    layer = StochasticDepthAdd(0.5, "sample", seed=1)
    with tf.GradientTape() as tape:
        tape.watch([shortcut, branch])
        y = layer([shortcut, branch], training=True)
        total = tf.reduce_sum(y)
    by_shortcut, by_branch = tape.gradient(total, [shortcut, branch])
    np.testing.assert_array_equal(by_shortcut, np.ones(y.shape))
    np.testing.assert_array_equal(by_branch, y.numpy() != shortcut.numpy())


def test_survival_falls_linearly_to_the_last_block():
    rates = survival_rates(54)
    np.testing.assert_allclose(rates, oracle.linear_decay(54, STOCHASTIC_DEPTH_LAST))
    assert rates[-1] == STOCHASTIC_DEPTH_LAST
    # "approximately 40 blocks" of the 54 survive: (3L - 1) / 4
    assert sum(rates) == pytest.approx(STOCHASTIC_DEPTH_MEAN_BLOCKS, abs=0.5)
    assert survival_rates(3, last=1) == [1, 1, 1]


@pytest.mark.parametrize("arguments", [(0,), (4, 0), (4, 1.1)])
def test_rates_that_are_none_are_refused(arguments):
    with pytest.raises(InputError, match="`num_blocks` must be at least 1"):
        survival_rates(*arguments)


@pytest.mark.parametrize("rate", [0, -0.5, 1.5])
def test_a_survival_rate_that_is_none_is_refused(rate):
    with pytest.raises(InputError, match="`survival_rate` must be in"):
        StochasticDepthAdd(rate)


def test_an_unknown_mode_is_refused():
    with pytest.raises(InputError, match="Did you mean 'sample'"):
        StochasticDepthAdd(0.5, mode="samples")


@pytest.mark.parametrize("shapes", [[(8,), (1,)], [(2, 8), (8,)], [(8,)], [(8,)] * 3])
def test_other_inputs_than_two_of_one_shape_are_refused(shapes):
    xs = [keras.Input(shape) for shape in shapes]
    with pytest.raises(InputError, match=r"\[shortcut, branch\]"):
        StochasticDepthAdd(0.5)(xs)
    with pytest.raises(InputError, match=r"\[shortcut, branch\]"):
        StochasticDepthAdd(0.5)(xs[0])
