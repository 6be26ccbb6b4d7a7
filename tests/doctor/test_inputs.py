"""Inputs as networks want them, and as they are by mistake."""

import keras
import numpy as np
import pytest
from keras import layers

from kerascnn import InputError
from kerascnn.doctor import channel_order, input_fit, input_range, input_scale, input_values
from kerascnn.doctor.inputs import arriving

RNG = np.random.default_rng(0)
PHOTOS = RNG.normal([150, 120, 90], [60, 50, 40], size=(40, 8, 8, 3)).clip(0, 255)
PHOTOS = PHOTOS.astype("float32")


def values(**changes):
    x = PHOTOS.copy()
    for change in changes.values():
        change(x)
    return input_values(x)


def test_values():
    assert values().severity == "fine"
    bad = values(nan=lambda x: x.put(5, np.nan))
    assert (bad.severity, bad.message) == ("problem", "1 of 7,680 values are NaN or infinite.")
    assert input_values(PHOTOS[:1]).severity == "fine"
    assert input_values(np.repeat(PHOTOS[:1], 3, axis=0)).message == "All 3 inputs are equal."
    still = values(blue=lambda x: x[..., 2].fill(7))
    assert (still.severity, still.message) == ("warning", "Channel 2 has the value 7 everywhere.")
    blank = values(black=lambda x: x[:10].fill(0))
    assert (blank.severity, blank.message) == (
        "warning",
        "25 % of the images are of one value each.",
    )


def test_values_that_are_true_or_false():
    x = PHOTOS > 100
    assert input_values(x) == input_values(x.astype("uint8"))
    x[..., 1] = True
    assert input_values(x).message == "Channel 1 has the value 1 everywhere."


@pytest.mark.parametrize(
    ("scale", "offset", "severity"),
    [(1, 0, "fine"), (9.9, 0, "fine"), (10.1, 0, "problem"), (0.0101, 0, "fine"),
     (0.0099, 0, "problem"), (0.5, 4.9, "fine"), (0.5, 5.1, "warning")],
)  # fmt: skip
def test_scale(scale, offset, severity):
    signs = np.tile([-1.0, 1.0], 50)  # mean 0, deviation and root mean square 1
    assert input_scale(scale * signs + offset).severity == severity
    assert input_scale(scale * signs + offset, is_normalised=True).severity == "fine"


def test_scale_of_what_is_no_number():
    finding = input_scale([0.5, np.nan])
    assert (finding.severity, finding.advice) == ("skipped", "")


def network(*stack):
    return keras.Sequential([keras.Input((8, 8, 3)), *stack])


def test_range():
    scaled = network(layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2))
    assert input_range(scaled, PHOTOS).severity == "fine"
    finding = input_range(scaled, PHOTOS / 255)
    assert finding.severity == "problem" and finding.message.endswith(".") and finding.advice
    assert input_range(network(layers.Conv2D(2, 3)), PHOTOS).severity == "skipped"


def test_what_arrives():
    stack = [layers.Rescaling(1 / 255), layers.Conv2D(2, 3), layers.BatchNormalization()]
    x, is_normalised = arriving(network(*stack), PHOTOS)
    np.testing.assert_allclose(x, PHOTOS / 255, rtol=1e-6)
    assert is_normalised
    nested = network(network(*stack[:2]), layers.ReLU())
    assert not arriving(nested, PHOTOS)[1]
    with pytest.raises(InputError, match="cannot be read"):
        arriving(network(layers.Flatten()), PHOTOS)


def trained(mean, std):
    """A network whose normalisation has seen images of these means and deviations by channel."""
    norm = layers.BatchNormalization(epsilon=1e-9)
    model = network(network(layers.Rescaling(1.0), norm), layers.Conv2D(2, 3))
    norm.set_weights([np.ones(3), np.zeros(3), np.array(mean), np.square(std)])
    return model


def test_the_divergence_is_that_of_two_normal_distributions():
    """KL(N(m, s^2), N(1, 1)) = (s^2 + (m - 1)^2 - 1 - log s^2) / 2, the mean over channels."""
    mean, variance = PHOTOS.mean(axis=(0, 1, 2)), PHOTOS.var(axis=(0, 1, 2))
    expected = (variance + (mean - 1) ** 2 - 1 - np.log(variance)).mean() / 2
    assert f"are {expected:.2g} (div" in input_fit(trained([1] * 3, [1] * 3), PHOTOS).message


def test_fit():
    mean, std = PHOTOS.mean(axis=(0, 1, 2)), PHOTOS.std(axis=(0, 1, 2))
    assert input_fit(trained(mean, std), PHOTOS).severity == "fine"
    assert input_fit(trained(mean / 255, std / 255), PHOTOS).severity == "problem"
    assert input_fit(trained(mean + std, std), PHOTOS).severity == "warning"  # (1 + 1 - 1 - 0) / 2
    grey = np.repeat(PHOTOS[..., :1], 3, axis=-1)
    own = trained([grey.mean() + grey.std()] * 3, [grey.std()] * 3)
    assert input_fit(own, grey).severity == "fine"


def test_order_of_colours():
    mean, std = PHOTOS.mean(axis=(0, 1, 2)), PHOTOS.std(axis=(0, 1, 2))
    model = trained(mean, std)
    assert channel_order(model, PHOTOS).severity == "fine"
    assert channel_order(model, PHOTOS[..., ::-1]).severity == "problem"
    assert channel_order(trained([100] * 3, [50] * 3), PHOTOS).severity == "skipped"
    assert channel_order(network(layers.Conv2D(2, 3)), PHOTOS).severity == "skipped"
    grey = np.repeat(PHOTOS[..., :1], 3, axis=-1)
    assert channel_order(model, grey).message == "Grey images have no order of colours."
