"""What a search may be given to build: a function, or a hypermodel that declares its space."""

import keras_tuner

from kerascnn._errors import InputError

__all__ = ["as_hypermodel", "declared_space"]


def as_hypermodel(hypermodel):
    """A `keras_tuner.HyperModel` as it is, a function as one."""
    if isinstance(hypermodel, keras_tuner.HyperModel):
        return hypermodel
    if not callable(hypermodel):
        raise InputError(
            "The hypermodel should be a keras_tuner.HyperModel, or a function of its "
            f"HyperParameters that returns a compiled model, not {hypermodel!r}."
        )
    return _Built(hypermodel)


class _Built(keras_tuner.HyperModel):
    def __init__(self, function):
        self.function = function
        super().__init__()

    def build(self, hp):
        return self.function(hp)


def declared_space(hypermodel):
    """What `declare_hyperparameters` declares; None where a hypermodel leaves it as it is."""
    if type(hypermodel).declare_hyperparameters is keras_tuner.HyperModel.declare_hyperparameters:
        return None
    space = keras_tuner.HyperParameters()
    hypermodel.declare_hyperparameters(space)
    return space
