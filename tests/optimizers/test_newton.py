"""Newton's method with damping, on functions whose minima are known."""

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der, rosen_hess

from kerascnn.optimizers.newton import damped_newton


def newton(fun, x0, jac, hess, **options):
    return minimize(fun, x0, method=damped_newton, jac=jac, hess=hess, options=options)


def test_one_step_of_a_parabola():
    a = np.array([[3.0, 1.0], [1.0, 2.0]])
    result = newton(
        lambda x: x @ a @ x / 2 - x.sum(), np.array([5.0, -7.0]), lambda x: a @ x - 1,
        lambda x: a, damping=1e-12,
    )  # fmt: skip
    assert result.nit == 1 and result.success
    np.testing.assert_allclose(result.x, np.linalg.solve(a, np.ones(2)), rtol=1e-9)


def test_the_valley_of_rosenbrock():
    path = []
    result = minimize(
        rosen, np.full(6, -1.3), method=damped_newton, jac=rosen_der, hess=rosen_hess,
        callback=lambda intermediate_result: path.append(intermediate_result.fun),
    )  # fmt: skip
    assert result.success and len(path) == result.nit
    assert (np.diff(path) < 0).all()
    assert np.abs(rosen_der(result.x)).max() < 1e-5


def test_from_a_saddle_it_descends_where_the_plain_step_would_climb():
    """x^2 - y^2 + y^4 / 4: Newton's step without damping leads from (1, 0.1) to the saddle."""

    def slope(x):
        return np.array([2 * x[0], -2 * x[1] + x[1] ** 3])

    def curvature(x):
        return np.diag([2.0, -2 + 3 * x[1] ** 2])

    start = np.array([1.0, 0.1])
    plain = start - np.linalg.solve(curvature(start), slope(start))
    np.testing.assert_allclose(plain, 0, atol=2e-3)
    result = newton(lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4, start, slope, curvature)
    np.testing.assert_allclose(result.x, [0, np.sqrt(2)], atol=1e-4)


@pytest.mark.parametrize("damping", [1e3, 1e6])
def test_much_damping_is_gradient_descent(damping):
    start = np.array([-1.2, 1.0])
    result = newton(rosen, start, rosen_der, rosen_hess, damping=damping, maxiter=1)
    step = result.x - start
    expected = -rosen_der(start) / damping
    assert step @ expected > 0.6 * np.linalg.norm(step) * np.linalg.norm(expected)
    assert result.status == 1 and "used up" in result.message
    if damping == 1e6:
        np.testing.assert_allclose(step, expected, rtol=0.01)


def test_where_rounding_is_coarser_than_the_tolerance_it_ends():
    result = newton(
        lambda x: round(float(x @ x), 3), np.array([1.0]), lambda x: 2 * x + 1e-3,
        lambda x: np.array([[2.0]]), gtol=1e-9,
    )  # fmt: skip
    assert not result.success and "No step lowers the loss" in result.message
