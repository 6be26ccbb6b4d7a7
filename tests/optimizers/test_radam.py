"""RAdam takes the paper's steps."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.optimizers import RAdam
from tests.oracles import update_rules as rules

START = np.array([1.0, -2.0, 3.0])
CURVATURE = np.array([[3.0, 0.4, 0.0], [0.4, 1.0, 0.2], [0.0, 0.2, 0.1]])


def bowl(w):
    return CURVATURE @ w


def path_of(optimizer, steps):
    variable = keras.Variable(START.astype("float32"))
    optimizer.build([variable])
    path = []
    for _ in range(steps):
        optimizer.apply([bowl(np.asarray(variable, "f8")).astype("float32")], [variable])
        path.append(np.array(variable, "f8"))
    return path


@pytest.mark.parametrize("beta_1, beta_2", [(0.9, 0.999), (0.9, 0.9), (0.0, 0.99)])
def test_the_steps_of_the_paper(beta_1, beta_2):
    options = {"beta_1": beta_1, "beta_2": beta_2}
    expected = rules.radam(bowl, START, 60, 0.01, **options)
    path = path_of(RAdam(0.01, **options, epsilon=1e-12), 60)
    np.testing.assert_allclose(path, expected, rtol=1e-5, atol=2e-6)


def test_the_adaptive_rate_begins_at_the_fifth_step():
    """rho is 3.997 in step 4 and 4.995 in step 5, so that a threshold of 5 begins in step 6."""
    paper = rules.radam(bowl, START, 6, 0.01)
    later = rules.radam(bowl, START, 6, 0.01, threshold=5)
    path = path_of(RAdam(0.01), 6)
    steps = np.abs(np.diff([START, *path], axis=0)).max(1)
    assert steps[3] > 10 * steps[4]
    np.testing.assert_allclose(path[3], later[3], rtol=1e-5)
    assert np.abs(path[4] - paper[4]).max() < 1e-6 < np.abs(path[4] - later[4]).max()


@pytest.mark.parametrize(
    "options, told",
    [
        ({"learning_rate": -0.1}, "learning_rate must be above 0"),
        ({"beta_1": 1.0}, "beta_1=1.0"),
        ({"beta_2": 0.6}, "beta_2 in"),
        ({"epsilon": 0.0}, "epsilon must be above 0"),
    ],
)
def test_bad_arguments(options, told):
    with pytest.raises(InputError, match=told):
        RAdam(**options)
