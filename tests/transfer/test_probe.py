"""The linear classifier against scikit-learn in float64, and against what it promises."""

import subprocess
import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from kerascnn import InputError
from kerascnn.data import cache_folder
from kerascnn.transfer import fit_probe
from kerascnn.transfer import probe as probe_module
from kerascnn.transfer.probe import accuracy, log_loss, softmax
from tests.transfer.test_run import mount_tmpfs


def features(count=240, width=20, classes=4, gap=2.0, seed=0):
    """Features off centre and of unequal scale, as networks give them, and their labels."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    x = draw.normal(size=(count, width))
    x[np.arange(count), labels] += gap
    return (3 + x * np.linspace(0.5, 2, width)).astype(np.float32), labels


def halves(x, y):
    middle = len(y) // 2
    return x[:middle], y[:middle], (x[middle:], y[middle:])


def reference(x, labels, penalty, class_weight=None):
    """scikit-learn in float64 on the same centred features divided by one number."""
    x = x.astype(np.float64)
    mean, scale = x.mean(axis=0), x.std()
    fitted = LogisticRegression(
        C=1 / (penalty * len(x)), max_iter=10_000, tol=1e-10, class_weight=class_weight
    ).fit((x - mean) / scale, labels)
    return lambda other: fitted.predict_proba((other.astype(np.float64) - mean) / scale)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("class_weight", [None, {0: 5.0, 1: 1.0, 2: 1.0, 3: 1.0}])
def test_equals_scikit_learn_at_the_same_penalty(classes, class_weight):
    x, y, held = halves(*features(classes=classes))
    weight = class_weight and {i: class_weight[i] for i in range(classes)}
    probe = fit_probe(x, y, held, class_weight=weight)
    expected = reference(x, y, probe.penalty, weight)
    for part in (x, held[0]):
        np.testing.assert_allclose(probe.predict(part), expected(part), atol=2e-3)
    assert probe.kernel.dtype == probe.bias.dtype == np.float32
    assert probe.kernel.shape == (20, classes)


def test_class_weight_changes_the_classifier():
    x, y, held = halves(*features())
    plain, weighted = (
        fit_probe(x, y, held, class_weight=w).predict(held[0])
        for w in (None, {0: 20.0, 1: 1.0, 2: 1.0, 3: 1.0})
    )
    assert weighted[:, 0].mean() > plain[:, 0].mean() + 0.1


def test_predict_is_a_dense_softmax_layer():
    """What the head of the saved model computes."""
    x, y, held = halves(*features())
    probe = fit_probe(x, y, held)
    powers = np.exp(x.astype(np.float64) @ probe.kernel + probe.bias)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probe.predict(x), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(softmax(np.array([[1000.0, 0.0]])), [[1, 0]], atol=1e-12)


def test_the_chosen_penalty_has_the_lowest_validation_loss():
    x, y, held = halves(*features(gap=1.0))
    probe = fit_probe(x, y, held)
    best = min(probe.trials, key=lambda trial: trial["loss"])
    assert best["penalty"] == probe.penalty
    # The weights are those of that penalty, not of the last one tried.
    guess = probe.predict(held[0])
    assert log_loss(guess, held[1]) == best["loss"]
    assert accuracy(guess, held[1]) == best["accuracy"]
    assert probe.penalty not in (probe.trials[0]["penalty"], probe.trials[-1]["penalty"])
    losses = [trial["loss"] for trial in probe.trials]
    assert losses[-1] > losses[-2] > losses[-3]  # where the search ended
    # Penalties are halved each time and scored as scikit-learn would score them.
    for before, trial in zip(probe.trials, probe.trials[1:]):
        assert trial["penalty"] == before["penalty"] / 2
        expected = reference(x, y, trial["penalty"])(held[0])
        assert abs(log_loss(expected, held[1]) - trial["loss"]) < 1e-3


def test_without_validation_photos():
    x, y, _ = halves(*features())
    nothing = np.empty((0, 20), np.float32), np.empty(0, np.int64)
    for validation in (None, nothing):
        probe = fit_probe(x, y, validation)
        assert (probe.penalty, probe.trials) == (0.05, [])
        np.testing.assert_allclose(probe.predict(x), reference(x, y, 0.05)(x), atol=2e-3)


def test_validation_photos_that_want_the_strongest_penalty():
    """Labels that the features say nothing about: the loss rises from the first penalty on."""
    x, y = features(gap=0.0)
    probe = fit_probe(x[:120], y[:120], (x[120:], np.roll(y[120:], 1)))
    assert probe.penalty == 0.5 and len(probe.trials) == 3


def test_one_validation_photo():
    x, y, (held, labels) = halves(*features())
    probe = fit_probe(x, y, (held[:1], labels[:1]))
    assert probe.trials and np.isfinite(probe.kernel).all()


@pytest.mark.parametrize("absent", [0, 1, 3])
def test_a_class_without_photos_has_no_probability(absent):
    x, y = features()
    kept = y != absent
    probe = fit_probe(x[kept], y[kept], (x[~kept], y[~kept]), num_classes=4)
    guess = probe.predict(x)
    assert guess.shape == (240, 4)
    assert guess[:, absent].max() < 1e-9
    np.testing.assert_allclose(guess.sum(axis=1), 1, rtol=1e-5)


def test_classes_are_counted_on_both_sides():
    x, y = features()
    seen = y != 3
    assert fit_probe(x[seen], y[seen], (x, y)).predict(x).shape == (240, 4)


def test_two_classes_of_many():
    x, y, held = halves(*features(classes=2))
    names = np.array([1, 3])
    probe = fit_probe(x, names[y], (held[0], names[held[1]]), num_classes=5)
    expected = reference(x, y, probe.penalty)(held[0])
    guess = probe.predict(held[0])
    np.testing.assert_allclose(guess[:, names], expected, atol=2e-3)
    assert np.delete(guess, names, axis=1).max() < 1e-9


def test_the_same_twice():
    first, second = (fit_probe(*halves(*features())) for _ in range(2))
    np.testing.assert_array_equal(first.kernel, second.kernel)
    np.testing.assert_array_equal(first.bias, second.bias)
    assert first.trials == second.trials


def test_features_that_are_all_alike_are_no_error():
    probe = fit_probe(np.ones((6, 3)), np.arange(6) % 2, (np.ones((2, 3)), [0, 1]))
    np.testing.assert_allclose(probe.predict(np.ones((1, 3))), [[0.5, 0.5]], atol=1e-3)


def test_one_class_is_refused():
    with pytest.raises(InputError, match=r"photos of two classes. Received: 1\."):
        fit_probe(np.ones((4, 3)), np.zeros(4, int))


def test_labels_of_other_forms_are_the_same_labels():
    x, y, (held, labels) = halves(*features())
    expected = fit_probe(x, y, (held, labels))
    for form in (lambda y: y[:, None], lambda y: np.eye(4)[y], lambda y: y.astype(float), list):
        found = fit_probe(x, form(y), (held, form(labels)))
        np.testing.assert_array_equal(found.kernel, expected.kernel)
        assert found.trials == expected.trials
    two = fit_probe(x, y % 2 == 1, (held, labels % 2 == 1))
    np.testing.assert_array_equal(two.kernel, fit_probe(x, y % 2, (held, labels % 2)).kernel)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y - 1, "ints from 0 up. Received: -1."),
        (lambda y: y + 0.5, "Received: 0.5."),
        (lambda y: np.where(y, y, np.nan), "Received: nan."),
        (lambda y: np.array(["cat", "dog", "cow", "emu"])[y], "Received: cat. For names"),
        (lambda y: y[1:], r"for each of 240 samples.*Received: shape \(239,\)."),
        (lambda y: np.stack([y, y], axis=1), r"Received: shape \(240, 2\)."),
    ],
)
def test_labels_that_are_no_class_numbers(change, message):
    x, y = features()
    for arguments in ((x, change(y)), (x, y, (x, change(y)))):
        with pytest.raises(InputError, match=message):
            fit_probe(*arguments)
    with pytest.raises(InputError, match="ints from 0 to 2. Received: 3."):
        fit_probe(x, y, num_classes=3)


def test_features_are_copied_once():
    x, y = features(count=6000, width=400)
    held = x[:10], y[:10]
    fit_probe(*halves(*features()))  # what is imported and prepared at the first call
    tracemalloc.start()
    fit_probe(x, y, held)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert x.nbytes < peak < 1.5 * x.nbytes


def test_large_features_are_not_held_and_change_nothing(monkeypatch):
    x, y = features(count=6000, width=400)
    held = x[:10], y[:10]
    expected = fit_probe(x, y, held)
    monkeypatch.setattr(probe_module, "_HELD_BYTES", 1_000_000)
    tracemalloc.start()
    found = fit_probe(x, y, held)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * x.nbytes
    np.testing.assert_array_equal(found.kernel, expected.kernel)
    np.testing.assert_array_equal(found.bias, expected.bias)
    assert list(cache_folder().iterdir()) == []


def test_large_features_are_held_where_the_disk_has_no_room(monkeypatch, tmp_path):
    x, y = features(count=600, width=40)
    expected = fit_probe(x, y)
    monkeypatch.setattr(probe_module, "_HELD_BYTES", 1000)
    disk = tmp_path / "disk"
    mount_tmpfs(disk, "16k")
    try:
        monkeypatch.setenv("KERASCNN_CACHE", str(disk))
        np.testing.assert_array_equal(fit_probe(x, y).kernel, expected.kernel)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
