"""Newton's method with damping, as a method of `scipy.optimize.minimize`."""

import numpy as np
import scipy.linalg
from scipy.optimize import OptimizeResult

_LARGEST = 1e12  # with it a step is too short to change the loss


def damped_newton(
    fun, x0, args=(), jac=None, hess=None, callback=None, maxiter=100, gtol=1e-5, damping=1e-3, **_
):
    """x = x - (H + a I)^-1 g, with a as small as the loss falls and H + a I is positive.

    The damping a grows tenfold after a step that fails, and shrinks tenfold after one that
    succeeds: from Newton's step towards gradient descent at the rate 1 / a, and back.

    Source: lecture notes ECE239AS, "regularize the Hessian", with Levenberg's and Marquardt's rule
    for a. Differs: no.

    Args:
        fun, x0, args, jac, hess, callback: as SciPy passes them to a custom method; what else it
            passes is not used.
        maxiter: int. Largest number of steps.
        gtol: float. Ends when no component of the gradient is larger.
        damping: float > 0. The first a.

    Returns:
        `OptimizeResult` with `x`, `fun`, `jac`, `nit`, `damping`, `success`, `status`, `message`.

    >>> from scipy.optimize import minimize, rosen, rosen_der, rosen_hess
    >>> result = minimize(rosen, [-1.2, 1.0], jac=rosen_der, hess=rosen_hess, method=damped_newton)
    >>> result.x.round(6), result.success
    (array([1., 1.]), True)
    """
    x, value, iteration, message = np.asarray(x0, "f8"), fun(x0, *args), 0, ""
    gradient = jac(x, *args)
    while np.abs(gradient).max() > gtol and iteration < maxiter and not message:
        hessian = hess(x, *args)
        step, value, damping = _descent(fun, x, args, value, gradient, hessian, damping)
        if step is None:
            message = "No step lowers the loss: it is as low as its rounding allows."
        else:
            x, iteration = x + step, iteration + 1
            gradient = jac(x, *args)
            if callback is not None:
                callback(OptimizeResult(x=x, fun=value))
    success = bool(np.abs(gradient).max() <= gtol)
    message = message or ("The gradient vanished." if success else "The iterations are used up.")
    return OptimizeResult(
        x=x, fun=value, jac=gradient, nit=iteration, damping=damping, success=success,
        status=int(not success), message=message,
    )  # fmt: skip


def _descent(fun, x, args, value, gradient, hessian, damping):
    """(step, loss there, damping for the next one); the step is None if there is none."""
    while damping < _LARGEST:
        try:
            factor = scipy.linalg.cho_factor(hessian + damping * np.eye(len(x)))
            step = -scipy.linalg.cho_solve(factor, gradient)
            new = fun(x + step, *args)
        except scipy.linalg.LinAlgError:  # a negative eigenvalue: the step would climb
            new = np.inf
        if new < value:
            return step, new, max(damping / 10, 1e-12)
        damping *= 10
    return None, value, damping
