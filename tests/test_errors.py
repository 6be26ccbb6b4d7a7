"""One exception for what a user can mend, with a suggestion where there is a near one."""

import numpy as np
import pytest

import kerascnn
from kerascnn._errors import InputError, in_order, one_of, whole


def test_it_is_a_value_error():
    assert issubclass(InputError, ValueError) and kerascnn.InputError is InputError


def test_a_choice_is_returned_as_it_is():
    assert one_of("b", iter(["a", "b"]), "letter") == "b"
    assert one_of(None, [None, "avg"], "pooling") is None


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("Stretch", "Unknown resize 'Stretch'. Did you mean 'stretch'? Possible: stretch, crop."),
        ("corp", "Unknown resize 'corp'. Did you mean 'crop'? Possible: stretch, crop."),
        ("xyz", "Unknown resize 'xyz'. Possible: stretch, crop."),
        (None, "Unknown resize None. Possible: stretch, crop."),
        (["crop"], "Unknown resize ['crop']. Did you mean 'crop'? Possible: stretch, crop."),
    ],
)
def test_a_wrong_choice_is_answered_with_the_right_ones(value, sentence):
    with pytest.raises(InputError) as caught:
        one_of(value, ("stretch", "crop"), "resize")
    assert str(caught.value) == sentence


def test_a_suggestion_keeps_its_capitals():
    with pytest.raises(InputError, match="Did you mean 'MobileNetV2'"):
        one_of("mobilenetv2", ["MobileNetV2", "ResNet50"], "backbone")


@pytest.mark.parametrize(
    "values", [{2: "c", 0: "a", 1: "b"}, {np.int64(1): "b", 2: "c", 0: "a"}, ("a", "b", "c")]
)
def test_values_in_the_order_of_their_positions(values):
    assert in_order(values, "names") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({1: "a", 2: "b"}, "As a dict, `names` must have the keys 0 to 1. Received: 1, 2."),
        ({"cat": 0}, "As a dict, `names` must have the keys 0 to 0. Received: 'cat'."),
        ("ab", "`names` must be a list, whose order counts. Received: 'ab'."),
        ({"a", "b"}, "`names` must be a list, whose order counts. Received: {'[ab]', '[ab]'}."),
    ],
)
def test_what_has_no_order_is_refused(values, sentence):
    with pytest.raises(InputError, match=sentence):
        in_order(values, "names")


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float32(3)])
def test_a_whole_number(value):
    found = whole(value, "count", 3)
    assert found == 3 and type(found) is int


@pytest.mark.parametrize("value", [2, 3.5, float("nan"), float("inf"), True, None, "3"])
def test_no_whole_number(value):
    with pytest.raises(InputError, match=f"^count must be an int >= 3. Received: {value!r}.$"):
        whole(value, "count", 3)
