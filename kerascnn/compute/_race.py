"""Settings against each other: who enters, who is out, who has won."""

import time
from dataclasses import replace

import keras
import numpy as np
import psutil

from kerascnn._errors import InputError, NonFiniteError
from kerascnn.arithmetic import analyze
from kerascnn.compute._trial import Trial
from kerascnn.compute.choice import ComputeChoice
from kerascnn.compute.precision import PRECISIONS, precision_of

__all__ = ["Race"]

_ROUNDS = 5  # of the last ones against each other
_AT_LEAST = 3  # of them, also when the time is over
_FINALISTS = 3  # beside the model as it is
_ROUND_SHARE = 1 / 60  # of the time is one round of one setting
_WORTH = 1.03  # a gain below 3 % is none
_PROMISING = 0.75  # of the fastest; what is slower when it enters is out
_XLA = 5  # times as long to start as without it, until it is known
_LOSS = 0.05  # how far the loss may be from that of the model as it is, relatively
_MEMORY = 0.8  # of the free memory is what a step on a CPU may take


class Race:
    """The settings of one model that are measured; `base` is the model as it is."""

    def __init__(self, model, rows, seconds):
        self.model, self.rows = model, rows
        self.round_seconds = seconds * _ROUND_SHARE
        self.deadline = time.perf_counter() + seconds
        self.trials, self.start_seconds = [], {}

    # --- who enters --------------------------------------------------------------------------

    def begin(self, batch_size, divisible):
        """The model as it is, where `divisible` in the largest part of a batch that fits."""
        as_it_is = ComputeChoice(
            precision_of(self.model),
            self.model.jit_compile,
            self.model.steps_per_execution,
            batch_size,
        )
        steps = 1
        while not self._starts(_in_parts(as_it_is, steps), divisible):
            steps *= 2
            if batch_size % steps:
                raise InputError(
                    f"{2 * batch_size // steps} images do not fit the memory, and so many cannot "
                    f"be halved. Received: batch_size={batch_size}; pass a power of 2."
                )
        if not np.isfinite(self.base.loss):
            raise NonFiniteError("The loss of the model as it is is NaN or infinite.")
        self.base.note = "as it is" if steps == 1 else "as it is, in parts"

    def _starts(self, choice, divisible):
        """Whether the model as it is trains in such batches."""
        self.base = Trial(choice)
        self.trials.append(self.base)
        needed, free = self._bytes(choice), psutil.virtual_memory().available
        if divisible and needed > _MEMORY * free:
            self.base.drop(f"needs {needed / 1e9:,.1f} GB (estimated) of {free / 1e9:,.1f} free")
            return False
        try:
            self._start(self.base)
        except Exception as error:  # each backend has its own for memory
            if not divisible or not _is_about_memory(error):
                raise
            self.base.drop("does not fit the memory")
            return False
        return True

    def enter(self, other, **changes):
        """Start a setting, `other` with some changes, and measure it once."""
        choice = replace(other, **changes)
        if any(trial.choice == choice for trial in self.trials):
            return
        trial = Trial(choice)
        self.trials.append(trial)
        if time.perf_counter() + self._expected(choice) > self.deadline:
            trial.drop("not tried: no time")
            return
        if self._attempt(trial, self._start) and self._attempt(trial, self._check_loss):
            self.round([trial])
            if trial.is_live and trial.median() < _PROMISING * self.best().median():
                trial.drop("slower")

    def enter_compiled(self):
        """XLA, or its absence where the model has it: first as the model is, then on the best."""
        if keras.backend.backend() == "jax":
            return  # without it nothing is compiled at all
        best, xla = self.best().choice, not self.base.choice.jit_compile
        self.enter(self.base.choice, jit_compile=xla)
        if self.trials[-1].is_live:
            self.enter(best, jit_compile=xla)

    def enter_divided(self):
        """Halves and quarters of the batch."""
        whole = self.best().choice
        for parts in (2, 4):
            if whole.micro_batch_size % parts == 0:
                self.enter(_in_parts(whole, parts))

    def _expected(self, choice):
        """Seconds that it takes to start."""
        known = self.start_seconds
        if choice.jit_compile in known:
            return known[choice.jit_compile]
        return known[not choice.jit_compile] * (_XLA if choice.jit_compile else 1)

    def _start(self, trial):
        begun = time.perf_counter()
        trial.start(self.model, self.rows)
        self.start_seconds[trial.choice.jit_compile] = time.perf_counter() - begun
        trial.last(self.round_seconds)

    def _check_loss(self, trial):
        expected, loss = self.base.loss, trial.loss
        if not np.isfinite(loss):
            raise FloatingPointError("the loss is NaN or infinite")
        is_same_batch = trial.choice.micro_batch_size == self.base.choice.micro_batch_size
        if is_same_batch and abs(loss - expected) > _LOSS * max(abs(expected), 1.0):
            raise FloatingPointError(f"the loss is {loss:.4g}, not {expected:.4g}")

    def _attempt(self, trial, work):
        """Whether that went well; otherwise the trial is out."""
        try:
            work(trial)
        except Exception as error:  # whatever a compiler or a device raises about a setting
            lines = str(error).strip().splitlines() or [type(error).__name__]
            is_memory = _is_about_memory(error)
            trial.drop("does not fit the memory" if is_memory else f"fails: {lines[0][:100]}")
            return False
        return True

    # --- who is ahead ------------------------------------------------------------------------

    def best(self):
        return max((trial for trial in self.trials if trial.is_live), key=Trial.median)

    def round(self, trials):
        """Measure the model as it is, and each of `trials` against it."""
        rate = self.base.measure()
        self.base.note_rate(rate, rate)
        for trial in trials:
            self._attempt(trial, lambda trial: trial.note_rate(trial.measure(), rate))

    def finish(self):
        """The last rounds, and what is chosen."""
        rivals = [trial for trial in self.trials if trial.is_live and trial is not self.base]
        rivals.sort(key=Trial.median, reverse=True)
        for trial in rivals[_FINALISTS:]:
            trial.drop("slower")
        rivals = rivals[:_FINALISTS]
        for trial in (self.base, *rivals):
            trial.ratios.clear()  # the first round came at different times
            trial.rates.clear()
        for number in range(_ROUNDS):
            if number < _AT_LEAST or time.perf_counter() < self.deadline:
                self.round([trial for trial in rivals if trial.is_live])
        chosen = self._simplest_of_the_fastest()
        return replace(chosen.choice, rows=tuple(trial.row() for trial in self.trials))

    def _simplest_of_the_fastest(self):
        live = [trial for trial in self.trials if trial.is_live]
        slowest_round = min(self.best().ratios)
        reach = {id(trial): max(trial.ratios) for trial in live} | {id(self.base): _WORTH}
        return min((t for t in live if reach[id(t)] >= slowest_round), key=_complexity)

    def _bytes(self, choice):
        """What a step takes in float32, estimated: what it keeps of the images, and the weights."""
        try:
            counts = analyze(self.model)
        except InputError:  # of a layer that cannot be counted
            return 0
        kept = 3 * counts.activation_bytes * choice.micro_batch_size  # as `Analysis` says
        return kept + 16 * counts.parameters  # weight, gradient and two moments


def _in_parts(choice, parts):
    """The same update from so many times more steps."""
    size, steps = choice.micro_batch_size, choice.accumulation_steps
    return replace(choice, micro_batch_size=size // parts, accumulation_steps=steps * parts)


def _complexity(trial):
    choice = trial.choice
    precision = PRECISIONS.index(choice.precision)
    rest = choice.accumulation_steps, choice.jit_compile, choice.steps_per_execution
    return (precision, *rest)


def _is_about_memory(error):
    """Whether a device ran out of it: TensorFlow and XLA have no common error for that."""
    text = f"{type(error).__name__} {error}".lower()
    return any(sign in text for sign in ("resourceexhausted", "resource_exhausted", "memory"))
