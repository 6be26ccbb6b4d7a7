"""A loss that changes the values of another one."""

import keras

from kerascnn._errors import InputError


class LossAround(keras.losses.Loss):
    """Holds a Keras loss, through saving too. `self.values` are its values, one a sample."""

    def __init__(self, loss, **kwargs):
        super().__init__(**kwargs)
        # A function or its name would broadcast labels (N,) against predictions (N, 1).
        if not isinstance(loss, keras.losses.Loss):
            raise InputError(
                f"`loss` must be a Keras loss object, e.g. keras.losses.MeanSquaredError(). "
                f"Received: loss={loss!r}."
            )
        self.loss = loss

    def values(self, y_true, y_pred):
        return self.loss.call(y_true, y_pred)

    def get_config(self):
        return {**super().get_config(), "loss": keras.losses.serialize(self.loss)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "loss": keras.losses.deserialize(config["loss"])})
