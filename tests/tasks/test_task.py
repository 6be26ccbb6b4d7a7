import keras
import numpy as np
import pytest

from kerascnn import InputError, tasks

TASKS = {
    "regression": lambda **o: tasks.regression(2, labels=[[1.0, -3.0], [3.0, -5.0]]),
    "binary": lambda **o: tasks.binary(labels=[0, 1, 1, 1], **o),
    "multi_class": lambda **o: tasks.multi_class(3, labels=[0, 1, 1, 2], **o),
    "multi_label": lambda **o: tasks.multi_label(3, labels=[[0, 1], [0], [1], [0, 2]], **o),
    "ordinal": lambda **o: tasks.ordinal(4, labels=[0, 1, 2, 3, 3], **o),
}
X = np.random.default_rng(0).normal(size=(12, 5)).astype("float32")
LABELS = {
    "regression": X[:, :2],
    "binary": (X[:, 0] > 0).astype(int),
    "multi_class": X[:, :3].argmax(axis=-1),
    "multi_label": [np.flatnonzero(row > 0).tolist() for row in X[:, :3]],
    "ordinal": np.digitize(X[:, 0], [-1, 0, 1]),
}
every_task = pytest.mark.parametrize("name", TASKS)
both_forms = pytest.mark.parametrize("logits", [False, True])


def model_of(task):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    model = keras.Model(inputs, task.head(inputs))
    model.compile(keras.optimizers.Adam(0.1), loss=task.loss, metrics=task.metrics)
    return model


@every_task
@both_forms
def test_it_learns_and_decides(name, logits):
    task = TASKS[name](logits=logits)
    model = model_of(task)
    y = task.encode(LABELS[name])
    assert tasks.check(model, (X, y)) == []
    for _ in range(150):
        model.train_on_batch(X, y)
    answers = task.decide(model.predict(X, verbose=0))
    if name == "regression":
        np.testing.assert_allclose(answers, y, atol=0.1)
    else:
        assert (task.encode(answers) == y).mean() > 0.9


@pytest.mark.thorough
@every_task
def test_logits_change_the_form_and_nothing_else(name):
    with_activation, without = (model_of(TASKS[name](logits=logits)) for logits in (False, True))
    without.set_weights(with_activation.get_weights())
    y = TASKS[name]().encode(LABELS[name])
    first, second = (
        m.evaluate(X, y, verbose=0, return_dict=True) for m in (with_activation, without)
    )
    assert first == pytest.approx(second, rel=1e-3, abs=1e-4)


@every_task
def test_the_head_starts_at_what_the_labels_are_like(name):
    """With nothing known of the input, the start is where the loss is least."""
    task = TASKS[name]()
    blind = keras.Input((5,))
    model = keras.Model(blind, task.head(keras.layers.Rescaling(0.0)(blind)))
    model.compile("sgd", loss=task.loss)
    made_from = {
        "regression": [[1.0, -3.0], [3.0, -5.0]],
        "binary": [0, 1, 1, 1],
        "multi_class": [0, 1, 1, 2],
        "multi_label": [[0, 1], [0], [1], [0, 2]],
        "ordinal": [0, 1, 2, 3, 3],
    }[name]
    y, weights = task.encode(made_from), model.get_weights()
    start = model.evaluate(X[: len(y)], y, verbose=0)
    for i in range(task.units):
        for step in (-0.1, 0.1):
            moved = [w.copy() for w in weights]
            moved[1][i] += step
            model.set_weights(moved)
            assert model.evaluate(X[: len(y)], y, verbose=0) > start


@every_task
def test_losses_and_metrics_are_new_for_each_model(name):
    task = TASKS[name]()
    assert task.loss is not task.loss
    assert all(a is not b for a, b in zip(task.metrics, task.metrics))
    assert task == TASKS[name]()


def test_the_head_is_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        output = tasks.multi_class(3).head(keras.layers.Dense(4)(keras.Input((5,))))
    finally:
        keras.config.set_dtype_policy("float32")
    assert output.dtype == "float32"


def test_a_learned_weight_passes_float32_on_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        both = tasks.multi_task({"price": tasks.regression(labels=[7e4, 9e4])}, "learned")
        inputs = keras.Input((5,))
        model = keras.Model(inputs, both.head(keras.layers.Dense(4)(inputs)))
    finally:
        keras.config.set_dtype_policy("float32")
    price = model(np.zeros((1, 5)))["price"]
    assert price.dtype == "float32"
    assert float(price[0, 0]) == pytest.approx(8e4, rel=1e-4)


def test_what_does_not_fit_is_refused():
    task = tasks.multi_class(3)
    with pytest.raises(InputError, match=r"pool or flatten first.*\(None, 4, 4, 8\)"):
        task.head(keras.Input((4, 4, 8)))
    with pytest.raises(InputError, match=r"have shape \(N, 3\).*\(2, 4\)"):
        task.decide(np.ones((2, 4)))
