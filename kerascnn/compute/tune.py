"""Precision, XLA, steps at once and accumulation: what trains a model fastest, measured here."""

from kerascnn._errors import InputError, one_of
from kerascnn._random import random_state_kept
from kerascnn.compute._race import Race
from kerascnn.compute._sample import Sample
from kerascnn.compute.precision import PRECISIONS

__all__ = ["tune_compute"]


def tune_compute(
    model,
    data,
    *,
    batch_size=None,
    seconds=30,
    precisions=PRECISIONS,
    steps_per_execution=(1, 8, 32),
):
    """Find out how a model trains fastest on this machine, by training copies of it for a while.

    Real training steps on batches of the data (kept in memory: what reading them takes is not
    seen), each setting warmed up and then measured in rounds against the model as it is. Half
    precision comes first, then XLA, then several steps at once, each on the best so far. What
    fails, gives another loss or NaN, or is clearly slower is out at once and listed with the
    reason. The fastest is chosen; settings that it does not beat in every round are as good, and
    of these the simplest is taken: float32, no XLA, one step at once. So on a busy machine the
    choice is often to leave all as it is.

    With a `batch_size` gradients are added up (`gradient_accumulation_steps`) where the batch does
    not fit the memory, or smaller ones are faster. On a GPU that is found by trying; on a CPU
    estimated from the activations (`kerascnn.arithmetic`), since a process that takes too much is
    killed. The update is that of the large batch, but batch normalisation sees the small ones: its
    statistics, and so the gradients, differ.

    Source: successive halving, Jamieson & Talwalkar 2016, arXiv:1502.07943; loss scaling,
    Micikevicius et al. 2018, arXiv:1710.03740. Differs: slower settings are dropped by their ratio,
    not by half.

    Args:
        model: compiled functional or `Sequential` `keras.Model`. It and its state stay as they are.
        data: `kerascnn.data.Split` or `ImageData`, a `PyDataset`, a `tf.data.Dataset` of batches,
            or arrays (x, y).
        batch_size: int or None. Images of one update; None: those of a batch of `data`.
        seconds: number > 0, about: no setting is begun after it, one that was begun is finished.
        precisions: which of "float32", "mixed_bfloat16", "mixed_float16" may be chosen, beside that
            of the model.
        steps_per_execution: ints >= 1 that may be chosen, beside the model's. Callbacks are called
            once for so many steps.

    Returns:
        `ComputeChoice`: `apply(model)` gives the model that trains so, `data(split)` its batches.

    Raises:
        InputError: the model is not compiled or cannot be copied, the data cannot be read again,
            or no batch fits.

    >>> import kerascnn as kc
    >>> model = kc.models.LeNet5()
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> import numpy as np
    >>> x, y = np.zeros((64, 32, 32, 1)), np.zeros(64)
    >>> choice = tune_compute(model, (x, y), seconds=1, precisions=(), steps_per_execution=())
    >>> choice.precision, choice.micro_batch_size
    ('float32', 32)
    """
    for precision in precisions:
        one_of(precision, PRECISIONS, "precision")
    for name, number in {"batch_size": batch_size, "seconds": seconds}.items():
        if number is not None and not number > 0:
            raise InputError(f"{name} must be above 0. Received: {name}={number!r}.")
    sample = Sample(data, batch_size)
    with random_state_kept():
        race = Race(model, sample.rows, seconds)
        race.begin(batch_size or sample.batch_size, divisible=batch_size is not None)
        for precision in precisions:
            race.enter(race.base.choice, precision=precision)
        if batch_size:
            race.enter_divided()
        race.enter_compiled()
        for steps in steps_per_execution:
            if steps <= (sample.num_batches or steps):
                race.enter(race.best().choice, steps_per_execution=steps)
        return race.finish()
