import numpy as np
import pytest
from keras import ops

from kerascnn.layers._paths import are_shapes, num_draws, survival


def test_draws_are_one_for_the_batch_or_one_for_each_sample():
    x = ops.zeros((5, 2, 3), "float16")
    assert num_draws(x, "batch") == 1
    assert num_draws(x, "sample") == 5
    for mode, draws in {"batch": 1, "sample": 5}.items():
        kept = survival(x, 0.5, mode, seed=1)
        assert kept.shape == (draws, 1, 1)
        assert kept.dtype == x.dtype


def test_survival_has_its_rate():
    kept = np.asarray(survival(ops.zeros((10_000, 1)), 0.3, "sample", seed=1))
    assert set(np.unique(kept)) == {0, 1}
    assert kept.mean() == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize(
    ("shapes", "fit"),
    [
        ([(None, 4, 4, 3), (None, 4, 4, 3)], True),
        ([[None, 4, None, 3], (None, 4, 4, 3)], True),
        ([(None, 4, 4, 3), (None, 4, 4, 1)], False),
        ([(None, 4), (None, 4, 4)], False),
        ([(None, 4)], False),
        ((None, 4), False),  # one tensor, not a list
    ],
)
def test_shapes_fit_if_equal_but_for_what_is_unknown(shapes, fit):
    assert are_shapes(shapes, 2) is fit
