"""Watches a training and says, once each, what goes wrong in it."""

import dataclasses
import functools
import logging

import keras
import numpy as np

from kerascnn._errors import InputError, whole
from kerascnn.callbacks._scaling import log_rates
from kerascnn.callbacks._values import copied
from kerascnn.doctor import Diagnosis, Finding, training, weights
from kerascnn.doctor._look import Look, kernels_of, weight_name
from kerascnn.doctor.verdict import after_training, chance_loss

__all__ = ["Doctor"]

_log = logging.getLogger("kerascnn")
_SAMPLES = 32  # of the batch that is looked at: a look costs about half a step of 64
_DURING = ("divergence", "validation", "overfitting", "plateau", "noise")  # not only at the end


class Doctor(keras.callbacks.Callback):
    """Watches `fit`: what goes wrong is logged once, and collected in `diagnosis`.

    In every step the loss (NaN, or far over its start); at an interval NaN in kernels and, on one
    batch that stays the same, ReLUs that are dead, sigmoids and tanhs that are saturated, gradients
    that explode or vanish; at the begin what is frozen, the momentum of batch normalisation, and
    whether the batches are shuffled; at the end of an epoch the curves, and by how much steps
    changed the kernels. The checks are functions of `kerascnn.doctor.training`, `.curves` and
    `.weights`, which tell their limits and sources. Training is not changed, to the bit.

    The first looks are after 1, 2, 4, 8, ... steps, then one comes every `every_steps`. The first
    compiles a function, which takes some seconds for a deep network; without data there is none.

    Args:
        data_or_batch: the training data (of `kc.data`, a `PyDataset`, a `tf.data.Dataset`), whose
            first batch is looked at, or a batch (x, y) or (x, y, sample_weight); 32 images of it at
            most. None leaves out what needs images.
        every_steps: int >= 1. Steps between looks, of which one costs about as much as half a step
            of 64 images.
        log_dir: str or path of a folder for TensorBoard: what is looked at, as scalars; or None.

    Attributes:
        diagnosis: `kc.doctor.Diagnosis` of all checks so far.

    Raises:
        InputError: an argument cannot be used.

    >>> dead = keras.layers.Dense(8, "relu", bias_initializer=keras.initializers.Constant(-99))
    >>> model = keras.Sequential([keras.Input((4,)), dead, keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.random.default_rng(0).normal(size=(64, 4)), np.ones(64)
    >>> doctor = Doctor((x, y))
    >>> history = model.fit(x, y, callbacks=[doctor], verbose=0)
    >>> [finding.check for finding in doctor.diagnosis.problems]
    ['dead ReLUs', 'gradients']
    """

    def __init__(self, data_or_batch=None, *, every_steps=100, log_dir=None):
        super().__init__()
        self._data, self._log_dir = data_or_batch, log_dir
        self._every_steps = whole(every_steps, "every_steps", 1)
        self._clear()

    def _clear(self):
        self._step, self._epoch, self._start = 0, 0, None
        self._found, self._fine, self._curves = {}, {}, Diagnosis()
        self._ratios, self._rows, self._told = [], [], []
        self._look = self._before = self._board = None

    def get_state(self):
        return {
            "step": self._step,
            "start": self._start,
            "found": [dataclasses.asdict(finding) for finding in self._found.values()],
            "fine": [dataclasses.asdict(finding) for finding in self._fine.values()],
            "ratios": self._ratios,
            "rows": self._rows,
            "told": self._told,
        }

    def set_state(self, state):
        self._step, self._start, self._told = state["step"], state["start"], state["told"]
        self._ratios, self._rows = state["ratios"], state["rows"]
        self._found = {row["check"]: Finding(**row) for row in state["found"]}
        self._fine = {row["check"]: Finding(**row) for row in state["fine"]}

    @property
    def diagnosis(self):
        fine = [finding for check, finding in self._fine.items() if check not in self._found]
        return Diagnosis([*self._found.values(), *fine, *self._curves])

    # --- what fit calls ----------------------------------------------------------------------

    def on_train_begin(self, logs=None):
        self._clear()
        self._chance = None
        if self.model.built:
            self._chance = chance_loss(self.model)
            self._judge(
                training.frozen_start(weights.frozen_vectors(self.model)),
                training.frozen_head(weights.trained_layers(self.model)),
                weights.batch_norm_settings(self.model),
            )
        self._batch, ends = _batches(self._data)
        if ends:
            self._judge(training.batch_order(*ends))
        if self._log_dir is not None:
            from tensorboard import summary

            self._board = summary.Writer(str(self._log_dir))

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self._is_due() and self.model.built:
            self._before = copied(kernels_of(self.model))

    def on_train_batch_end(self, batch, logs=None):
        self._step += 1
        if logs:  # none while `BatchSizeGrowth` waits: then no weight has changed
            self._judge_step(logs)
        self._before = None

    def on_epoch_end(self, epoch, logs=None):
        row = {name: float(value) for name, value in (logs or {}).items() if np.ndim(value) == 0}
        log_rates(self.model, row)
        self._rows.append(row)
        kernels = kernels_of(self.model)
        self._are_finite(kernels, copied(kernels))
        self._judge(training.update_ratio(self._ratios))
        self._judge_curves(_DURING)
        self._write({f"epoch/{name}": value for name, value in row.items()})

    def on_train_end(self, logs=None):
        self._judge_curves()
        if self._board:
            self._board.close()

    # --- looks -------------------------------------------------------------------------------

    def _is_due(self):
        step, every = self._step + 1, self._every_steps
        return step % every == 0 or (step < every and step & (step - 1) == 0)  # 1, 2, 4, ...

    def _are_finite(self, kernels, values):
        bad = [weight_name(v) for v, value in zip(kernels, values) if not _is_finite(value)]
        self._judge(training.finite_weights(bad))
        return not bad

    def _look_at(self, kernels):
        values = copied(kernels)
        if not self._are_finite(kernels, values):
            return
        ratios = {
            weight_name(variable): _relative_change(before, after)
            for variable, before, after in zip(kernels, self._before, values)
            if before.any()
        }
        self._write({f"update_ratio/{name}": ratio for name, ratio in ratios.items()})
        if ratios:
            self._ratios.append(float(np.median(list(ratios.values()))))
        if self._batch is None:
            return
        self._look = self._look or Look(self.model, self._batch)
        seen = self._look()
        self._judge(
            training.dead_units(seen["dead"]),
            training.saturation(seen["saturated"]),
            training.gradient_sizes(seen["gradients"]),
        )
        scalars = {"loss": seen.pop("loss")}
        scalars |= {f"{kind}/{name}": v for kind, part in seen.items() for name, v in part.items()}
        self._write(scalars)

    def _write(self, scalars):
        for name, value in scalars.items() if self._board else ():
            self._board.add_scalar(name, value, self._step)

    # --- judgement ---------------------------------------------------------------------------

    def _judge_step(self, logs):
        loss = float(logs.get("loss", 0.0))
        if "loss" in logs:
            if self._start is None:
                self._judge_start(loss)
            self._judge(training.step_loss(loss, self._start, self._chance))
        if self._before is not None and np.isfinite(loss):
            self._look_at(kernels_of(self.model))

    def _judge_start(self, loss):
        self._start = loss
        if self._chance is not None and loss > self._chance:  # perhaps by its penalties
            held = [v for v in self.model.trainable_variables if v.regularizer is not None]
            loss -= sum(float(variable.regularizer(variable)) for variable in held)
        self._judge(training.loss_at_start(loss, self._chance))

    def _judge(self, *findings):
        for finding in findings:
            if finding.severity not in ("problem", "warning"):
                self._fine[finding.check] = finding
            elif finding.check not in self._found:
                where = f" (epoch {self._epoch + 1}, step {self._step})" if self._step else ""
                message = f"{finding.message.removesuffix('.')}{where}."
                self._found[finding.check] = dataclasses.replace(finding, message=message)
                self._tell(self._found[finding.check])

    def _judge_curves(self, checks=None):
        if not self._rows or "loss" not in self._rows[0]:
            return
        self._curves = after_training(self._rows, chance=self._chance)
        for finding in self._curves.problems:
            is_early = checks is not None and (finding.check not in checks or len(self._rows) < 3)
            if not is_early and finding.check not in self._told:
                self._told.append(finding.check)
                self._tell(finding)

    def _tell(self, finding):
        _log.warning("Doctor: %s %s", finding.message, finding.advice)


def _is_finite(value):
    return bool(np.isfinite(value.astype("float32")).all())


def _relative_change(before, after):
    before, after = before.astype("float32"), after.astype("float32")
    with np.errstate(over="ignore", invalid="ignore"):  # weights near the largest float32
        ratio = float(np.linalg.norm(after - before) / np.linalg.norm(before))
    return ratio if np.isfinite(ratio) else np.inf


def _batches(data):
    """(batch to look at or None, labels of the first and of the last batch or None)."""
    if data is None:
        return None, None
    if isinstance(data, tuple | list):
        return _cut(data), None
    if hasattr(data, "batch") and hasattr(data, "num_batches"):
        read = functools.partial(data.batch, 0)
    elif hasattr(data, "num_batches") and hasattr(data, "__getitem__"):
        read = data.__getitem__
    else:
        return _cut(next(iter(data))), None
    first = read(0)
    if data.num_batches is None:  # it has no last one
        return _cut(first), None
    labels = [part[1] for part in (first, read(data.num_batches - 1))]
    return _cut(first), labels if all(hasattr(y, "shape") for y in labels) else None


def _cut(batch):
    """Some 32 images of a batch."""
    if len(batch) not in (2, 3):
        raise InputError(
            "A batch is (x, y) or (x, y, sample_weight), of arrays. "
            f"Received a {type(batch).__name__} of {len(batch)}."
        )
    return keras.tree.map_structure(lambda part: np.asarray(part[:_SAMPLES]), tuple(batch))
