"""Pixels that go down a loss, by L-BFGS or Adam, and stay within 0-255."""

import time

import keras
import numpy as np
import scipy.optimize
from keras import ops

from kerascnn._errors import NonFiniteError

_ADAM_RATE = 10.0  # of 255


class Descent:
    """Evaluates pictures; keeps the best one and the history.

    Args:
        evaluate: function of a float32 picture -> ({"loss": float, ...}, its gradient, an array).
        start: float32 array, the first picture.
        progress: tqdm bar, of which each step is one.

    Attributes:
        best: float32 array, the picture of the lowest loss until now.
        history: {name: list of floats} of all evaluations, "seconds" since the start among them.
    """

    def __init__(self, evaluate, start, progress):
        self._evaluate, self._progress = evaluate, progress
        self._begin = time.perf_counter()
        self.start = self.best = start
        self.history = {}

    def __call__(self, picture):
        """(loss, gradient) at a float array of any shape; the gradient has the same."""
        pixels = np.asarray(picture, "float32").reshape(self.start.shape)
        values, gradient = self._evaluate(pixels)
        if not self.history and not np.isfinite(values["loss"]):
            raise NonFiniteError(
                f"The loss at the start is {values['loss']}. Look at the model's weights."
            )
        if values["loss"] < min(self.history.get("loss", [np.inf])):
            self.best = pixels
        for name, value in (values | {"seconds": time.perf_counter() - self._begin}).items():
            self.history.setdefault(name, []).append(value)
        self._progress.set_postfix({"loss": f"{values['loss']:.3g}"}, refresh=False)
        return values["loss"], np.asarray(gradient).reshape(np.shape(picture))

    def after_step(self, *_):
        self._progress.update()


def lbfgs(descent, steps):
    """SciPy's L-BFGS-B, the loss scaled so that its first step changes pixels by about 1."""
    _, gradient = descent(descent.start)
    scale = 1 / max(float(np.sqrt(np.mean(np.square(gradient)))), 1e-30)

    def scaled(pixels):
        loss, gradient = descent(pixels)
        return scale * loss, scale * gradient.astype("float64")

    scipy.optimize.minimize(
        scaled,
        descent.start.ravel().astype("float64"),
        jac=True,
        method="L-BFGS-B",
        bounds=np.tile([0, 255], (descent.start.size, 1)),
        callback=descent.after_step,
        options={"maxiter": steps, "maxfun": 10 * steps, "ftol": 0, "gtol": 0},
    )


def adam(descent, steps):
    """Adam, its rate falling to 0 along a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(_ADAM_RATE, steps)
    optimizer, pixels = keras.optimizers.Adam(rate), keras.Variable(descent.start)
    for _ in range(steps):
        _, gradient = descent(ops.convert_to_numpy(pixels))
        optimizer.apply([ops.convert_to_tensor(gradient)], [pixels])
        pixels.assign(ops.clip(pixels, 0, 255))
        descent.after_step()


METHODS = {"L-BFGS": lbfgs, "Adam": adam}
