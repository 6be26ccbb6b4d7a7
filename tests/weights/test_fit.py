import keras
import numpy as np
import pytest

from kerascnn.weights import _fit

KERNEL = np.arange(2 * 2 * 3 * 2, dtype="f4").reshape(2, 2, 3, 2)


def layers(channels, filters=2):
    """One convolution of `filters` 2x2 kernels and one dense layer."""
    model = keras.Sequential(
        [
            keras.Input((2, 2, channels)),
            keras.layers.Conv2D(filters, 2, name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, name="output"),
        ]
    )
    return {layer.name: layer for layer in model.layers if layer.weights}


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 7])
def test_adapted_input_is_timms_rule(channels):
    bias = np.ones(2)
    (kernel, rest) = _fit.adapted_input(layers(channels), {"conv": [KERNEL, bias]})["conv"]
    if channels == 1:
        expected = KERNEL[:, :, :1] + KERNEL[:, :, 1:2] + KERNEL[:, :, 2:]
    else:
        expected = np.stack([KERNEL[:, :, i % 3] * 3 / channels for i in range(channels)], axis=2)
    assert kernel.shape == (2, 2, channels, 2) and kernel.dtype == "float32"
    assert np.allclose(kernel, expected, rtol=1e-6)
    assert rest is bias


def test_what_is_not_rgb_or_of_another_size_is_not_adapted():
    assert _fit.adapted_input(layers(3), {"conv": [KERNEL]}) == {}
    assert _fit.adapted_input(layers(4), {"conv": [KERNEL[:, :, :1]]}) == {}
    assert _fit.adapted_input(layers(1, filters=5), {"conv": [KERNEL]}) == {}
    assert _fit.adapted_input(layers(1), {"output": [np.zeros((2, 3))]}) == {}


def test_differences_name_both_sides():
    found = {"conv": [KERNEL, np.zeros(2)], "other": [np.zeros(4)]}
    wrong = _fit.differences(layers(1), found)
    assert wrong == {
        "conv": ([(2, 2, 3, 2), (2,)], [(2, 2, 1, 2), (2,)]),
        "output": (None, [(2, 3), (3,)]),
        "other": ([(4,)], None),
    }
    assert _fit.told(wrong) == (
        "`conv` is (2, 2, 3, 2) + (2,) in the file and (2, 2, 1, 2) + (2,) in the model; `output` "
        "is missing in the file and (2, 3) + (3,) in the model; `other` is (4,) in the file and "
        "missing in the model"
    )
    assert _fit.told(wrong | {"a": (None, None), "b": (None, None)}).endswith(
        ", and 2 further layers"
    )


SHAPE = [(1,)]
PASSED = {"builder": "VGG16", "new": (), "skip": (), "adapt_input": False}


@pytest.mark.parametrize(
    ("wrong", "passed", "call"),
    [
        ({"output": (SHAPE, [(2,)])}, {}, "new=['output']"),
        ({"fc6": (None, SHAPE), "fc7": (None, SHAPE)}, {}, "new=['fc6', 'fc7']"),
        ({"conv": (SHAPE, [(2,)])}, {}, "adapt_input=True"),
        ({"conv": (SHAPE, [(2,)])}, {"new": ("output",)}, "new=['output'], adapt_input=True"),
        ({"output": (SHAPE, None)}, {"adapt_input": True}, "skip=['output'], adapt_input=True"),
        ({"aux4a_1": (SHAPE, None), "aux4d_1": (SHAPE, None)}, {}, "skip=['aux*']"),
    ],
)
def test_the_call_that_mends(wrong, passed, call):
    text = _fit.mend(wrong, {"conv": []}, None, "a.h5", PASSED | passed)
    assert text.endswith(f"call kerascnn.weights.load(model, 'a.h5', {call}).")


def test_named_weights_are_called_with_their_builder():
    text = _fit.mend({"output": (SHAPE, None)}, {}, None, "imagenet", PASSED)
    assert text.endswith("load(model, 'imagenet', builder='VGG16', skip=['output']).")


def test_another_network_cannot_be_mended():
    wrong = {"output": (SHAPE, [(2,)]), "conv": (SHAPE, [(2,)])}
    assert _fit.mend(wrong, {}, None, "a.h5", PASSED) == (
        ". Build the model with the options, channels and classes of the weights, or pass "
        "weights=None."
    )
    assert 'of the weights (variant="v1"), or' in _fit.mend(wrong, {}, "v1", "a.h5", PASSED)
    assert 'variant="v1"' in _fit.mend({}, {}, "v1", "a.h5", PASSED)


def test_variants_are_told_by_their_strides():
    def bottleneck(stride, name):
        return {name: keras.layers.Conv2D(1, 1, stride)}

    first, second = "stage3_block1_1_conv", "stage3_block1_2_conv"
    for variant, layer in {"v1": first, "v1.5": second}.items():
        assert _fit.same_variant(bottleneck(2, layer), variant)
        assert not _fit.same_variant(bottleneck(1, layer), variant)
    assert _fit.same_variant(bottleneck(1, first), None)
    assert _fit.same_variant({}, "v1")
