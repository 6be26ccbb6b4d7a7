import keras
import pytest
from keras import layers

from kerascnn import InputError, _kernels, models


def test_kernels_are_named_alike_whatever_was_built_before():
    names = [list(_kernels.kernels(models.LeNet5())) for _ in range(2)]
    assert names[0] == names[1]
    assert names[0] == [f"{name}/kernel" for name in ("c1", "c3", "c5", "f6", "output")]


def test_kernels_of_nested_and_composed_layers_have_names_of_their_own():
    inner = keras.Sequential([keras.Input((4, 4)), layers.Dense(4, name="fc")], name="inner")
    x = keras.Input((4, 4))
    y = layers.MultiHeadAttention(1, 2, name="attend")(inner(x), inner(x))
    model = keras.Model(x, layers.Dense(1, name="fc")(y))
    assert list(_kernels.kernels(model)) == [
        "inner/fc/kernel",
        "attend/query/kernel",
        "attend/key/kernel",
        "attend/value/kernel",
        "attend/attention_output/kernel",
        "fc/kernel",
    ]


def test_separable_kernels_count_and_biases_do_not():
    model = keras.Sequential([keras.Input((4, 4, 2)), layers.SeparableConv2D(3, 3, name="s")])
    assert list(_kernels.kernels(model)) == ["s/depthwise_kernel", "s/pointwise_kernel"]


def test_choices():
    names = ["conv1", "conv2", "fc"]
    assert _kernels.chosen(3, names) == dict.fromkeys(names, 3)
    assert _kernels.chosen({"conv2": 2, "conv*": 1}, names) == {"conv1": 1, "conv2": 2}
    with pytest.raises(InputError, match="like 'dense'. There are: conv1, conv2, fc"):
        _kernels.chosen({"dense": 1}, names)
