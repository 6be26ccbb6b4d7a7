import json

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    top_k_accuracy_score,
)

from kerascnn import InputError, metrics
from tests.oracles.losses import calibration_error

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def digits():
    """Labels and probabilities for real digits, from a classifier that saw few of them."""
    x, y = load_digits(return_X_y=True)
    fitted = LogisticRegression(max_iter=300).fit(x[:60] / 16, y[:60])
    return y[60:], fitted.predict_proba(x[60:] / 16).astype("float32")


def test_real_digits(digits):
    y, p = digits
    guess = p.argmax(axis=-1)
    assert float(metrics.MacroF1(10)(y, p)) == pytest.approx(f1_score(y, guess, average="macro"))
    balanced = balanced_accuracy_score(y, guess)
    assert float(metrics.BalancedAccuracy(10)(y, p)) == pytest.approx(balanced)
    np.testing.assert_array_equal(metrics.ConfusionMatrix(10)(y, p), confusion_matrix(y, guess))
    expected = calibration_error(y, p.astype(float), np.ones(len(y)))
    assert float(metrics.CalibrationError()(y, p)) == pytest.approx(expected, rel=1e-4)
    assert 0.05 < expected < 0.5


@pytest.mark.parametrize("k", [1, 3, 9])
def test_top_k_of_keras(digits, k):
    y, p = digits
    expected = top_k_accuracy_score(y, p, k=k)
    assert float(keras.metrics.SparseTopKCategoricalAccuracy(k)(y, p)) == pytest.approx(expected)
    rows = np.eye(10)[y]
    assert float(keras.metrics.TopKCategoricalAccuracy(k)(rows, p)) == pytest.approx(expected)


def test_one_output_for_two_classes():
    y = RNG.integers(2, size=30)
    logits = RNG.normal(size=(30, 1)).astype("float32")
    p = 1 / (1 + np.exp(-logits))
    expected = balanced_accuracy_score(y, p[:, 0] > 0.5)
    for scores, from_logits in ((p, False), (p[:, 0], False), (logits, True)):
        metric = metrics.BalancedAccuracy(2, from_logits)
        assert float(metric(y[:, None], scores)) == pytest.approx(expected)
    both = np.concatenate([1 - p, p], axis=-1)
    errors = [
        metrics.CalibrationError()(y, both),
        metrics.CalibrationError()(y, p),
        metrics.CalibrationError(from_logits=True)(y, logits),
        metrics.CalibrationError(from_logits=True)(y, np.log(both)),
    ]
    assert [float(e) for e in errors] == pytest.approx(
        [calibration_error(y, both.astype(float), np.ones(30))] * 4, rel=1e-4
    )


def test_classes_that_nobody_has_do_not_count():
    p = np.eye(4)[[0, 0, 1, 1]].astype("float32")
    y = [0, 1, 1, 1]
    assert float(metrics.MacroF1(4)(y, p)) == pytest.approx(
        f1_score(y, [0, 0, 1, 1], average="macro")
    )
    assert float(metrics.BalancedAccuracy(4)(y, p)) == pytest.approx((1 + 2 / 3) / 2)


def test_a_calibrated_predictor_has_no_error():
    p = np.tile([[0.75, 0.25]], (400, 1)).astype("float32")
    assert float(metrics.CalibrationError()(np.arange(400) % 4 == 0, p)) == pytest.approx(
        0, abs=1e-6
    )
    assert float(metrics.CalibrationError()(np.zeros(400), p)) == pytest.approx(0.25)


def test_bins_are_open_below():
    """Confidence 0.6 is in the third of five bins, whose other sample makes up for it."""
    p = np.array([[0.6, 0.4], [0.5, 0.5]], "float32")
    assert float(metrics.CalibrationError(num_bins=5)([0, 1], p)) == pytest.approx(0.05)
    p[0] = 0.62, 0.38
    assert float(metrics.CalibrationError(num_bins=5)([0, 1], p)) == pytest.approx(0.44)


def test_history_and_csv_hold_the_matrix(tmp_path):
    x, y = RNG.normal(size=(20, 3)).astype("float32"), RNG.integers(3, size=20)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "softmax")])
    matrix = metrics.ConfusionMatrix(3)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[matrix])
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = model.fit(x, y, validation_data=(x, y), epochs=2, verbose=0, callbacks=[log]).history
    assert [m.sum() for m in history["confusion_matrix"]] == [20, 20]
    guess = model.predict(x, verbose=0).argmax(axis=-1)
    np.testing.assert_array_equal(history["val_confusion_matrix"][-1], confusion_matrix(y, guess))
    assert "[[" in (tmp_path / "log.csv").read_text()


def test_bad_arguments():
    with pytest.raises(InputError, match="num_classes must be an int >= 2"):
        metrics.MacroF1(1)
    with pytest.raises(InputError, match="num_bins must be an int >= 1"):
        metrics.CalibrationError(num_bins=0)
    for metric in (metrics.MacroF1(np.int64(3)), metrics.CalibrationError(np.int32(5))):
        json.dumps(metric.get_config())  # as saving does
    with pytest.raises(InputError, match=r"macro_f1 of 5 classes.*\(2, 3\)"):
        metrics.MacroF1(5)([0, 1], np.ones((2, 3)))
