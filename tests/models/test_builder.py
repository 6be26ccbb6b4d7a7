"""The shared helpers of the builders, on a toy family."""

import inspect

import keras
import pytest

from kerascnn import InputError
from kerascnn.models._builder import documented, finish, image_input, named_variant


@documented
def Toy(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=10,
    classifier_activation="softmax",
    name="toy",
    *,
    depth,
    bias=True,
):
    """Toys of any depth.

    They play.

    Args:
        depth: int. How many
            layers.
        bias: bool. Whether they have biases.

    >>> Toy(depth=1).name
    'toy'
    """
    image = image_input(input_tensor, input_shape, default=(8, 8, 3), minimum=4, fixed_size=True)
    x = image
    for i in range(depth):
        x = keras.layers.Conv2D(2, 3, padding="same", use_bias=bias, name=f"conv{i}")(x)

    def top(x, classes):
        x = keras.layers.Flatten()(x)
        return keras.layers.Dense(classes, activation=classifier_activation)(x)

    return finish(
        image,
        x,
        top,
        builder="Toy",
        include_top=include_top,
        weights=weights,
        pooling=pooling,
        classes=classes,
        name=name,
    )


Toy2 = named_variant(Toy, "Toy2", "Two layers.", depth=2)


def build(**options):
    return Toy(depth=1, **options)


def test_a_variant_is_a_builder_of_its_own():
    signature = inspect.signature(Toy2)
    assert list(signature.parameters)[:8] == list(inspect.signature(Toy).parameters)[:8]
    assert "depth" not in signature.parameters
    assert signature.parameters["name"].default == "toy2"
    assert (Toy2.__name__, Toy2.__qualname__, Toy2.__module__) == ("Toy2", "Toy2", __name__)
    assert Toy2.__doc__.startswith(
        "Two layers.\n\nThey play.\n\nArgs:\n    bias: bool. Whether they have biases.\n\n"
        "Arguments in common"
    )
    assert "'toy'\n\nArguments in common" in Toy.__doc__
    plain = named_variant(Toy, "Plain", "Both fixed.", depth=1, bias=False).__doc__
    assert plain.startswith("Both fixed.\n\nThey play.\n\nArguments in common")


def test_a_variant_passes_everything_on():
    model = Toy2(False, None, None, (6, 4, 1), "max", bias=False)
    assert (model.name, model.input_shape) == ("toy2", (None, 6, 4, 1))
    assert model.output_shape == (None, 2)
    assert model.count_params() == 9 * 2 + 9 * 2 * 2
    assert Toy2(name="mine").name == "mine"
    with pytest.raises(TypeError, match="depth"):
        Toy2(depth=3)


def test_a_network_continues_from_a_tensor_as_one_flat_graph():
    inputs = keras.Input((8, 8, 3))
    model = build(input_tensor=keras.layers.Rescaling(2.0)(inputs))
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "Rescaling", "Conv2D", "Flatten", "Dense"]
    assert model.input is inputs


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_pooling_reduces_the_last_feature_map(pooling):
    x = keras.random.uniform((2, 8, 8, 3), seed=0)
    model = build(include_top=False, pooling=pooling)
    maps = keras.ops.convert_to_numpy(model.layers[1](x))
    pooled = keras.ops.convert_to_numpy(model(x))
    expected = maps.mean((1, 2)) if pooling == "avg" else maps.max((1, 2))
    assert pooled == pytest.approx(expected, abs=1e-6)
    assert build(include_top=False).output_shape == (None, 8, 8, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (3, 8, 1)}, r"at least 4.*\(3, 8, 1\)"),
        ({"input_shape": (8, 8)}, r"must be \(H, W, C\).*\(8, 8\)"),
        ({"input_shape": (8, 8, None)}, "C at least 1"),
        ({"input_shape": (8.0, 8, 1)}, "must be"),
        ({"input_shape": 8}, "must be"),
        ({"input_shape": (None, 8, 3)}, "include_top=False"),
        ({"input_tensor": "image"}, "must be a Keras tensor.*str"),
        ({"classes": 0}, "at least 1.*classes=0"),
        ({"classes": "ten"}, "classes='ten'"),
        ({"classes": True}, "classes=True"),
        ({"pooling": "average"}, "Did you mean 'avg'"),
        ({"weights": "imagenet"}, "Unknown weights 'imagenet' for Toy.*None, a path"),
    ],
)
def test_arguments_that_cannot_be_are_named(options, message):
    with pytest.raises(InputError, match=message):
        build(**options)


def test_a_tensor_and_another_shape_contradict():
    with pytest.raises(InputError, match=r"\(8, 8, 3\).*input_shape=\(9, 9, 3\)"):
        build(input_tensor=keras.Input((8, 8, 3)), input_shape=(9, 9, 3))


def test_channels_first_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(InputError, match="channels_last"):
            build()
    finally:
        keras.config.set_image_data_format("channels_last")
