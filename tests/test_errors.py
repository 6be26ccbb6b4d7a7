"""One exception for what a user can mend, with a suggestion where there is a near one."""

import pytest

import kerascnn
from kerascnn._errors import InputError, one_of


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
