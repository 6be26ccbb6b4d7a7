import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import kerascnn as kc
from kerascnn import InputError
from kerascnn.compute import to_precision
from kerascnn.constraints import constrain
from kerascnn.losses import ClassWeighted, UncertaintyWeighted
from kerascnn.regularizers import regularize
from kerascnn.tasks import multi_class, multi_task, regression

TASKS = {"kind": multi_class(5), "price": regression()}


def digits():
    """Real digits and two things to say about them: which one, and how much ink."""
    data = load_digits()
    x = data.images[:400, ..., None].astype("float32") / 16
    return x, {"kind": data.target[:400], "ink": x.sum(axis=(1, 2, 3))}


def model_of(both, shape=(8, 8, 1)):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    x = keras.layers.Dense(32, "relu")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, both.head(x))
    model.compile(
        keras.optimizers.Adam(0.01), both.loss, loss_weights=both.loss_weights, metrics=both.metrics
    )
    return model


@pytest.mark.parametrize(
    "weights",
    [
        (0.5, 10.0),
        "learned",
        pytest.param(None, marks=pytest.mark.slow),
        pytest.param({"ink": 0.1}, marks=pytest.mark.slow),
    ],
)
def test_two_outputs_learn_real_digits(weights, tmp_path):
    x, labels = digits()
    both = multi_task(
        {"kind": multi_class(10, class_weight={0: 2.0}), "ink": regression(labels=labels["ink"])},
        weights,
    )
    model, y = model_of(both), both.encode(labels)
    assert kc.tasks.check(model, (x, y)) == []
    before = model.evaluate(x, y, verbose=0, return_dict=True)
    model.fit(x, y, epochs=15, verbose=0)
    after = model.evaluate(x, y, verbose=0, return_dict=True)
    assert after["kind_accuracy"] > 0.6 > before["kind_accuracy"]
    assert after["ink_mae"] < 0.7 * before["ink_mae"]
    answers = both.decide(model.predict(x, verbose=0))
    assert np.mean(answers["kind"] == labels["kind"]) == pytest.approx(after["kind_accuracy"])
    assert answers["ink"].shape == (400,)
    model.save(tmp_path / "model.keras")
    again = kc.load_model(tmp_path / "model.keras")
    assert again.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(after, rel=1e-5)


def test_fixed_weights_are_the_sum():
    x, y = np.ones((4, 3)), {"kind": np.arange(4), "price": np.ones((4, 1))}
    for weights in ({"kind": 0.5, "price": 10.0}, (0.5, 10.0)):
        logs = model_of(multi_task(TASKS, weights), (3,)).evaluate(
            x, y, verbose=0, return_dict=True
        )
        assert logs["loss"] == pytest.approx(0.5 * logs["kind_loss"] + 10 * logs["price_loss"])
    assert multi_task(TASKS, {"price": 2.0}).loss_weights == {"kind": 1.0, "price": 2.0}
    assert multi_task(TASKS).loss_weights is None


def test_learned_weights_begin_as_ones():
    """exp(0) = 1, half for the regression, and no s / 2 yet."""
    x, y = np.ones((4, 3)), {"kind": np.arange(4), "price": np.ones((4, 1))}
    plain = model_of(multi_task(TASKS), (3,)).evaluate(x, y, verbose=0, return_dict=True)
    both = multi_task(TASKS, "learned")
    logs = model_of(both, (3,)).evaluate(x, y, verbose=0, return_dict=True)
    assert logs["kind_loss"] == pytest.approx(plain["kind_loss"])
    assert logs["price_loss"] == pytest.approx(plain["price_loss"] / 2)
    assert [layer.name for layer in both.learned.values()] == ["kind", "price"]


def test_learned_weights_belong_to_one_model():
    both = multi_task(TASKS, "learned")
    both.head(keras.Input((3,)))
    with pytest.raises(InputError, match="belongs to one model"):
        both.head(keras.Input((3,)))


X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = {"kind": np.arange(32) % 5, "price": 9 * X[:, :1]}
COPIES = {  # that train as the model does
    "regularize": lambda model: regularize(model, keras.regularizers.L2(0.0)),
    "constrain": lambda model: constrain(model, keras.constraints.MaxNorm(1e6)),
    "to_precision": lambda model: to_precision(model, "float32"),
}


def blank():
    """A network with learned weights of its losses, not compiled, and their `multi_task`."""
    keras.utils.set_random_seed(0)
    both, inputs = multi_task(TASKS, "learned"), keras.Input((3,))
    return keras.Model(inputs, both.head(keras.layers.Dense(8, "relu")(inputs))), both


def compiled(model, loss):
    model.compile(keras.optimizers.SGD(0.02), loss)
    return model


def trained(model):
    """The learned weights after some epochs."""
    model.fit(X, Y, batch_size=16, epochs=5, shuffle=False, verbose=0)
    return learned(model)


@pytest.fixture(scope="module")
def expected():
    """Those of a model that was not copied."""
    model, both = blank()
    values = trained(compiled(model, both.loss))
    assert min(map(abs, values)) > 0.01
    return pytest.approx(values, rel=1e-5)


def learned(model):
    layers = [model.get_layer(name) for name in TASKS]
    return [float(keras.ops.convert_to_numpy(layer.log_variance)) for layer in layers]


@pytest.mark.thorough
@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("compiled_first", [True, False])
def test_a_copy_learns_weights_of_its_own(name, compiled_first, expected):
    model, both = blank()
    if compiled_first:
        copy = COPIES[name](compiled(model, both.loss))
    else:
        copy = compiled(COPIES[name](model), both.loss)
        compiled(model, both.loss)
    assert trained(copy) == expected
    assert learned(model) == [0, 0]
    assert trained(model) == expected  # the first one still learns its own


def test_a_copy_is_saved_and_takes_the_loss_that_was_given_first(expected, tmp_path):
    model, both = blank()
    trained(compiled(model, both.loss))
    copy = regularize(model, None)
    assert learned(copy) == expected
    compiled(copy, both.loss).save(tmp_path / "copy.keras")
    again = kc.load_model(tmp_path / "copy.keras")
    assert trained(again) == pytest.approx(trained(copy), rel=1e-5)
    assert trained(again) != learned(copy) != expected


def test_a_learned_weight_inside_another_loss_is_copied_too():
    model, both = blank()
    inner = UncertaintyWeighted(both.tasks["kind"].loss, both.learned["kind"])
    loss = both.loss | {"kind": ClassWeighted(inner, [1.0, 2.0, 1.0, 1.0, 1.0])}
    copy = regularize(compiled(model, loss), None)
    assert trained(copy) == pytest.approx(trained(model), rel=1e-5)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"prise": 1.0}, "Unknown output in `weights` 'prise'. Did you mean 'price'"),
        ({"price": -1.0}, "weight of output 'price' must be a number of at least 0. Received: -1"),
        ({"price": float("nan")}, "weight of output 'price'"),
        ((1.0,), "one number for each output, kind, price. Received: .1.0"),
        (5, "one number for each output, kind, price. Received: 5"),
        ("learnt", "Did you mean 'learned'"),
    ],
)
def test_weights_of_outputs_that_do_not_exist(weights, message):
    with pytest.raises(InputError, match=message):
        multi_task(TASKS, weights)


def test_tasks_and_labels_have_names():
    with pytest.raises(InputError, match="`tasks` must be a dict"):
        multi_task([regression()])
    with pytest.raises(InputError, match="Output 'price' is no task"):
        multi_task({"price": "regression"})
    both = multi_task(TASKS)
    with pytest.raises(
        InputError, match=r"`labels` must be a dict with the keys kind, price.*kind"
    ):
        both.encode({"kind": [0]})
    with pytest.raises(InputError, match="`predictions` must be a dict.*list"):
        both.decide([np.ones((1, 5))])
