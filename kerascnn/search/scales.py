"""Hyperparameters on the scale that each belongs on: bricks for a `build(hp)` of your own.

| hyperparameter | first value | scale |
|---|---|---|
| learning rate | 0.001 or 0.01 | log |
| momentum | 0.9 | log of what is missing to 1 |
| size of the mini-batch | 32, 64, 128 | linear |
| layers, hidden units | | linear |
| size of a filter | 3 x 3 | linear |
| dropout, weight decay | 0, 0.004 | linear, log |

The first five rows are a course's table; a logarithm of the momentum itself would spend nearly all
draws below 0.9 and tell 0.9 from 0.99 as little as 0.8 from 0.88. Draw all of them at random rather
than from a grid (Bergstra and Bengio 2012, JMLR 13, "Random Search for Hyper-Parameter
Optimization").

Each function takes `hp`, the `keras_tuner.HyperParameters` of `build`, and gives the value of this
trial, or None in a `hp.conditional_scope` that is not active.
"""

__all__ = [
    "batch_size",
    "dropout",
    "kernel_size",
    "learning_rate",
    "momentum",
    "num_layers",
    "units",
    "weight_decay",
]


def learning_rate(hp, name="learning_rate", around=1e-3, factor=30):
    """A learning rate, log: `around` is tried first, then from `around / factor` to its multiple.

    Args:
        hp: `keras_tuner.HyperParameters`.
        name: str.
        around: float > 0. 0.001 for Adam and its kin, 0.01 for SGD with momentum.
        factor: float > 1.

    Returns:
        Float, or None where the scope is not active.

    >>> import keras_tuner
    >>> learning_rate(keras_tuner.HyperParameters(), around=0.01)
    0.01
    """
    return _around(hp, name, around, factor)


def momentum(hp, name="one_minus_momentum"):
    """A momentum from 0.5 to 0.99, log of what is missing to 1: 0.9 first.

    As many draws fall between 0.8 and 0.9 as between 0.95 and 0.975. What is drawn and recorded is
    1 - momentum, for Keras Tuner knows the logarithm of a value only (its "reverse_log" counts in
    multiples of highest / lowest, here not even 2).

    Args:
        hp: `keras_tuner.HyperParameters`.
        name: str. Of 1 - momentum, as in the list of trials.

    Returns:
        Float, the momentum, or None where the scope is not active.

    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> momentum(hp), hp.values
    (0.9, {'one_minus_momentum': 0.1})
    """
    missing = hp.Float(name, 0.01, 0.5, sampling="log", default=0.1)
    return None if missing is None else 1 - missing


def batch_size(hp, name="batch_size", values=(32, 64, 128)):
    """The photos of a step: one of `values`, the first of them first.

    Args:
        hp: `keras_tuner.HyperParameters`.
        name: str.
        values: ints >= 1.

    Returns:
        Int, or None where the scope is not active.

    >>> import keras_tuner
    >>> batch_size(keras_tuner.HyperParameters())
    32
    """
    return hp.Choice(name, list(values), default=values[0])


def num_layers(hp, name="num_layers", lowest=1, highest=4, default=None):
    """A number of layers or blocks, linear.

    Args:
        hp: `keras_tuner.HyperParameters`.
        name: str.
        lowest, highest: ints, both possible.
        default: int that is tried first, or None for `lowest`.

    Returns:
        Int, or None where the scope is not active.

    >>> import keras_tuner
    >>> num_layers(keras_tuner.HyperParameters(), default=2)
    2
    """
    return hp.Int(name, lowest, highest, default=default)


def units(hp, name="units", lowest=32, highest=256, step=32, default=128):
    """The units of a dense layer or filters of a convolution, linear.

    Args:
        hp: `keras_tuner.HyperParameters`.
        name: str.
        lowest, highest: ints, both possible.
        step: int, the distance of neighbours.
        default: int that is tried first.

    Returns:
        Int, or None where the scope is not active.

    >>> import keras_tuner
    >>> units(keras_tuner.HyperParameters())
    128
    """
    return hp.Int(name, lowest, highest, step=step, default=default)


def kernel_size(hp, name="kernel_size", values=(3, 5)):
    """The side of a filter in pixels: one of `values`, the first of them first.

    Args:
        hp: `keras_tuner.HyperParameters`.
        name: str.
        values: odd ints.

    Returns:
        Int, or None where the scope is not active.

    >>> import keras_tuner
    >>> kernel_size(keras_tuner.HyperParameters())
    3
    """
    return hp.Choice(name, list(values), default=values[0])


def dropout(hp, name="dropout", highest=0.5, default=0.0):
    """A rate of dropout, linear: the share that is dropped, from 0 to `highest`.

    Args:
        hp: `keras_tuner.HyperParameters`.
        name: str.
        highest: float in (0, 1).
        default: float that is tried first.

    Returns:
        Float, or None where the scope is not active.

    >>> import keras_tuner
    >>> dropout(keras_tuner.HyperParameters())
    0.0
    """
    return hp.Float(name, 0.0, highest, default=default)


def weight_decay(hp, name="weight_decay", around=0.004, factor=30):
    """A weight decay, log; what Keras's optimisers call `weight_decay`.

    They subtract rate * decay * weight (Loshchilov and Hutter 2019, arXiv:1711.05101). A penalty
    `keras.regularizers.L2` is smaller for the same effect; papers' 0.0005 is `L2(0.00025)`.

    Args:
        hp: `keras_tuner.HyperParameters`.
        name: str.
        around: float > 0 that is tried first; 0.004 is the default of Keras's AdamW.
        factor: float > 1.

    Returns:
        Float from `around / factor` to `around * factor`, or None where the scope is not active.

    >>> import keras_tuner
    >>> weight_decay(keras_tuner.HyperParameters())
    0.004
    """
    return _around(hp, name, around, factor)


def _around(hp, name, middle, factor):
    return hp.Float(name, middle / factor, middle * factor, sampling="log", default=middle)
