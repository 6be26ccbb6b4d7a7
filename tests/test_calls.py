"""The calls of a graph: each once, in order, with the shapes of this image."""

import keras
import pytest
from keras import layers, ops

from kerascnn import InputError, _graph
from kerascnn._calls import calls


def names(model, input_shape=None):
    return [call.name for call in calls(model, input_shape)[0]]


def shapes(model, input_shape=None):
    return {call.name: call.outputs[0].shape[1:] for call in calls(model, input_shape)[0]}


@pytest.fixture
def inner():
    x = keras.Input((None, None, 3), name="photo")
    return keras.Model(x, layers.Conv2D(3, 3, padding="same", name="conv")(x), name="inner")


def test_layers_and_operations_with_all_kinds_of_arguments():
    image = keras.Input((8, 8, 2), name="image")
    x = layers.Conv2D(4, 3, padding="same", name="conv")(image)
    x = ops.relu(x) * 2.0
    x = x[:, ::2, ::2]
    x = layers.BatchNormalization(name="bn")(x, training=False)
    one, other = ops.split(x, 2, axis=-1)
    x = layers.Concatenate(name="concat")([other, one])
    model = keras.Model({"image": image}, {"b": x, "a": one})
    found, outputs = calls(model)
    assert [type(call.layer).__name__ for call in found] == [
        *("InputLayer", "Conv2D", "Relu", "Multiply", "GetItem"),
        *("BatchNormalization", "Split", "Concatenate"),
    ]
    split = found[-2]
    assert [tensor.shape for tensor in split.outputs] == [(None, 4, 4, 2)] * 2
    # Which tensor goes where: the same objects, in the order they were passed in.
    assert found[-1].inputs == (split.outputs[1], split.outputs[0])
    assert {id(tensor) for tensor in outputs} == {id(split.outputs[0]), id(found[-1].outputs[0])}


def test_nested_models_are_walked_into(inner):
    image = keras.Input((8, 8, 3), name="image")
    stem = keras.Sequential([layers.ZeroPadding2D(1, name="pad"), inner], name="stem")
    x = stem(image)
    model = keras.Model(image, [x, layers.Flatten(name="flatten")(inner(x))])
    order = ["image", "stem/pad", "stem/inner/conv", "inner/conv", "flatten"]
    assert names(model) == order
    found, outputs = calls(model)
    assert shapes(model)["stem/inner/conv"] == (10, 10, 3)
    assert outputs == (found[2].outputs[0], found[4].outputs[0])


def test_a_nested_model_may_be_the_output(inner):
    image = keras.Input((8, 8, 3))
    first = inner(image)
    found, outputs = calls(keras.Model(image, [first, inner(first)]))
    assert outputs == (found[1].outputs[0], found[2].outputs[0])
    assert found[2].inputs == (found[1].outputs[0],)


def test_a_shared_layer_that_waits_for_others():
    image, shared = keras.Input((8, 8, 3), name="image"), layers.Conv2D(3, 3, name="shared")
    x = layers.ReLU(name="relu")(shared(image))
    model = keras.Model(image, shared(layers.ReLU(name="again")(x)))
    assert names(model) == ["image", "shared", "relu", "again", "shared"]
    assert [call.outputs[0].shape[1] for call in calls(model)[0]] == [8, 6, 6, 6, 4]


def test_pipelines_are_one_step_unless_they_hold_weights():
    image = keras.Input((8, 8, 3), name="image")
    join = layers.Pipeline([layers.Add(), layers.ReLU()], name="join")
    convs = layers.Pipeline([layers.Conv2D(4, 3, name="a"), layers.Conv2D(5, 3, name="b")], "convs")
    model = keras.Model(image, convs(join([image, image])))
    assert names(model) == ["image", "join", "convs/a", "convs/b"]
    assert shapes(model)["convs/b"] == (4, 4, 5)


def test_subclass_of_a_functional_model_and_cut_models():
    class Net(keras.Model):
        def __init__(self, filters):
            x = keras.Input((8, 8, 3), name="image")
            super().__init__(x, layers.Conv2D(filters, 3, name="conv")(x))

    assert names(Net(2)) == ["image", "conv"]
    chain = keras.Sequential(
        [keras.Input((8,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")]
    )
    assert names(_graph.split(chain, "a")[1])[1:] == ["b"]


def test_inputs_have_the_names_of_their_layers():
    """`keras.Input` without a name gives its layer one name and its tensor another."""
    image = keras.Input((4,))
    functional = keras.Model(image, keras.layers.Dense(2)(image))
    assert [call.name for call in calls(functional)[0]] == [x.name for x in functional.layers]
    sequential = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert calls(sequential)[0][0].name.startswith("input_layer")


def test_nothing_is_added_to_the_graph(inner):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, inner(layers.ReLU(name="relu")(image)))
    tensor = model.get_layer("relu").output
    assert names(model) == names(model)
    assert model.get_layer("relu").output is tensor  # an error if it had been called twice


def test_unknown_sizes_are_filled(inner):
    assert shapes(inner, (6, 5, 3)) == {"photo": (6, 5, 3), "conv": (6, 5, 3)}
    fixed = keras.Sequential([keras.Input((8, 8, 3), batch_size=2), layers.Flatten(name="flat")])
    assert shapes(fixed)["flat"] == (192,)


@pytest.mark.parametrize(
    ("make", "input_shape", "sentence"),
    [
        (lambda i: i, None, "The model's input is (None, None, 3), so its sizes are not known."),
        (lambda i: i, (6, None, 3), "Pass input_shape=(H, W, C)."),
        (lambda i: i, (6, 5, 1), "can fill only what the model leaves open"),
        (lambda i: i, (6, 5), "Received: input_shape=(6, 5)."),
        (lambda i: keras.Sequential([layers.Dense(2)], name="s"), None, "Received: Sequential 's'"),
        (lambda i: layers.Dense(2, name="d"), None, "Received: Dense 'd'"),
        (lambda i: "VGG16", None, "Received: str 'VGG16'"),
        (lambda i: keras.Model([i.inputs[0], x := keras.Input((1,))], x), (6, 5, 3), "has 2"),
    ],
)
def test_what_cannot_be_walked_is_said(inner, make, input_shape, sentence):
    with pytest.raises(InputError) as error:
        calls(make(inner), input_shape)
    assert sentence in str(error.value) and "\n" not in str(error.value)
