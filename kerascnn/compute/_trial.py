"""Training steps of one setting, timed."""

import time

import keras
import numpy as np

from kerascnn._steps import releasable
from kerascnn.compute._sample import num_rows
from kerascnn.compute.choice import configured

__all__ = ["Trial"]


class Trial:
    """A copy of a model that trains as `choice` says, on rows that stay in memory.

    `ratios` and `rates` (images a second) have one value for each round; `loss` is that of the
    first batch before training, `note` says why the trial is out.
    """

    def __init__(self, choice):
        self.choice, self.ratios, self.rates = choice, [], []
        self.loss, self.note, self.model = None, "", None

    def start(self, model, rows):
        """Make the copy and its first two executions, which trace and compile the step."""
        self.model = releasable(configured(model, self.choice))
        size = self.choice.micro_batch_size
        number = num_rows(rows)
        order = np.arange(max(number // size, 1) * size) % number
        self.batches = [
            keras.tree.map_structure(lambda part: part[chosen], rows)  # noqa: B023  (read at once)
            for chosen in order.reshape(-1, size)
        ]
        self.executions = self.choice.accumulation_steps
        self.loss = self._loss()
        clock = self._run()
        self.seconds = (clock.end - clock.start) / self.executions

    def _loss(self):
        """Without training: what dropout draws depends on the precision."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(self.batches[0])
        guess = self.model(x, training=False)
        return float(self.model.compute_loss(x, y, guess, weights, training=False))

    def last(self, seconds):
        """Let a round take about so long: whole updates, 64 executions at most."""
        updates = self.choice.accumulation_steps
        number = min(64, max(1, round(seconds / self.seconds)))
        self.executions = -(-number // updates) * updates

    def measure(self):
        """Images a second in one round. FloatingPointError: the loss is not finite any more."""
        clock = self._run()
        if not np.isfinite(clock.loss):
            raise FloatingPointError("the loss became NaN or infinite")
        steps = self.executions * self.choice.steps_per_execution
        return steps * self.choice.micro_batch_size / (clock.end - clock.start)

    def note_rate(self, rate, that_of_base):
        self.rates.append(rate)
        self.ratios.append(rate / that_of_base)

    def median(self):
        return float(np.median(self.ratios)) if self.ratios else 1.0

    @property
    def is_live(self):
        return self.model is not None

    def drop(self, note):
        """Out of the race: the model and its memory are given back."""
        self.note, self.model, self.batches = note, None, None

    def row(self):
        """What is known, as a dict of plain values."""
        known = {name: None for name in ("ratio", "lowest", "highest", "images_per_second")}
        if self.ratios:
            rate = float(np.median(self.rates))
            known = dict(zip(known, (self.median(), min(self.ratios), max(self.ratios), rate)))
        return {**self.choice.settings(), **known, "loss": self.loss, "note": self.note}

    def _run(self):
        """The clock of so many executions after one that is not timed."""
        steps, clock = self.choice.steps_per_execution, _Clock(self.executions)
        repeated = _Repeated(self.batches, steps * (self.executions + 1))
        self.model.fit(repeated, shuffle=False, verbose=0, callbacks=[clock])
        return clock


class _Clock(keras.callbacks.Callback):
    """When the first execution and the last one were done: reading a loss waits for it."""

    def __init__(self, executions):
        super().__init__()
        self._last, self._done = executions, 0

    def on_train_batch_end(self, batch, logs=None):
        if self._done == 0:
            _, self.start = float(logs["loss"]), time.perf_counter()
        elif self._done == self._last:
            self.loss, self.end = float(logs["loss"]), time.perf_counter()
        self._done += 1


class _Repeated(keras.utils.PyDataset):
    """The same few batches again and again."""

    def __init__(self, batches, number):
        super().__init__()
        self._batches, self._number = batches, number

    @property
    def num_batches(self):
        return self._number

    def __getitem__(self, index):
        return self._batches[index % len(self._batches)]
