import keras
import pytest

from kerascnn import InputError
from kerascnn.layers import LearnedLossWeight
from kerascnn.tasks._outputs import outputs_of

L = keras.layers
INPUT = keras.Input((4,))


def only(*layers):
    x = INPUT
    for layer in layers:
        x = layer(x)
    (output,) = outputs_of(keras.Model(INPUT, x))
    return output


def test_the_activation_is_found_wherever_it_is():
    for layers, expected in [
        ([L.Dense(3)], []),
        ([L.Dense(3, "softmax", name="d")], [("softmax", "d")]),
        ([L.Dense(3), L.Softmax(name="s")], [("softmax", "s")]),
        ([L.Dense(3), L.Activation("sigmoid", name="a")], [("sigmoid", "a")]),
        ([L.Dense(3), L.ReLU(name="r")], [("relu", "r")]),
        ([L.Dense(3, "sigmoid", name="d"), LearnedLossWeight()], [("sigmoid", "d")]),
        ([L.Dense(3, "sigmoid", name="d"), L.Dropout(0.5)], [("sigmoid", "d")]),
        (
            [L.Dense(3, "sigmoid", name="d"), L.Activation("softmax", name="a")],
            [("softmax", "a"), ("sigmoid", "d")],
        ),
        ([L.Dense(2, "sigmoid"), L.Dense(3)], []),  # the first one is inside
    ]:
        output = only(*layers)
        assert output.activations == expected
        assert output.activation == (expected[0][0] if expected else None)


def softmax_of_mine(x):
    return keras.ops.softmax(x)


def test_activations_that_are_operations_or_layers():
    for make, name in [
        (lambda: keras.ops.softmax(L.Dense(3)(INPUT)), "softmax"),
        (lambda: keras.activations.softmax(L.Dense(3)(INPUT)), "softmax"),
        (lambda: keras.ops.sigmoid(L.Dense(3)(INPUT)), "sigmoid"),
        (lambda: keras.ops.relu(L.Dense(3)(INPUT)), "relu"),
        (lambda: L.Dense(3, activation=L.Softmax())(INPUT), "softmax"),
        (lambda: L.Activation(L.ReLU())(L.Dense(3)(INPUT)), "relu"),
        (lambda: L.Dropout(0.5)(keras.ops.softmax(L.Dense(3)(INPUT))), "softmax"),
    ]:
        (output,) = outputs_of(keras.Model(INPUT, make()))
        assert ([found for found, _ in output.activations], output.known) == ([name], True)


def test_means_end_as_what_they_read():
    a, b = L.Dense(3, "softmax")(INPUT), L.Dense(3, "softmax")(INPUT)
    x, y = L.Dense(3)(INPUT), L.Dense(3)(INPUT)
    maps = L.Reshape((2, 2, 1))(INPUT)
    for result, expected in [
        (L.Average()([a, b]), ("softmax", True)),
        (L.Average()([x, y]), (None, True)),
        (L.Average()([a, y]), (None, False)),
        (L.Add()([L.Rescaling(0.7)(x), L.Rescaling(0.3)(y)]), (None, True)),
        (L.Add()([L.Rescaling(0.7)(a), L.Rescaling(0.3)(b)]), (None, False)),
        (L.GlobalAveragePooling2D()(L.Conv2D(3, 1, activation="softmax")(maps)), ("softmax", True)),
        (L.GlobalAveragePooling2D()(L.Conv2D(3, 1)(maps)), (None, True)),
    ]:
        (output,) = outputs_of(keras.Model(INPUT, result))
        assert (output.activation, output.known) == expected


@pytest.mark.parametrize(
    "end",
    [
        lambda x: keras.ops.exp(x) / keras.ops.sum(keras.ops.exp(x), -1, keepdims=True),
        L.BatchNormalization(),
        L.Dense(3, softmax_of_mine),
        L.Activation(softmax_of_mine),
    ],
)
def test_what_is_not_known_is_said_to_be(end):
    (output,) = outputs_of(keras.Model(INPUT, end(L.Dense(3, "relu")(INPUT))))
    assert (output.activations, output.known) == ([], False)
    (output,) = outputs_of(keras.Model(INPUT, L.Softmax()(end(L.Dense(3)(INPUT)))))
    assert (output.activation, output.known) == ("softmax", False)


class Subclassed(keras.Model):
    def call(self, x):
        return keras.ops.softmax(x)


def test_networks_inside_that_cannot_be_opened():
    several = keras.Model(INPUT, [L.Dense(3)(INPUT), L.Dense(3, "softmax")(INPUT)])
    for result in (Subclassed()(L.Dense(3)(INPUT)), several(INPUT)):
        assert not any(output.known for output in outputs_of(keras.Model(INPUT, result)))


def test_outputs_have_the_names_that_compile_takes():
    a, b = L.Dense(1, name="x")(INPUT), L.Dense(2, name="y")(INPUT)
    assert [(o.name, o.units) for o in outputs_of(keras.Model(INPUT, [a, b]))] == [
        ("x", 1),
        ("y", 2),
    ]
    by_key = outputs_of(keras.Model(INPUT, {"second": b, "first": a}))
    assert {o.name: (o.units, o.layer) for o in by_key} == {"second": (2, "y"), "first": (1, "x")}


def test_sequential_and_nested_models():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3, "softmax", name="d")], name="inner")
    (output,) = outputs_of(inner)
    assert (output.name, output.activation) == ("d", "softmax")
    (output,) = outputs_of(keras.Model(INPUT, inner(INPUT)))
    assert (output.name, output.activation, output.layer) == ("inner", "softmax", "d")


def test_what_has_no_outputs_is_refused():
    for model in (keras.Sequential([L.Dense(3)]), keras.Model()):
        with pytest.raises(InputError, match="no functional or sequential model"):
            outputs_of(model)
