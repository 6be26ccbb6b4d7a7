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
