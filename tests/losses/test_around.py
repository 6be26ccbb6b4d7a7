import keras
import pytest

from kerascnn import InputError
from kerascnn.layers import LearnedLossWeight
from kerascnn.losses import ClassWeighted, UncertaintyWeighted


@pytest.mark.parametrize("loss", ["mse", keras.losses.mean_squared_error, None])
def test_only_objects_are_taken(loss):
    """Functions broadcast (N,) against (N, 1) to (N, N)."""
    with pytest.raises(InputError, match="must be a Keras loss object"):
        ClassWeighted(loss, [1, 2])
    with pytest.raises(InputError, match="must be a Keras loss object"):
        UncertaintyWeighted(loss, LearnedLossWeight())


def test_losses_within_losses_survive_their_config():
    loss = ClassWeighted(keras.losses.BinaryCrossentropy(from_logits=True), [1, 2])
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.loss.get_config() == loss.loss.get_config()
