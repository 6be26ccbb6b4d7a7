import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.layers import FractalJoin, FractalPath
from tests.facts import FRACTALNET_DROP_RATE
from tests.oracles import paths as oracle

RNG = np.random.default_rng(0)
LOCAL = -1


def inputs(number, paths, columns=3):
    """The same random columns `number` times, and one path a sample."""
    xs = RNG.normal(size=(columns, 1, 2, 4)).astype("float32")
    return [*(np.tile(x, (number, 1, 1)) for x in xs), np.broadcast_to(np.int32(paths), number)]


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def kept_columns(join, xs):
    """Which columns each sample kept: found by what their mean is."""
    y = numpy(join(xs, training=True))
    subsets = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1).T[1:]
    means = np.stack([oracle.join([x[0] for x in xs[:-1]], kept) for kept in subsets])
    distance = abs(y[:, None] - means).max((2, 3))
    assert distance.min(1).max() < 1e-5  # each output is the mean of some of the inputs
    return subsets[distance.argmin(1)]


def test_inference_is_the_mean_whatever_the_path():
    for path in (LOCAL, 0, 7):
        xs = inputs(2, path)
        y = FractalJoin([0, 1, 2])(xs)
        np.testing.assert_allclose(y, oracle.join(xs[:-1], [1, 1, 1]), rtol=1e-5)


def test_local_drop_path_drops_each_input_and_keeps_at_least_one():
    kept = kept_columns(FractalJoin([0, 1, 2], seed=1), inputs(20_000, LOCAL))
    rate = FRACTALNET_DROP_RATE
    survivors, share = np.unique(kept.sum(1), return_counts=True)
    assert survivors.tolist() == [1, 2, 3]
    expected = [3 * rate**2 * (1 - rate) + rate**3, 3 * rate * (1 - rate) ** 2, (1 - rate) ** 3]
    np.testing.assert_allclose(share / len(kept), expected, atol=0.01)
    np.testing.assert_allclose(kept.mean(0), 1 - rate + rate**3 / 3, atol=0.01)


def test_where_all_would_be_dropped_one_survives_by_chance():
    kept = kept_columns(FractalJoin([0, 1, 2], drop_rate=1, seed=1), inputs(6000, LOCAL))
    assert (kept.sum(1) == 1).all()
    np.testing.assert_allclose(kept.mean(0), 1 / 3, atol=0.03)


def test_global_drop_path_keeps_the_drawn_column_of_each_sample():
    join = FractalJoin([0, 2, 3])
    for path, column in {0: 0, 2: 1, 3: 2}.items():
        xs = inputs(3, path)
        np.testing.assert_array_equal(join(xs, training=True), xs[column])
    xs = inputs(2, [0, 2])
    y = numpy(join(xs, training=True))
    np.testing.assert_array_equal(y, [xs[0][0], xs[1][1]])


def test_a_join_that_the_drawn_column_does_not_feed_draws_for_itself():
    kept = kept_columns(FractalJoin([0, 2, 3], seed=1), inputs(4000, 1))
    np.testing.assert_allclose(kept.mean(0), 1 - FRACTALNET_DROP_RATE, atol=0.02)


def test_one_path_holds_for_the_whole_batch():
    *columns, _ = inputs(50, LOCAL)
    join = FractalJoin([0, 1, 2], drop_rate=0.5, seed=1)
    outputs = [numpy(join([*columns, np.int32([LOCAL])], training=True)) for _ in range(20)]
    assert all((y == y[0]).all() for y in outputs)
    assert len({y.tobytes() for y in outputs}) > 2


def test_joins_draw_differently_but_share_the_global_column():
    image = keras.Input((1,))
    columns = [keras.layers.Rescaling(scale)(image) for scale in (1, 2, 4)]
    paths = FractalPath(3, mode="sample", seed=1)(image)
    joins = [FractalJoin([0, 1, 2], seed=seed)([*columns, paths]) for seed in (2, 3)]
    model = keras.Model(image, [paths, *joins])
    drawn, first, second = (np.ravel(y) for y in model(np.ones((4000, 1)), training=True))
    whole = drawn >= 0
    np.testing.assert_array_equal(first[whole], 2.0 ** drawn[whole])
    np.testing.assert_array_equal(second[whole], 2.0 ** drawn[whole])
    assert 0.2 < (first[~whole] != second[~whole]).mean() < 0.8


def test_half_of_the_paths_are_local_and_the_columns_share_the_rest():
    x = np.zeros((20_000, 1))
    drawn = numpy(FractalPath(4, mode="sample", seed=1)(x, training=True))
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [-1, 0, 1, 2, 3]
    np.testing.assert_allclose(counts / len(x), [0.5, *[0.125] * 4], atol=0.015)


@pytest.mark.parametrize(("share", "values"), [(0, {0, 1}), (1, {-1})])
def test_the_share_of_local_paths_may_be_none_or_all(share, values):
    layer = FractalPath(2, local_share=share, mode="sample", seed=1)
    assert set(numpy(layer(np.zeros((200, 1)), training=True)).tolist()) == values


def test_by_default_a_path_is_one_for_the_mini_batch():
    layer = FractalPath(3, seed=1)
    drawn = np.stack([numpy(layer(np.zeros((8, 5)), training=True)) for _ in range(60)])
    assert drawn.shape == (60, 1)
    assert set(drawn.flat) == {-1, 0, 1, 2}


def test_inference_has_no_path():
    assert numpy(FractalPath(3, mode="sample")(np.zeros((4, 5)))).tolist() == [-1] * 4


@pytest.mark.parametrize("options", [{"num_columns": 0}, {"num_columns": 2, "local_share": 1.5}])
def test_paths_that_cannot_be_are_refused(options):
    with pytest.raises(InputError, match="`num_columns` must be at least 1"):
        FractalPath(**options)


@pytest.mark.parametrize("columns", [[], [0, 0], [-1, 2]])
def test_columns_that_cannot_be_are_refused(columns):
    with pytest.raises(InputError, match="must be different integers"):
        FractalJoin(columns)


def test_a_rate_that_is_none_is_refused():
    with pytest.raises(InputError, match=r"`drop_rate` must be in \[0, 1\]"):
        FractalJoin([0, 1], drop_rate=1.5)


@pytest.mark.parametrize("shapes", [[(8,), (8,)], [(8,), (1,), ()], [(8,)] * 3 + [()]])
def test_inputs_that_do_not_fit_the_columns_are_refused(shapes):
    with pytest.raises(InputError, match=r"columns=\[0, 1\].*last the output of FractalPath"):
        FractalJoin([0, 1])([keras.Input(shape) for shape in shapes])
