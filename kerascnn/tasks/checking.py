"""Do the output, the loss and the labels of a compiled model fit?"""

import itertools
import warnings

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn._state import loss_weights
from kerascnn.data import Augmented, ImageData, Split
from kerascnn.layers import check_value_range
from kerascnn.tasks._expected import expected
from kerascnn.tasks._outputs import outputs_of

__all__ = ["check"]

_BATCHES = 20  # of a data set that are looked at


def check(model, data):
    """What does not fit between the inputs, outputs, losses and labels of a compiled model.

    Keras trains, or fails far from the cause, when a sigmoid is applied twice, one-hot labels meet
    a loss of ints, or an output that cannot be negative meets negative targets. Tasks of
    `kerascnn.tasks` rule this out; this names it in models that were put together by hand, and
    images of another scale than a model is made for (see `kerascnn.layers.check_value_range`).

    Args:
        model: compiled functional or sequential `keras.Model`.
        data: what `fit` gets: (x, y), (x, y, sample weights), `kerascnn.data.ImageData` or one of
            its splits, or a data set of batches, of which the first 20 are looked at.

    Returns:
        List of str, a sentence for each misfit, which begins with the name of the output, or with
        "input". Empty if all fits. Losses that are not known are left out, and so are the labels of
        outputs that are maps, (N, H, W, C).

    Raises:
        InputError: the model is not compiled with a loss or is no functional one, or `data` has no
            labels for its outputs.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="kind")])
    >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy())
    >>> for sentence in check(model, (np.ones((2, 4)), np.array([0, 3]))):
    ...     print(sentence)
    kind: SparseCategoricalCrossentropy takes probabilities, but layer 'kind' ends without ...
    kind: labels must be ints from 0 to 2 for 3 outputs. Found: 3.
    """
    if not getattr(model, "compiled", False) or getattr(model, "loss", None) is None:
        raise InputError(f"{model.name!r} has no loss to check: compile it first.")
    outputs = outputs_of(model)
    names = [output.name for output in outputs]
    losses = _spread(model.loss, names, model, "loss", same=True)
    labels, num_classes = _labels(data)
    labels = _spread(labels, names, model, "labels")
    found = _unknown(model, names)
    for output in outputs:
        if losses[output.name] is not None:
            rules = expected(losses[output.name])
            problems = output.problems()
            if rules:
                y = None if labels[output.name] is None else np.asarray(labels[output.name])
                problems += rules.problems(output, y, num_classes)
            found += [f"{output.name}: {problem}" for problem in problems]
    return found + _other_range(model, data)


def _other_range(model, data):
    """The warning that the images are of another scale, if there is one, in a list."""
    images = _first_inputs(data)
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4 or np.ndim(images) != 4:
        return []
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        check_value_range(model, images)
    return [f"input: {warning.message}" for warning in given]


def _first_inputs(data):
    """The inputs of one batch, or of few examples, of what `fit` gets."""
    data = data.train if isinstance(data, ImageData) else data
    if isinstance(data, Split | Augmented):
        return data.batch(0, 0)[0]
    if isinstance(data, keras.utils.PyDataset):
        return data[0][0]
    if isinstance(data, tuple | list) and len(data) in (2, 3):
        x = data[0]
        return x[:_BATCHES] if hasattr(x, "shape") else None
    return next(iter(data), (None,))[0]


def _spread(given, names, model, what, same=False):
    """{name of the output: its loss or its labels}."""
    if isinstance(given, dict):
        return {name: given.get(name) for name in names}
    if len(names) == 1:
        in_list = isinstance(given, list) and len(given) == 1 and (same or np.ndim(given[0]))
        return {names[0]: given[0] if in_list else given}
    if isinstance(given, list | tuple) and len(given) == len(names):
        return dict(zip(names, given))
    if same and not isinstance(given, list | tuple):
        return dict.fromkeys(names, given)
    raise InputError(
        f"{model.name!r} has the outputs {', '.join(names)} and needs {what} for each of them, as "
        f"a dict or a list. Received: {type(given).__name__}."
    )


def _labels(data):
    """(labels, number of classes or None) of what `fit` gets."""
    data = data.train if isinstance(data, ImageData) else data
    if isinstance(data, Split):
        classes = len(data.class_names)
        return np.eye(classes)[data.labels] if data.one_hot else data.labels, classes
    if isinstance(data, tuple | list) and len(data) in (2, 3):
        return data[1], None
    batches = data
    if isinstance(data, keras.utils.PyDataset):  # may not end by itself
        batches = map(data.__getitem__, range(data.num_batches or _BATCHES))
    if not hasattr(batches, "__iter__") or isinstance(batches, np.ndarray):
        batches = ()
    batches = [batch[1] for batch in itertools.islice(batches, _BATCHES) if len(batch) > 1]
    if not batches:
        raise InputError("`data` has no labels: pass (x, y), or a data set of such batches.")
    as_arrays = [keras.tree.map_structure(keras.ops.convert_to_numpy, y) for y in batches]
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *as_arrays), None


def _unknown(model, names):
    """Losses and weights of losses for outputs that do not exist: Keras ignores the weights."""
    given = {"loss": model.loss, "loss_weights": loss_weights(model)}
    return [
        f"{name}: `{what}` of compile has it, but the outputs are {', '.join(names)}."
        for what, by_name in given.items()
        for name in (by_name if isinstance(by_name, dict) else ())
        if name not in names
    ]
