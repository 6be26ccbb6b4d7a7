"""All checks before training at once; what they find is in tests/contracts."""

import random

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

import kerascnn as kc
from kerascnn import InputError
from kerascnn.doctor import before_training

DIGITS = load_digits()
X = (DIGITS.images[..., None] / 16).astype("float32")[:300]
Y = DIGITS.target[:300]


def network(*stack, optimizer="adam", loss="sparse_categorical_crossentropy", units=10):
    keras.utils.set_random_seed(0)
    head = [layers.Flatten(), layers.Dropout(0.2), layers.Dense(units, "softmax", name="head")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *stack, *head])
    model.compile(optimizer, loss)
    return model


def by_check(found):
    return {finding.check: finding for finding in found}


def test_every_check_has_its_say_and_its_own_name():
    found = before_training(network(), (X, Y))
    assert len(by_check(found)) == len(found) == 23
    assert {finding.severity for finding in found} == {"fine", "skipped"}
    assert all(finding.message.endswith(".") for finding in found)
    assert "No validation data was passed." in str(found)


def trained(look):
    """Weights and history of a training, with a look by the doctor in it or not."""
    model = network(layers.BatchNormalization(), optimizer=keras.optimizers.Adam(0.01))
    model.fit(X, Y, epochs=1, verbose=0)
    before = [np.array(v) for v in (*model.variables, *model.optimizer.variables)]
    if look:
        before_training(model, (X, Y), (X[:10], Y[:10]))
        after = [np.array(v) for v in (*model.variables, *model.optimizer.variables)]
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(a, b)
    history = model.fit(X, Y, epochs=2, verbose=0)
    model.add(layers.Dense(3))  # draws its start
    return history.history["loss"], model.get_weights(), random.random()


def test_a_training_goes_on_as_if_nobody_had_looked():
    plain, looked_at = trained(look=False), trained(look=True)
    assert plain[0] == looked_at[0] and plain[2] == looked_at[2]
    for a, b in zip(plain[1], looked_at[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_data_stays_as_it_is():
    data = kc.data.from_arrays((X * 255).astype("uint8"), Y, batch_size=16)
    expected = data.train.batch(0, 1)[0]
    found = by_check(before_training(network(layers.Rescaling(1 / 255)), data, trials=False))
    assert data.train.epoch == 0
    np.testing.assert_array_equal(data.train.batch(0, 1)[0], expected)
    assert found["leak"].severity == "fine"  # against its own validation
    assert found["learning rate"].message == "Short trainings were not asked for."
    x = X.copy()
    before_training(network(), (x, Y), trials=False)
    np.testing.assert_array_equal(x, X)


def test_the_highest_rate_of_a_schedule_counts():
    warm_up = keras.optimizers.schedules.CosineDecay(
        0.0, 1000, warmup_target=50.0, warmup_steps=200
    )
    model = network(optimizer=keras.optimizers.SGD(warm_up, momentum=0.9))
    found = by_check(before_training(model, (X, Y)))
    assert found["learning rate"].severity in ("problem", "warning")
    assert "At 50 the loss" in found["learning rate"].message


def test_several_rates_are_not_judged():
    kind = keras.optimizers
    rates = kind.OptimizerMap(kind.SGD(0.1), {"head": kind.Adam(0.01)})
    model = network(optimizer=kind.MultiOptimizer(rates))
    found = by_check(before_training(model, (X, Y)))
    assert found["learning rate"].message == "The optimiser has several rates."
    assert found["one batch"].severity == "fine"


def test_several_inputs_and_outputs():
    images, more = keras.Input((8, 8, 1), name="images"), keras.Input((3,), name="more")
    x = layers.Concatenate()([layers.Flatten()(images), more])
    outputs = {"kind": layers.Dense(10, "softmax", name="kind")(x)}
    outputs["size"] = layers.Dense(1, name="size")(x)
    model = keras.Model({"images": images, "more": more}, outputs)
    model.compile("adam", {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    x = {"images": X, "more": np.ones((300, 3), "float32")}
    found = before_training(model, (x, {"kind": Y, "size": Y[:, None] / 9.0}), (x, Y))
    assert not found.problems, str(found)
    assert by_check(found)["leak"].message == "The inputs are several arrays."


def test_a_step_that_fails_is_a_problem():
    found = by_check(before_training(network(), (X, np.stack([Y, Y], axis=1))))
    assert found["one batch"].severity == "problem"
    assert found["one batch"].message.startswith("A training step fails: ")


def test_labels_that_are_far_out_of_range():
    found = by_check(before_training(network(), (X, Y + 10**9), trials=False))
    assert found["label form"].severity == "problem"
    assert found["classes"].message == "0 labels in range were looked at, too few."


NAMES = np.array(list("abcdefghij"))
HOLED = X.copy()
HOLED[7, 2, 3] = np.nan
MISTAKES = {  # what: (data, check, its message)
    "NaN in an image": ((HOLED, Y), "input values", "1 of 19,200 values are NaN or infinite."),
    "names": ((X, NAMES[Y]), "label form", "must be numbers, not <U1"),
    "objects": ((X, NAMES[Y].astype(object)), "label form", "must be numbers, not object"),
    "NaN as a label": ((X, np.where(Y == 3, np.nan, Y)), "label form", "Found: nan."),
}


@pytest.mark.parametrize(("data", "check", "said"), MISTAKES.values(), ids=MISTAKES)
def test_data_that_nothing_can_be_trained_on(data, check, said):
    found = by_check(before_training(network(), data, trials=False))
    assert found[check].severity == "problem" and said in found[check].message
    assert found["linear baseline"].severity == "skipped"


def test_labels_that_are_all_below_0():
    found = by_check(before_training(network(), (X, np.full(300, -1)), trials=False))
    assert found["label form"].message.endswith("from 0 to 9 for 10 outputs. Found: -1.")
    assert found["classes"].message == "0 labels in range were looked at, too few."


def test_targets_that_are_no_numbers():
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1)])
    model.compile("adam", "mse")
    found = by_check(before_training(model, (X, np.where(Y == 3, np.nan, Y)), trials=False))
    assert found["label form"].message.endswith("targets hold NaN or infinity.")
    assert found["linear baseline"].severity == "skipped"
    assert found["loss at start"].severity == "problem"


class Own(keras.Model):
    def call(self, x):
        return x


def test_bad_arguments():
    for model in (Own(), keras.Sequential([layers.Dense(1)])):
        with pytest.raises(InputError, match="must be a functional model"):
            before_training(model, (X, Y))
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten()])
    with pytest.raises(InputError, match="has no loss: compile it first"):
        before_training(model, (X, Y))
    for wrong in (0, None, 8.0):
        with pytest.raises(InputError, match=f"must be an int >= 1. Received: {wrong}."):
            before_training(network(), (X, Y), batch_size=wrong)
    with pytest.raises(InputError, match=r"takes inputs of shape \(8, 8, 1\), the data has \(4, 8"):
        before_training(network(), (X[:, :4], Y))
