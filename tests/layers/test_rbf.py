import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.initializers import DigitBitmaps
from kerascnn.layers import RBFOutput
from tests.oracles import lenet as oracle

RNG = np.random.default_rng(0)
CODES = keras.ops.convert_to_numpy(DigitBitmaps()((10, 84)))


def test_scores_are_minus_the_papers_penalties():
    x = RNG.uniform(-1.7, 1.7, (5, 84)).astype("float32")
    expected = [-oracle.penalties(row, CODES) for row in x]
    np.testing.assert_allclose(RBFOutput(10)(x), expected, rtol=1e-5)


def test_a_code_is_its_own_class_at_no_penalty():
    scores = np.asarray(RBFOutput(10)(CODES))
    np.testing.assert_array_equal(scores.argmax(-1), np.arange(10))
    np.testing.assert_array_equal(scores.diagonal(), np.zeros(10))


def test_softmax_prefers_the_nearest_code():
    x = CODES + RNG.normal(scale=0.5, size=CODES.shape)
    probabilities = np.asarray(RBFOutput(10, activation="softmax")(x.astype("float32")))
    np.testing.assert_array_equal(probabilities.argmax(-1), np.arange(10))
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-5)


def test_codes_are_fixed():
    layer = RBFOutput(10)
    layer.build((None, 84))
    assert layer.trainable_weights == []
    assert layer.count_params() == 840


def test_other_sizes_need_codes_of_their_own():
    with pytest.raises(InputError, match="10 codes of 84 pixels"):
        RBFOutput(3).build((None, 84))
    layer = RBFOutput(3, codes_initializer="ones")
    layer.build((None, 7))
    assert layer.codes.shape == (3, 7)
