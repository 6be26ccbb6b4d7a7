import numpy as np
import pytest

from kerascnn.tasks import ordinal

GRADES = ["poor", "fair", "good"]


def test_the_answer_is_the_number_of_thresholds():
    p = [[0.4, 0.1], [0.6, 0.4], [0.9, 0.6]]
    assert ordinal(GRADES).decide(p).tolist() == GRADES
    assert ordinal(3, logits=True).decide(np.array(p) - 0.5).tolist() == [0, 1, 2]
    assert ordinal(GRADES).encode(GRADES[::-1]).tolist() == [2, 1, 0]


def test_thresholds_start_at_the_odds_of_above():
    labels = [0] * 5 + [1] * 3 + [2] * 2
    assert ordinal(3, labels=labels).bias == pytest.approx((0.0, np.log(0.2 / 0.8)), abs=1e-9)
    balanced = ordinal(3, labels=labels, class_weight="balanced").bias
    assert balanced == pytest.approx((np.log(2), -np.log(2)))


def test_class_weights_are_in_the_loss():
    p = np.full((1, 2), 0.5, "float32")
    weighted, plain = ordinal(3, class_weight={2: 3.0}).loss, ordinal(3).loss
    for label, weight in enumerate([1, 1, 3]):
        ratio = float(weighted([label], p)) / float(plain([label], p))
        assert ratio == pytest.approx(weight)
