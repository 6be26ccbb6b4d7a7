"""Descents of pixels on a quadratic, whose lowest point is known."""

import numpy as np
import pytest
import tqdm

from kerascnn import NonFiniteError
from kerascnn.visualize._descent import METHODS, Descent

TARGET = np.linspace(-50, 300, 30).reshape(5, 6).astype("float32")  # of which 0-255 can be reached


def quadratic(pixels):
    """Steep in some pixels and flat in others, and small as losses are."""
    steepness = np.geomspace(1e-5, 1e-3, TARGET.size).reshape(TARGET.shape)
    return {"loss": float(np.sum(steepness * (pixels - TARGET) ** 2)), "part": 0.5}, (
        2 * steepness * (pixels - TARGET)
    )


def descend(method, steps, evaluate=quadratic):
    with tqdm.tqdm(disable=True) as progress:
        descent = Descent(evaluate, np.full(TARGET.shape, 128, "float32"), progress)
        METHODS[method](descent, steps)
    return descent


@pytest.mark.parametrize(("method", "steps"), [("L-BFGS", 60), ("Adam", 150)])
def test_the_lowest_point_within_the_range_is_found(method, steps):
    descent = descend(method, steps)
    assert descent.best.dtype == np.float32 and descent.best.shape == TARGET.shape
    np.testing.assert_allclose(descent.best, np.clip(TARGET, 0, 255), atol=2)
    assert descent.best.min() >= 0 and descent.best.max() <= 255


def test_lbfgs_needs_fewer_evaluations():
    lowest = np.sum(quadratic(np.clip(TARGET, 0, 255))[0]["loss"])
    found = {method: descend(method, 20).history["loss"][:20] for method in METHODS}
    assert min(found["L-BFGS"]) - lowest < 0.1 * (min(found["Adam"]) - lowest)


def test_every_evaluation_is_in_the_history_and_the_best_is_kept():
    descent = descend("Adam", 5)
    assert set(descent.history) == {"loss", "part", "seconds"}
    assert [len(values) for values in descent.history.values()] == [5] * 3
    assert descent.history["part"] == [0.5] * 5
    before = descent.best
    descent(descent.start)
    assert descent.best is before
    assert quadratic(before)[0]["loss"] == min(descent.history["loss"])


def test_a_start_without_a_loss_is_refused():
    with pytest.raises(NonFiniteError, match="at the start is nan"):
        descend("Adam", 5, lambda pixels: ({"loss": np.nan}, pixels))
