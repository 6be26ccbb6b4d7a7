"""Learning rates by step that Keras does not have, and a look at any of them before training.

Keras has most of what papers use. With n steps an epoch (`S` is `keras.optimizers.schedules`):

| rate | schedule |
|---|---|
| halved every 10 epochs | `S.ExponentialDecay(rate, 10 * n, 0.5, staircase=True)` |
| 0.95 ** epoch | `S.ExponentialDecay(rate, n, 0.95, staircase=True)` |
| 4 % less every 8 epochs (GoogLeNet) | `S.ExponentialDecay(rate, 8 * n, 0.96, staircase=True)` |
| ÷ 10 after 32,000 steps (ResNet) | `S.PiecewiseConstantDecay([31999], [a, a / 10])` |
| a * exp(-k * step) | `S.ExponentialDecay(a, 1, math.exp(-k))` |
| a / (1 + k * step) | `S.InverseTimeDecay(a, 1, k)` |
| linear to 0, a * (1 - step / steps) | `S.PolynomialDecay(a, steps, 0)` |
| polynomial | `S.PolynomialDecay(a, steps, end, power)` |
| cosine to 0 | `S.CosineDecay(a, steps)` |
| a / sqrt(epoch), epochs from 1 | `InverseSquareRootDecay(a, n, staircase=True)` |

(A boundary of `PiecewiseConstantDecay` is the last step of its rate, and steps begin with 0.)

Any of them can follow a warm-up (`WarmUp`) or one another (`Chain`), and
`kerascnn.callbacks.PlateauRollback` lowers it further where training stalls.
"""

import collections
import functools
import logging

import keras
import numpy as np
from keras import ops

from kerascnn._derivatives import compiled
from kerascnn._errors import InputError, whole

__all__ = [
    "Chain",
    "InverseSquareRootDecay",
    "OneCycle",
    "RobbinsMonro",
    "Scaled",
    "Stretched",
    "WarmUp",
    "robbins_monro",
    "simulate",
]

_log = logging.getLogger("kerascnn")
_Schedule = keras.optimizers.schedules.LearningRateSchedule
_register = keras.saving.register_keras_serializable(package="kerascnn")


@_register
class InverseSquareRootDecay(_Schedule):
    """initial_learning_rate / sqrt(1 + step / decay_steps).

    With `decay_steps` = steps an epoch and `staircase=True` it is k / sqrt(epoch), epochs counted
    from 1. Source: lecture notes IN5400; the root of Robbins-Monro's slowest rate. Differs: no.

    Args:
        initial_learning_rate: float > 0.
        decay_steps: int >= 1. Steps after which the rate has fallen to 1 / sqrt(2).
        staircase: bool. Whether step / decay_steps is rounded down.

    Call arguments:
        step: int scalar >= 0.

    Raises:
        InputError: a rate or a number of steps is not positive.

    >>> rate = InverseSquareRootDecay(0.1, decay_steps=100, staircase=True)
    >>> [round(float(rate(step)), 4) for step in (0, 99, 100, 300)]
    [0.1, 0.1, 0.0707, 0.05]
    """

    def __init__(self, initial_learning_rate, decay_steps, staircase=False):
        super().__init__()
        self.initial_learning_rate = _positive(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = whole(decay_steps, "decay_steps", 1)
        self.staircase = staircase

    def __call__(self, step):
        passed = ops.cast(step, "float32") / self.decay_steps
        passed = ops.floor(passed) if self.staircase else passed
        return self.initial_learning_rate / ops.sqrt(1.0 + passed)

    def get_config(self):
        names = ("initial_learning_rate", "decay_steps", "staircase")
        return {name: getattr(self, name) for name in names}


@_register
class OneCycle(_Schedule):
    """Up along a cosine to the highest rate, then down along one to almost nothing.

    peak / start_divisor at step 0, `peak` after `up` of the steps, peak / end_divisor at the end.

    Source: Smith and Topin 2018, arXiv:1708.07120, with the cosines and the constants of fastai's
    `fit_one_cycle`. Differs: the momentum stays as it is (there it falls while the rate rises);
    Keras's optimisers have it as a constant.

    Args:
        peak: float > 0. The highest rate, e.g. of `kerascnn.callbacks.LearningRateRangeTest`.
        steps: int >= 2. All steps of the training.
        up: float in (0, 1). Share of the steps in which the rate rises.
        start_divisor: float >= 1.
        end_divisor: float >= 1.

    Call arguments:
        step: int scalar >= 0. Behind the last one the rate stays at its end.

    Raises:
        InputError: an argument is outside its range.

    >>> rate = OneCycle(1.0, steps=100)
    >>> [round(float(rate(step)), 3) for step in (0, 25, 100)]
    [0.04, 1.0, 0.0]
    """

    def __init__(self, peak, steps, up=0.25, start_divisor=25.0, end_divisor=1e5):
        super().__init__()
        self.peak, self.steps = _positive(peak, "peak"), whole(steps, "steps", 2)
        if not 0 < up < 1:
            raise InputError(f"up must be between 0 and 1. Received: up={up}.")
        if min(start_divisor, end_divisor) < 1:
            raise InputError(
                "start_divisor and end_divisor must be at least 1. Received: "
                f"start_divisor={start_divisor}, end_divisor={end_divisor}."
            )
        self.up, self.start_divisor, self.end_divisor = up, start_divisor, end_divisor

    def __call__(self, step):
        share = ops.clip(ops.cast(step, "float32") / self.steps, 0.0, 1.0)
        rising = _cosine(self.peak / self.start_divisor, self.peak, share / self.up)
        falling = _cosine(
            self.peak, self.peak / self.end_divisor, (share - self.up) / (1 - self.up)
        )
        return ops.where(share < self.up, rising, falling)

    def get_config(self):
        names = ("peak", "steps", "up", "start_divisor", "end_divisor")
        return {name: getattr(self, name) for name in names}


@_register
class WarmUp(_Schedule):
    """A straight line from `start` to where `schedule` begins, then the schedule.

    Source: Goyal et al. 2017, arXiv:1706.02677, Sec. 2.2, "gradual warmup". Differs: no.

    Args:
        schedule: float > 0, or a Keras schedule, which begins when the warm-up is over.
        steps: int >= 1. Steps of the warm-up.
        start: float >= 0. The rate of the first step.

    Call arguments:
        step: int scalar >= 0.

    Raises:
        InputError: an argument is outside its range.

    >>> rate = WarmUp(keras.optimizers.schedules.CosineDecay(0.1, 1000), steps=10, start=0.01)
    >>> [round(float(rate(step)), 3) for step in (0, 5, 10, 510)]
    [0.01, 0.055, 0.1, 0.05]
    """

    def __init__(self, schedule, steps, start=0.0):
        super().__init__()
        self.schedule, self.steps = _schedule_or_rate(schedule), whole(steps, "steps", 1)
        if start < 0:
            raise InputError(f"start must not be negative. Received: start={start}.")
        self.start = start

    def __call__(self, step):
        step = ops.cast(step, "float32")
        share = ops.clip(step / self.steps, 0.0, 1.0)
        rising = self.start + share * (_rate(self.schedule, 0) - self.start)
        then = _rate(self.schedule, ops.maximum(step - self.steps, 0.0))
        return ops.where(share < 1.0, rising, then)

    def get_config(self):
        return {"schedule": _serialized(self.schedule), "steps": self.steps, "start": self.start}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "schedule": _deserialized(config["schedule"])})


@_register
class Chain(_Schedule):
    """Schedules one after another, each of which counts its steps from where it begins.

    Args:
        schedules: list of floats > 0 and Keras schedules.
        steps: list of ints >= 1, one fewer: how long each of them lasts; the last one goes on.

    Call arguments:
        step: int scalar >= 0.

    Raises:
        InputError: an argument is outside its range.

    >>> rate = Chain([0.01, 0.1, keras.optimizers.schedules.CosineDecay(0.1, 100)], [5, 50])
    >>> [round(float(rate(step)), 3) for step in (4, 5, 55, 105)]
    [0.01, 0.1, 0.1, 0.05]
    """

    def __init__(self, schedules, steps):
        super().__init__()
        self.schedules = [_schedule_or_rate(schedule) for schedule in schedules]
        self.steps = [whole(number, "every number in steps", 1) for number in steps]
        if len(self.steps) != len(self.schedules) - 1:
            raise InputError(
                "Chain needs a number of steps for every schedule but the last. Received: "
                f"{len(self.schedules)} schedules and {len(self.steps)} numbers."
            )

    def __call__(self, step):
        step = ops.cast(step, "float32")
        begins = np.concatenate([[0], np.cumsum(self.steps, dtype=int)]).tolist()
        rate = _rate(self.schedules[0], step)
        for begin, schedule in zip(begins[1:], self.schedules[1:]):
            rate = ops.where(step < begin, rate, _rate(schedule, ops.maximum(step - begin, 0.0)))
        return rate

    def get_config(self):
        return {"schedules": [_serialized(part) for part in self.schedules], "steps": self.steps}

    @classmethod
    def from_config(cls, config):
        return cls([_deserialized(part) for part in config["schedules"]], config["steps"])


@_register
class Scaled(_Schedule):
    """`schedule` times a constant: what callbacks that lower the rate leave in the optimiser.

    Args:
        schedule: a Keras schedule.
        scale: float > 0.

    Call arguments:
        step: int scalar >= 0.

    Raises:
        InputError: `scale` is not positive.

    >>> round(float(Scaled(keras.optimizers.schedules.CosineDecay(0.1, 100), 0.5)(0)), 4)
    0.05
    """

    def __init__(self, schedule, scale):
        super().__init__()
        self.schedule, self.scale = _schedule_or_rate(schedule), _positive(scale, "scale")

    def __call__(self, step):
        return self.scale * _rate(self.schedule, step)

    def get_config(self):
        return {"schedule": _serialized(self.schedule), "scale": self.scale}

    @classmethod
    def from_config(cls, config):
        return cls(_deserialized(config["schedule"]), config["scale"])


@_register
class Stretched(_Schedule):
    """`schedule`, each of its steps held for several: as many as make one update.

    Keras counts every batch as a step, so with `gradient_accumulation_steps` a schedule would be
    through too early: after 1 / gradient_accumulation_steps of its updates.

    Args:
        schedule: a Keras schedule.
        times: int >= 1.

    Call arguments:
        step: int scalar >= 0.

    Raises:
        InputError: `times` is no positive int.

    >>> halving = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    >>> [float(Stretched(halving, 4)(step)) for step in (0, 3, 4)]
    [0.1..., 0.1..., 0.05...]
    """

    def __init__(self, schedule, times):
        super().__init__()
        self.schedule, self.times = _schedule_or_rate(schedule), whole(times, "times", 1)

    def __call__(self, step):
        return _rate(self.schedule, ops.floor_divide(step, self.times))

    def get_config(self):
        return {"schedule": _serialized(self.schedule), "times": self.times}

    @classmethod
    def from_config(cls, config):
        return cls(_deserialized(config["schedule"]), config["times"])


def simulate(schedule, steps):
    """The rate of every step, without training.

    Args:
        schedule: a Keras schedule, or a float.
        steps: int >= 1, or a list of int steps >= 0.

    Returns:
        float32 array, one rate a step: of steps 0 to steps - 1, or of the steps given.

    Raises:
        InputError: `steps` is no int >= 1, or `schedule` neither a schedule nor a number above 0.

    >>> simulate(keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0), 4)
    array([1.  , 0.75, 0.5 , 0.25], dtype=float32)
    """
    steps = np.arange(whole(steps, "steps", 1)) if np.ndim(steps) == 0 else np.asarray(steps)
    rate = functools.partial(_rate, _schedule_or_rate(schedule))

    @compiled
    def rates(steps):
        return ops.map(lambda step: ops.cast(rate(step), "float32"), steps)

    return np.array(ops.convert_to_numpy(rates(ops.convert_to_tensor(steps))))


RobbinsMonro = collections.namedtuple("RobbinsMonro", ["explores", "converges", "power"])


def robbins_monro(schedule, steps=10**6):
    """Whether a rate fulfils Robbins and Monro's conditions, as far as its decay shows.

    The sum of all rates must be infinite, so that any point can be reached, and the sum of their
    squares finite, so that the noise dies out. A rate that falls as step ** -power in the long run
    fulfils both for 1/2 < power <= 1. The power is measured between `steps` and 10 * `steps`; it is
    0 for a constant rate and infinite for one that ends at 0. If it is another one in the decade
    before, a warning is logged: the schedule is no power of the step there.

    Source: Robbins and Monro 1951, Ann. Math. Stat. 22(3). Differs: a finite piece of a schedule
    proves nothing about the rest; this looks at how it falls.

    Args:
        schedule: a Keras schedule, or a float.
        steps: int from 100 to 1,600,000 (the step is a float32). Where to look.

    Returns:
        `RobbinsMonro(explores, converges, power)`: bool, bool, float.

    Raises:
        InputError: `steps` is outside its range.

    >>> robbins_monro(keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 1.0))
    RobbinsMonro(explores=True, converges=True, power=1.0)
    >>> robbins_monro(0.1)
    RobbinsMonro(explores=True, converges=False, power=0.0)
    """
    if whole(steps, "steps", 100) > 1_600_000:
        raise InputError(f"steps must be at most 1,600,000. Received: {steps}.")
    rates = simulate(schedule, [steps // 10, steps, 10 * steps])
    before, power = (_power(early, late) for early, late in zip(rates, rates[1:]))
    if before != power and not abs(before - power) < 0.05:
        _log.warning(
            "The rate falls as step ** -%g up to step %d and as step ** -%g after it: a verdict "
            "for its end alone.",
            before,
            steps,
            power,
        )
    return RobbinsMonro(power <= 1, power > 0.5, power)


def _power(early, late):
    """p of rates that fall as step ** -p, over ten times the steps."""
    if late <= 0 or early <= 0:
        return float("inf")
    return round(float(np.log10(early / late)), 2)


def _cosine(start, end, share):
    """From `start` to `end` along half a cosine, as `share` goes from 0 to 1."""
    return end + (start - end) * (1 + ops.cos(np.pi * share)) / 2


def _rate(schedule, step):
    return schedule(step) if callable(schedule) else schedule


def _schedule_or_rate(schedule):
    if isinstance(schedule, _Schedule):
        return schedule
    return _positive(schedule, "A rate")


def _serialized(schedule):
    is_schedule = isinstance(schedule, _Schedule)
    return keras.optimizers.schedules.serialize(schedule) if is_schedule else schedule


def _deserialized(config):
    is_schedule = isinstance(config, dict)
    return keras.optimizers.schedules.deserialize(config) if is_schedule else config


def _positive(number, name):
    if not isinstance(number, int | float | np.number) or not 0 < number < float("inf"):
        raise InputError(f"{name} must be a number above 0. Received: {number!r}.")
    return float(number)
