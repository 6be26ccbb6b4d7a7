"""Stochastic diagonal Levenberg-Marquardt takes the paper's steps."""

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.optimizers import StochasticDiagonalLM
from tests.oracles import update_rules as rules

CURVATURE = np.array([4.0, 0.5, 0.0])
START = np.array([1.0, -2.0, 3.0])


def bowl(w):
    return CURVATURE * w


def path_of(optimizer, curvature=None):
    variable = keras.Variable(START.astype("float32"))
    optimizer.build([variable])
    if curvature is not None:
        optimizer.set_curvatures([curvature])
    path = []
    for _ in range(10):
        optimizer.apply([bowl(np.asarray(variable, "f8")).astype("float32")], [variable])
        path.append(np.array(variable, "f8"))
    return path


@pytest.mark.parametrize("mu", [0.02, 1.0])
def test_the_steps_of_the_paper(mu):
    expected = rules.levenberg_marquardt(bowl, START, 10, 0.1, CURVATURE, mu)
    path = path_of(StochasticDiagonalLM(0.1, mu=mu), CURVATURE)
    np.testing.assert_allclose(path, expected, rtol=1e-5)


def test_with_the_true_curvature_a_parabola_needs_one_step_and_mu_keeps_flat_weights():
    path = path_of(StochasticDiagonalLM(1.0, mu=1e-6), CURVATURE)
    np.testing.assert_allclose(path[0], [0, 0, 3], atol=1e-5)


def test_before_any_estimate_the_curvature_is_one():
    expected = rules.levenberg_marquardt(bowl, START, 10, 0.1, 1.0)
    np.testing.assert_allclose(path_of(StochasticDiagonalLM(0.1)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "options, told",
    [({"learning_rate": -1}, "learning_rate must be above 0"), ({"mu": 0.0}, "mu must be above 0")],
)
def test_bad_arguments(options, told):
    with pytest.raises(InputError, match=told):
        StochasticDiagonalLM(**options)
