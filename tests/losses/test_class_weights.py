import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from kerascnn import InputError
from kerascnn.losses import ClassWeighted, balanced_weights, effective_number_weights

RNG = np.random.default_rng(0)
LABELS = np.r_[np.zeros(30, int), np.ones(9, int), np.full(3, 2)]
WEIGHTS = [0.5, 1.0, 3.0]


def model_of(loss, outputs=1):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    heads = [keras.layers.Dense(3, "softmax")(inputs) for _ in range(outputs)]
    model = keras.Model(inputs, heads)
    model.compile(keras.optimizers.SGD(0.1), [loss] * outputs)
    return model


def test_it_trains_as_class_weight_of_fit():
    x = RNG.normal(size=(42, 4)).astype("float32")
    loss = keras.losses.SparseCategoricalCrossentropy()
    theirs, ours = model_of(loss), model_of(ClassWeighted(loss, WEIGHTS))
    theirs.fit(x, LABELS, class_weight=dict(enumerate(WEIGHTS)), shuffle=False, verbose=0)
    ours.fit(x, LABELS, shuffle=False, verbose=0)
    for a, b in zip(theirs.get_weights(), ours.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_it_trains_several_outputs_which_class_weight_of_fit_refuses():
    x = RNG.normal(size=(42, 4)).astype("float32")
    loss = keras.losses.SparseCategoricalCrossentropy()
    two = model_of(ClassWeighted(loss, WEIGHTS), outputs=2)
    with pytest.raises(ValueError, match="class_weight"):
        two.fit(x, [LABELS, LABELS], class_weight=dict(enumerate(WEIGHTS)), verbose=0)
    two.fit(x, [LABELS, LABELS], verbose=0)


def test_labels_may_be_ints_or_one_hot_or_binary():
    p = keras.ops.softmax(RNG.normal(size=(42, 3)))
    ints = ClassWeighted(keras.losses.SparseCategoricalCrossentropy(), WEIGHTS)(LABELS, p)
    rows = ClassWeighted(keras.losses.CategoricalCrossentropy(), WEIGHTS)(np.eye(3)[LABELS], p)
    assert float(ints) == pytest.approx(float(rows), rel=1e-6)
    binary = ClassWeighted(keras.losses.BinaryCrossentropy(), [1.0, 4.0])
    halves, labels = np.full((4, 1), 0.5), np.array([0.0, 1.0, 1.0, 0.5])
    for y in (labels, labels[:, None]):  # (1 + 4 + 4 + 2.5) / 4
        assert float(binary(y, halves)) == pytest.approx(2.875 * np.log(2), rel=1e-5)


def test_balanced_weights_are_those_of_sklearn():
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
    assert balanced_weights(np.bincount(LABELS)) == pytest.approx(expected.tolist())


def test_effective_numbers_lie_between_equal_and_balanced():
    counts = np.bincount(LABELS)
    assert effective_number_weights(counts, beta=0) == pytest.approx([1, 1, 1])
    inverse = 1 / counts * 3 / (1 / counts).sum()
    assert effective_number_weights(counts, beta=1 - 1e-9) == pytest.approx(inverse, rel=1e-5)
    for beta in (0.9, 0.999):
        weights = effective_number_weights(counts, beta)
        assert sum(weights) == pytest.approx(3)
        # (1 - beta) / (1 - beta**n) is 1 / (1 + beta + ... + beta**(n - 1)), summed up.
        numbers = [sum(beta**i for i in range(n)) for n in counts]
        assert np.multiply(weights, numbers) == pytest.approx(weights[0] * numbers[0])


@pytest.mark.parametrize("rule", [balanced_weights, effective_number_weights])
def test_a_class_without_samples_has_no_weight(rule):
    with pytest.raises(InputError, match=r"1 without any, \[1\], of 3"):
        rule([3, 0, 2])


def test_bad_numbers_are_refused():
    with pytest.raises(InputError, match="`beta` must be"):
        effective_number_weights([1, 2], beta=1.0)
    for weights in ([1.0], [1.0, -1.0], [1.0, float("nan")], {0: 1.0, 1: float("inf")}):
        with pytest.raises(InputError, match="`weights` must be two or more"):
            ClassWeighted(keras.losses.BinaryCrossentropy(), weights)


class Ones(keras.losses.Loss):
    """1 for every sample: what it is times is the weight."""

    def call(self, y_true, y_pred):
        return keras.ops.ones_like(y_pred[:, 0])


@pytest.mark.parametrize(
    ("weights", "labels"), [([1.0, 2.0], [0, 2]), (WEIGHTS, [0, 3]), (WEIGHTS, [-1, 0])]
)
def test_a_label_that_is_no_class_is_loud(weights, labels):
    y_pred = np.ones((2, len(weights)), "float32")
    assert np.isnan(float(ClassWeighted(Ones(), weights)(np.array(labels), y_pred)))
    assert float(ClassWeighted(Ones(), weights)(np.array([0, 1]), y_pred)) == np.mean(weights[:2])


def test_weights_and_counts_may_be_dicts_as_fit_has_them():
    weights = ClassWeighted(Ones(), {2: 4.0, 0: 1.0, 1: 2.0}).weights
    assert weights == [1.0, 2.0, 4.0]
    assert balanced_weights({1: 10, 0: 30}) == balanced_weights([30, 10])
    with pytest.raises(InputError, match="keys 0 to 1. Received: 0, 2"):
        ClassWeighted(Ones(), {0: 1.0, 2: 4.0})
