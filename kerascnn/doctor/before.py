"""All checks that can be made before training, in one call."""

import numbers
import warnings

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn._random import random_state_kept
from kerascnn.data import ImageData, Split
from kerascnn.doctor import baseline, inputs, labels, splits, start, training, trials, weights
from kerascnn.doctor._finding import Diagnosis, Finding
from kerascnn.doctor._sample import all_inputs, known, sampled
from kerascnn.doctor._trial import Trial, like, rate_of
from kerascnn.doctor.initialization import audit_initialization

__all__ = ["before_training"]

_LOOK = 64  # images that go through the network
_BATCH = 16  # images that a copy trains on at a time
_SWEEP = (0.01, 0.1, 1, 10, 100)  # times the rate
_BATCHES = 8  # of the sweep
_PASSES = 3
_STEPS = 100  # on one batch


def before_training(model, data, validation=None, *, batch_size=32, trials=True):
    """Look for mistakes in a compiled model and its data, before they cost a training.

    | what             | checks                                                                 |
    |------------------|------------------------------------------------------------------------|
    | labels           | form against loss and output, absent classes, balance, order, equal    |
    |                  | inputs with other labels                                               |
    | inputs           | finite and different, scale, order of colours                          |
    | data             | samples of the validation that are in training, what a linear model    |
    |                  | makes of it                                                            |
    | network          | start of the layers, frozen head, frozen random layers, batch          |
    |                  | normalisation, equal layers, the optimiser's weights, size against data |
    | short trainings  | loss at the start, one batch by heart, layers that do not learn, rate  |

    Each is a function of `kerascnn.doctor` of its own, with its limit and source. Looked at are up
    to 512 samples, 64 images in the network, and 130 to 430 steps on 16 images in a copy. Model,
    optimiser, data and the state of random generators stay as they are.

    Args:
        model: compiled functional or Sequential `keras.Model`.
        data: what `fit` gets: (x, y), (x, y, sample weights), `kerascnn.data.ImageData` or one of
            its splits, or a data set of batches that can be read twice.
        validation: the same of what validates, or None: that of `ImageData`, or none.
        batch_size: int >= 1, as `fit` gets it with arrays.
        trials: bool. False leaves the short trainings out: they cost as much as training on 2,000
            to 7,000 images.

    Returns:
        `Diagnosis`: `print` it; `.problems` is empty if all is well. Checks that cannot be made are
        "skipped", with the reason.

    Raises:
        InputError: the model is not functional or not compiled with a loss, the data cannot be
            read or has inputs of another shape, or `batch_size` is no int >= 1.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
    >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> x = np.random.default_rng(0).normal(size=(150, 4))
    >>> found = before_training(model, (x, np.argmax(x[:, :3], axis=1)))
    >>> [(finding.check, finding.severity) for finding in found.problems]
    [('label form', 'problem')]
    """
    _check_model(model)
    if not isinstance(batch_size, numbers.Integral) or batch_size < 1:
        raise InputError(f"`batch_size` must be an int >= 1. Received: {batch_size!r}.")
    with random_state_kept():
        sample = sampled(data, batch_size)
        _check_shapes(model, sample.x)
        if isinstance(data, ImageData) and validation is None:
            validation = data.validation
        return Diagnosis(
            [
                *_of_labels(model, data, sample),
                *_of_inputs(model, known(data, sample)[0], sample.x),
                *_of_data(model, data, validation, sample),
                *_of_network(model, sample),
                *_of_trials(model, sample, trials),
            ]
        )


def _check_model(model):
    if not getattr(model, "inputs", None):
        raise InputError(
            f"{model.name!r} must be a functional model, or a Sequential one with keras.Input."
        )
    if not model.compiled or model.loss is None:
        raise InputError(f"{model.name!r} has no loss: compile it first, as for `fit`.")


def _check_shapes(model, x):
    given, expected = ([a.shape[1:] for a in keras.tree.flatten(x)] for x in (x, model.inputs))
    fits = len(given) == len(expected) and all(
        len(a) == len(b) and all(n in (m, None) for m, n in zip(a, b))
        for a, b in zip(given, expected)
    )
    if not fits:
        raise InputError(
            f"{model.name!r} takes inputs of shape {', '.join(map(str, expected))}, the data has "
            f"{', '.join(map(str, given))}."
        )


def _of_labels(model, data, sample):
    is_ours = isinstance(data, ImageData | Split)
    batch = data if is_ours else (sample.x, sample.labels)
    yield _tried("label form", labels.label_form, model, batch)
    classes = start.classes_of(model, sample.labels)
    if classes is None:
        for check in ("classes", "class balance", "order", "label conflicts"):
            yield Finding(check, "skipped", "Labels are not one class each, or not known.")
        return
    count = start.num_classes(model)
    counts = np.bincount(classes[(classes >= 0) & (classes < count)], minlength=count)
    if counts.any() and (sample.complete or len(classes) >= 20 * count):
        yield labels.occurring_classes(counts)
        yield labels.class_balance(counts)
    else:
        for check in ("classes", "class balance"):
            message = f"{counts.sum()} labels in range were looked at, too few."
            yield Finding(check, "skipped", message)
    yield _order(model, sample, classes)
    x, y = known(data, sample)
    own = start.classes_of(model, y)
    yield _of_one_array(x, "label conflicts", labels.label_conflicts, own)


def _order(model, sample, classes):
    if sample.batches is None:
        ends = range(sample.batch_size, len(classes), sample.batch_size)
        return labels.label_order(np.split(classes, ends), shuffles=True)
    return labels.label_order([start.classes_of(model, batch) for batch in sample.batches])


def _of_inputs(model, all_known, x):
    yield _of_one_array(all_known, "input values", inputs.input_values)
    if not isinstance(x, np.ndarray):
        return
    x = x[:_LOOK].astype("float32")
    yield _tried("input scale", lambda: inputs.input_scale(*inputs.arriving(model, x)))
    if x.ndim == 4:
        yield _tried("input range", inputs.input_range, model, x)
        yield _tried("input statistics", inputs.input_fit, model, x)
        yield _tried("channel order", inputs.channel_order, model, x)


def _of_data(model, data, validation, sample):
    if validation is None:
        yield Finding("leak", "skipped", "No validation data was passed.")
    else:
        others = all_inputs(validation, sampled(validation, sample.batch_size))
        own = all_inputs(data, sample)
        yield _of_one_array(own, "leak", splits.leak, others)
    are_numbers = start.are_numbers(model)
    targets = sample.y if are_numbers else start.classes_of(model, sample.y)
    if targets is None:
        yield Finding("linear baseline", "skipped", "Labels are not one class or number each.")
    else:
        check = baseline.linear_baseline
        yield _of_one_array(sample.x, "linear baseline", check, targets, not are_numbers)


def _of_network(model, sample):
    def starts():
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise InputError("It is told of models with one input and one output.")
        return start.layer_starts(audit_initialization(model, sample.first(_BATCH * 2)[0]))

    yield _tried("start of the layers", starts)
    yield training.frozen_head(weights.trained_layers(model))
    yield training.frozen_start(weights.frozen_vectors(model))
    number = len(keras.tree.flatten(sample.labels)[0]) if sample.complete else None
    steps = number and -(-number // sample.batch_size)
    yield weights.batch_norm_settings(model, min(sample.batch_size, sample.size), steps)
    yield weights.equal_layers(model)
    yield weights.optimizer_fits(model)
    if number is None:
        yield Finding("capacity", "skipped", "The number of samples is not known.")
    else:
        trained = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
        yield baseline.capacity(trained, number, weights.is_from_scratch(model))


def _of_trials(model, sample, are_wanted):
    checks = ("loss at start", "learning rate", "one batch", "unreached layers")
    if not model.trainable_variables:
        return [Finding(check, "skipped", "Nothing is trained.") for check in checks]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the findings say
            return list(_trained(model, sample, are_wanted))
    except Exception as error:  # of any kind, whatever is wrong with the user's layers and labels
        said = str(error).strip() or type(error).__name__
        message = f"A training step fails: {said.splitlines()[0]}"
        return [Finding("one batch", "problem", message, "See what fit says of it.")]


def _trained(model, sample, are_wanted):
    rate = rate_of(model.optimizer)
    trial = Trial(model, like(model.optimizer, rate))
    look, batch = sample.first(_LOOK), sample.first(_BATCH)
    yield training.loss_at_start(trial.first_loss(look), _chance(model, trial, look))
    if not are_wanted:
        for check in ("learning rate", "one batch", "unreached layers"):
            yield Finding(check, "skipped", "Short trainings were not asked for.")
        return
    before, best = weights.kernels(trial.model), None
    if rate is None:
        yield Finding("learning rate", "skipped", "The optimiser has several rates.")
    else:
        first, final = _sweep(trial, rate, sample)
        best = min(final, key=lambda r: np.nan_to_num(final[r], nan=np.inf))
        yield trials.learning_rate(rate, first, final)
    chance, floor = _chance(model, trial, batch), _floor(model, trial, batch)
    chance = trial.first_loss(batch) if chance is None else chance
    losses, trial = _by_heart(model, trial, best, batch, floor + trials.LEAST * (chance - floor))
    yield trials.one_batch(losses, chance, floor)
    after = weights.kernels(trial.model)
    yield weights.unreached_layers(before, dict(zip(before, after.values())))


def _sweep(trial, rate, sample):
    """(loss at the start, {rate: loss in the last pass}) over a few batches."""
    batches = sample.split(_BATCH, _BATCHES)
    count = len(batches)
    first = np.mean(trial.losses(batches, 0.0, count))
    runs = {r: trial.losses(batches, r, _PASSES * count) for r in (f * rate for f in _SWEEP)}
    final = {r: float(np.mean(losses[-count:])) for r, losses in runs.items()}
    return float(first), final


def _by_heart(model, trial, rate, batch, enough):
    """(losses on one batch, the trial) at this rate, or else with Adam at usual ones."""
    if rate is not None:
        losses = trial.losses([batch], rate, _STEPS, enough)
        if losses[-1] <= enough:
            return losses, trial
    trial = Trial(model, keras.optimizers.Adam())
    for rate in (1e-3, 1e-2):
        losses = trial.losses([batch], rate, _STEPS, enough)
        if losses[-1] <= enough:
            break
    return losses, trial


def _chance(model, trial, batch):
    """The loss of guessing, or None."""
    x, y, sample_weight = batch
    guess = start.uninformed_output(model, y)
    return None if guess is None else trial.loss(x, y, guess, sample_weight)


def _floor(model, trial, batch):
    """The lowest loss there is: 0 if it is not known."""
    x, y, sample_weight = batch
    best = start.perfect_output(model, y)
    return 0.0 if best is None else trial.loss(x, y, best, sample_weight)


def _of_one_array(x, name, check, *others):
    if not isinstance(x, np.ndarray):
        return Finding(name, "skipped", "The inputs are several arrays.")
    return _tried(name, check, x, *others)


def _tried(name, check, *arguments):
    try:
        return check(*arguments)
    except InputError as error:
        return Finding(name, "skipped", str(error))
