"""Scores against their definitions in dense matrices, and the plan against note 3's table."""

import numpy as np
import pytest
from scipy.optimize import minimize

from kerascnn import InputError, data
from kerascnn.transfer import compare_stages, extract_features, fit_probe, h_score, log_me, plan
from tests.transfer.conftest import draw_shape, tiny_network

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def features(count=40, width=6, signal=1.0, seed=0):
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    x = draw.normal(size=(count, width))
    x[:, :3] += signal * np.eye(3)[labels]
    return x, labels


def log_marginal_likelihood(x, target, alpha, beta):
    """Per photo, of target ~ N(0, I / beta + x x^T / alpha)."""
    covariance = np.eye(len(x)) / beta + x @ x.T / alpha
    _, log_det = np.linalg.slogdet(2 * np.pi * covariance)
    return -0.5 * (log_det + target @ np.linalg.solve(covariance, target)) / len(x)


def largest_evidence(x, target):
    def negative(logs):
        return -log_marginal_likelihood(x, target, *np.exp(logs))

    found = [minimize(negative, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
             for start in ([0, 0], [3, 1], [-3, 3])]  # fmt: skip
    return -min(result.fun for result in found)


@pytest.mark.parametrize("signal", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("width", [4, 30, 60])
def test_log_me_is_the_largest_log_evidence(signal, width):
    x, labels = features(width=width, signal=signal)
    expected = np.mean([largest_evidence(x, 1.0 * (labels == i)) for i in range(3)])
    assert abs(log_me(x, labels) - expected) < 2e-3


def test_log_me_asks_only_about_classes_that_are_there():
    x, labels = features()
    assert log_me(x, labels) == log_me(x, labels * 7) == log_me(x.tolist(), labels.tolist())


@pytest.mark.parametrize("width", [4, 30, 60])
def test_h_score_is_its_definition(width):
    x, labels = features(width=width)
    means = np.stack([x[labels == label].mean(axis=0) for label in labels])
    definition = np.trace(np.linalg.pinv(np.cov(x, rowvar=False)) @ np.cov(means, rowvar=False))
    np.testing.assert_allclose(h_score(x, labels), definition, rtol=1e-9)
    assert h_score(x.tolist(), labels.tolist()) == h_score(x, labels)


def test_h_score_of_features_that_are_all_alike_is_zero():
    assert h_score(np.ones((6, 3)), np.arange(6) % 2) == 0


@pytest.mark.parametrize("score", [log_me, h_score])
def test_scores_rise_with_what_the_features_tell(score):
    scores = [score(*features(count=120, signal=signal)) for signal in (0.0, 0.5, 1.0, 2.0, 4.0)]
    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + 0.1


@pytest.mark.parametrize("score", [log_me, h_score])
def test_scores_of_what_they_are_not_for(score):
    x, labels = features()
    expected = score(x, labels)
    names = np.array(["cat", "dog", "cow"])[labels]
    for form in (labels[:, None], np.eye(3)[labels], names, labels - 1.5):
        assert score(x, form) == pytest.approx(expected, rel=1e-12)
    for wrong in (x.reshape(40, 1, 1, 6), x[:, 0], x[:0], np.where(x > 1, np.nan, x)):
        with pytest.raises(InputError, match=r"finite numbers \(N, F\).*Received: "):
            score(wrong, labels[: len(wrong)])
    with pytest.raises(InputError, match=r"for each of 40 samples.*Received: shape \(39,\)"):
        score(x, labels[1:])


# Stages side by side


def shapes():
    images = [
        draw_shape(name, i).resize((32, 32)) for i in range(20) for name in ("circle", "square")
    ]
    return data.from_arrays(np.stack([np.asarray(i) for i in images]), ["circle", "square"] * 20)


def test_stages_are_compared_by_classifiers_of_their_own():
    network, photos = tiny_network(), shapes()
    rows = compare_stages(network, photos, engine="keras", progress=False)
    assert [row["layer"] for row in rows] == ["stage1_relu", "stage2_relu", None]
    assert [row["num_features"] for row in rows] == [16, 32, 64]
    for row in rows:
        train, held = (
            np.asarray(extract_features(network, split, row["layer"], engine="keras"))
            for split in (photos.train, photos.validation)
        )
        alone = fit_probe(train, photos.train.labels, (held, photos.validation.labels))
        best = min(alone.trials, key=lambda trial: trial["loss"])
        assert (row["validation_accuracy"], row["validation_loss"]) == (
            best["accuracy"],
            best["loss"],
        )


def test_stages_without_validation_photos():
    images = shapes().train.images(range(8))
    alone = data.from_arrays(images, [0, 1] * 4, splits=(1, 0, 0))
    (row,) = compare_stages(tiny_network(), alone, ["stage2_relu"], progress=False)
    assert (row["validation_accuracy"], row["validation_loss"]) == (None, None)
    assert plan(100, [row], 0.5).strategy == "probe"


# The plan: note 3's table


def stages(*accuracies):
    names = [*(f"stage{i}" for i in range(1, len(accuracies))), None]
    return [{"layer": n, "validation_accuracy": a} for n, a in zip(names, accuracies)]


SIMILAR, DIFFERENT = stages(0.5, 0.7, 0.9), stages(0.5, 0.9, 0.7)


@pytest.mark.parametrize(
    ("photos_per_class", "rows", "strategy", "layer"),
    [
        (10, SIMILAR, "probe", None),
        (10, DIFFERENT, "probe", "stage2"),
        (100, SIMILAR, "partial", None),
        (100, DIFFERENT, "full", None),
        (24, SIMILAR, "probe", None),
        (25, SIMILAR, "partial", None),
    ],
)
def test_plan_is_the_table(photos_per_class, rows, strategy, layer):
    decided = plan(photos_per_class, rows, majority=0.2)
    assert (decided.strategy, decided.layer) == (strategy, layer)
    amount, closeness = decided.reasons
    assert amount.startswith(f"{photos_per_class} training photos in the median class: ")
    assert amount.endswith("much data" if photos_per_class >= 25 else "little data")
    assert closeness.endswith("similar photos" if rows is SIMILAR else "different photos")


def test_similar_is_a_share_of_the_gain_over_guessing():
    """(last - majority) / (best - majority): 0.39 / 0.4 = 97.5 %, 0.3925 / 0.4 = 98.1 %."""
    assert plan(10, stages(0.9, 0.89), 0.5).layer == "stage1"
    assert plan(10, stages(0.9, 0.8925), 0.5).layer is None
    assert plan(10, stages(0.9, 0.89), 0.1).layer is None  # 98.75 % of a larger gain


def test_where_no_stage_beats_guessing_the_last_is_worse_only_if_it_is():
    assert plan(100, stages(0.6, 0.7), majority=0.8).strategy == "partial"
    assert plan(100, stages(0.7, 0.6), majority=0.8).strategy == "full"


def test_plan_without_validation_photos_takes_no_risk():
    decided = plan(1000, stages(None, None), 0.0)
    assert (decided.strategy, decided.layer) == ("probe", None)
    assert decided.reasons[1] == "no validation photos: similarity unknown"
