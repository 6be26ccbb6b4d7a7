import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.transfer._options import STRATEGIES, check_engine, check_training

GOOD = {"strategy": "auto", "epochs": 12, "learning_rate": 3e-4, "seed": 0}


@pytest.mark.parametrize(
    "changed",
    [
        *({"strategy": strategy} for strategy in STRATEGIES),
        {"epochs": 1}, {"seed": 2**32 - 1}, {"views": 3}, {"class_weight": None},
        {"class_weight": "balanced"},
        {"epochs": np.int64(3)}, {"seed": np.uint32(3)}, {"views": np.int32(2)},
        {"learning_rate": np.float32(1e-3)},
    ],
)  # fmt: skip
def test_good_training_options(changed):
    check_training(**GOOD | changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"strategy": "partal"}, "Unknown strategy 'partal'. Did you mean 'partial'?"),
        ({"epochs": 0}, "epochs must be an int >= 1. Received: 0."),
        ({"epochs": 2.5}, "Received: 2.5."),
        ({"epochs": True}, "Received: True."),
        ({"learning_rate": 0.0}, "learning_rate must be > 0. Received: 0.0."),
        ({"learning_rate": float("nan")}, "Received: nan."),
        ({"learning_rate": float("inf")}, "Received: inf."),
        ({"seed": -1}, "seed must be an int from 0 to 2**32 - 1. Received: -1."),
        ({"seed": 2**32}, "Received: 4294967296."),
        ({"views": 0}, "views must be 'auto' or an int >= 1. Received: 0."),
        ({"views": "many"}, "Received: 'many'."),
        ({"class_weight": "blanced"}, "Did you mean 'balanced'? Possible: auto, balanced, None."),
    ],
)
def test_bad_training_options(changed, message):
    with pytest.raises(InputError) as caught:
        check_training(**GOOD | changed)
    assert message in str(caught.value)


def test_engines_and_precisions():
    for engine in ("auto", "openvino"):
        check_engine(engine, "bfloat16")
    check_engine("keras", "float32")
    for pair in (("keras", "bfloat16"), ("karas", "float32"), ("auto", "float16")):
        with pytest.raises(InputError):
            check_engine(*pair)
