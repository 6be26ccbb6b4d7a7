import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.losses import SmoothSparseCrossentropy

RNG = np.random.default_rng(0)
LABELS = RNG.integers(5, size=20)
LOGITS = RNG.normal(size=(20, 5)).astype("float32")


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_it_is_that_of_keras_for_one_hot_labels(smoothing):
    for from_logits in (True, False):
        p = LOGITS if from_logits else keras.ops.softmax(LOGITS)
        ours = SmoothSparseCrossentropy(smoothing, from_logits)(LABELS, p)
        theirs = keras.losses.CategoricalCrossentropy(from_logits, smoothing)
        assert float(ours) == pytest.approx(float(theirs(np.eye(5)[LABELS], p)), rel=1e-6)


def test_a_label_that_is_no_class_is_loud():
    for label in (-1, 5):
        assert np.isnan(float(SmoothSparseCrossentropy(0.1, True)([label], LOGITS[:1])))


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_is_a_share(smoothing):
    with pytest.raises(InputError, match="`label_smoothing` must be"):
        SmoothSparseCrossentropy(smoothing)
