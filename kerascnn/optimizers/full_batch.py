"""Full-batch minimisation of a Keras model by SciPy's first- and second-order methods."""

import time

import numpy as np
import scipy.optimize
import tqdm

from kerascnn._derivatives import Objective
from kerascnn._errors import InputError, NonFiniteError, one_of, whole
from kerascnn.optimizers.newton import damped_newton

__all__ = ["minimize_full_batch"]

_METHODS = ("L-BFGS-B", "CG", "Newton-CG", "trust-ncg", "BFGS", "Newton")
_WITH_PRODUCTS = ("Newton-CG", "trust-ncg")
_WITH_A_MATRIX = ("BFGS", "Newton")
_MOST_PARAMETERS = 5_000  # of those with a matrix: 200 MB


def minimize_full_batch(
    model,
    x,
    y,
    method="L-BFGS-B",
    max_iterations=100,
    sample_weight=None,
    batch_size=256,
    verbose=True,
):
    """Minimise the loss over all the data by SciPy: L-BFGS, conjugate gradients, Newton.

    | method | uses | memory for n parameters |
    |---|---|---|
    | "L-BFGS-B" | gradients; the best default | 20 n |
    | "CG" | gradients; nonlinear conjugate gradients | 4 n |
    | "Newton-CG", "trust-ncg" | Hessian-free: exact products of it and vectors | 6 n |
    | "BFGS" | gradients, and an n x n matrix | n^2 |
    | "Newton" | the n x n Hessian, damped: x - (H + a I)^-1 g | 2 n^2 |

    The last two refuse models of more than 5,000 parameters. Only trainable weights move. The loss
    is the one of `model.evaluate`: regularisers count, dropout is off, and batch normalisation uses
    its moving statistics, which stay as they are. Weight constraints are not applied. The data goes
    through in batches, so that memory does not grow with the number of samples. The model ends with
    the best weights that were met, also after Ctrl-C or an error.

    Weights and gradients are the model's float32, so SciPy may report at the very end that the line
    search found no better point: the loss is then as low as its rounding allows.

    Source: SciPy's `minimize`, with its default tolerances. "Newton": `damped_newton` in
    kerascnn/optimizers/newton.py.

    Args:
        model: built and compiled `keras.Model`. Its optimiser is not used.
        x, y: arrays, or lists and dicts of arrays, (N, ...), as for `fit`; memory maps work.
        method: one of the names above.
        max_iterations: int >= 1.
        sample_weight: float array (N,), or None.
        batch_size: int >= 1. Samples at a time; it changes memory and time, not the result.
        verbose: bool. Whether progress is shown.

    Returns:
        `scipy.optimize.OptimizeResult`: `fun` is the best loss, `x` its weights in one vector,
        `success` and `message` say why it ended, and `history` is {"loss", "gradient_evaluations",
        "hessian_products", "seconds"}: lists with a number for the start and each iteration.

    Raises:
        InputError: the method is unknown or needs too large a matrix, the model is not compiled, or
            the data does not fit together.
        NonFiniteError: the loss at the start is NaN or infinite.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> result = minimize_full_batch(model, x, x @ [[2.0], [-1.0]] + 3, verbose=False)
    >>> result.success, [w.round(3).tolist() for w in model.get_weights()]
    (True, [[[2.0], [-1.0]], [3.0]])
    """
    one_of(method, _METHODS, "method")
    max_iterations = whole(max_iterations, "max_iterations", 1)
    objective = Objective(model, x, y, sample_weight, batch_size)
    start = objective.weights()
    _check_memory(method, len(start))
    with tqdm.tqdm(total=max_iterations, desc=method, disable=not verbose) as progress:
        run = _Run(objective, start, progress)
        try:
            result = scipy.optimize.minimize(
                run.loss_and_gradient,
                start,
                method=damped_newton if method == "Newton" else method,
                jac=True,
                hess=run.hessian if method == "Newton" else None,
                hessp=run.hessian_product if method in _WITH_PRODUCTS else None,
                callback=run.after_iteration,
                options={"maxiter": int(max_iterations)},
            )
        except KeyboardInterrupt:
            message = "Stopped by Ctrl-C; these are the best weights until then."
            result = scipy.optimize.OptimizeResult(success=False, status=-1, message=message)
        finally:
            objective.assign(run.best)
    result.update(x=run.best, fun=run.lowest, history=run.history)
    return result


def _check_memory(method, n):
    if method in _WITH_A_MATRIX and n > _MOST_PARAMETERS:
        raise InputError(
            f'method="{method}" holds a matrix of {n:,} x {n:,} numbers, {_size(8 * n * n)}, for '
            f"the model's {n:,} parameters; it takes up to {_MOST_PARAMETERS:,}. "
            'Try method="L-BFGS-B" or "Newton-CG".'
        )


def _size(num_bytes):
    """
    >>> _size(8 * 60_850**2)
    '29.6 GB'
    """
    units = [(1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")]
    scale, unit = next(pair for pair in units if num_bytes >= pair[0] or pair[1] == "MB")
    return f"{num_bytes / scale:,.1f} {unit}"


class _Run:
    """What SciPy calls: counts, and keeps the best weights and the history."""

    def __init__(self, objective, start, progress):
        self._objective, self._progress = objective, progress
        self._begin = time.perf_counter()
        self._gradients = self._products = 0
        self.best, self.lowest = start, np.inf
        names = ("loss", "gradient_evaluations", "hessian_products", "seconds")
        self.history = {name: [] for name in names}

    def loss_and_gradient(self, w):
        loss, gradient = self._objective.loss_and_gradient(w)
        self._gradients += 1
        if not self.history["loss"]:
            if not np.isfinite(loss):
                raise NonFiniteError(f"The loss at the start is {loss}. Look at x and y.")
            self._record(loss)
        if loss < self.lowest:
            self.best, self.lowest = w.copy(), loss
        return loss, gradient

    def hessian_product(self, w, direction):
        self._products += 1
        return self._objective.hessian_product(w, direction)

    def hessian(self, w):
        rows = np.stack([self.hessian_product(w, unit) for unit in np.eye(len(w))])
        return (rows + rows.T) / 2

    def after_iteration(self, intermediate_result):
        self._record(float(intermediate_result.fun))
        counts = {"loss": f"{self.lowest:.6g}", "gradients": self._gradients}
        self._progress.set_postfix(counts, refresh=False)
        self._progress.update()

    def _record(self, loss):
        seconds = time.perf_counter() - self._begin
        for values, value in zip(
            self.history.values(), (loss, self._gradients, self._products, seconds)
        ):
            values.append(value)
