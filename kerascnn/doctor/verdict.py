"""What a finished training tells: its curves, judged, and what to do next."""

import numpy as np

from kerascnn._errors import InputError
from kerascnn.doctor import curves
from kerascnn.doctor._finding import Diagnosis, Finding

__all__ = ["after_training", "chance_loss"]

_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")  # reductions of Keras


def after_training(history, *, chance=None, best_kept=False):
    """What the curves of a training say, with the numbers behind it and what to do next.

    | check         | found if                                                                    |
    |---------------|-----------------------------------------------------------------------------|
    | "divergence"  | a loss is not finite, or ends 1.5 times over its lowest and gave back half  |
    |               | of its fall                                                                 |
    | "learning"    | the lowest training loss is over 95 % of that of guessing                   |
    | "validation"  | training has learnt, and the lowest validation loss is over that of guessing|
    | "overfitting" | the validation loss rose by 10 % (and 5 % of that of guessing) since its    |
    |               | lowest, while the training loss fell                                        |
    | "gap"         | training accuracy is over 15 points above validation accuracy               |
    | "fit"         | the training loss is over half that of guessing and falls by under 5 % in   |
    |               | its last quarter: underfitting                                              |
    | "plateau"     | the training loss moved by under 1 % of its start in its last third, of     |
    |               | 5 epochs or more, at one rate and far from 0                                |
    | "easier"      | the validation loss is under half of the training loss of the epoch that    |
    |               | follows it, in the whole last third                                         |
    | "noise"       | the validation loss jumps up by 25 % in a quarter of its last epochs        |

    "length" (whether it still improved at its end) and "rate drops" (what they gained) are always
    fine and may hold advice. Limits are ours; each check is a function of `kerascnn.doctor.curves`.

    Source: Karpathy 2019, A Recipe for Training Neural Networks; the lecture notes PHYS555,
    "Monitoring the training", and those on CNN tricks.

    Args:
        history: `keras.callbacks.History`, its dict, a list of dicts, one an epoch, or a data
            frame, e.g. of what `CSVLogger` wrote; "loss" and perhaps an accuracy, "val_...",
            "learning_rate".
        chance: float, the loss of guessing: ln(classes) for a crossentropy. None takes it from the
            model of a `History`, and leaves out what needs it for others.
        best_kept: bool. Whether the model has the weights of its lowest validation loss, as after
            `EarlyStopping(restore_best_weights=True)`: then what came later does not count.

    Returns:
        `Diagnosis`; its first finding, "result", has the numbers.

    Raises:
        InputError: there is no epoch, or no "loss", or `history` is something else.

    >>> rows = {"loss": [2.0, 1.0, 0.5, 0.2, 0.1], "val_loss": [1.9, 1.2, 1.1, 1.4, 1.8]}
    >>> for finding in after_training(rows, chance=2.3).problems:
    ...     print(finding)
    warning  overfitting  The validation loss rose from 1.1 after epoch 3 to 1.8, the training loss
                          fell to 0.1.
                          -> Stop at the best epoch (EarlyStopping), augment or get more data,
                          regularise, or take a smaller network. (lecture notes PHYS555, "Monitoring
                          the training")
    """
    if chance is None:
        chance = chance_loss(getattr(history, "model", None))
    rows = _columns(history)
    loss, held, rate = rows["loss"], rows.get("val_loss"), rows.get("learning_rate")
    accuracy, held_accuracy = _accuracies(rows)
    if best_kept and held is not None and np.isfinite(held).any():
        end = int(np.nanargmin(held)) + 1
        held, held_accuracy = held[:end], None if held_accuracy is None else held_accuracy[:end]
    found = Diagnosis(
        [
            _result(loss, held, accuracy, held_accuracy),
            curves.divergence(loss, held),
            curves.learning(loss, chance, accuracy),
        ]
    )
    if not np.isfinite(loss if held is None else np.r_[loss, held]).all():
        return found  # the rest would say nothing more
    found += [
        curves.validation_learning(loss, held, chance, held_accuracy),
        curves.overfitting(loss, held, chance),
        curves.gap(accuracy, held_accuracy),
        curves.fit_of_training(loss, chance, accuracy),
        curves.still_improving(loss if held is None else held),
        curves.plateau(loss, rate, accuracy),
        curves.validation_above_training(loss, held),
        curves.noise(held, chance),
        curves.rate_drops(loss, rate),
    ]
    return found


def chance_loss(model):
    """The loss of guessing without knowledge, or None if the model's loss is no crossentropy.

    None also for one that is no mean over the samples, as with `reduction="sum"`.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(10, "softmax")])
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> round(chance_loss(model), 3)
    2.303
    """
    loss = getattr(model, "loss", None)
    if getattr(loss, "reduction", "mean") not in _MEANS:
        return None
    name = loss if isinstance(loss, str) else getattr(loss, "name", None)
    name = (name or getattr(loss, "__name__", "")).lower().replace("_", "")
    if name.endswith("binarycrossentropy"):
        return float(np.log(2))
    shape = getattr(model, "output_shape", None) or (None,)
    is_one = name.endswith("categoricalcrossentropy") and isinstance(shape[-1], int)
    return float(np.log(shape[-1])) if is_one and shape[-1] > 1 else None


def _result(loss, held, accuracy, held_accuracy):
    said = [f"training loss {loss[0]:.3g} to {loss[-1]:.3g}"]
    if accuracy is not None:
        said.append(f"accuracy {100 * accuracy[-1]:.1f} %")
    if held is not None and np.isfinite(held).any():
        best = int(np.nanargmin(held))
        said.append(f"lowest validation loss {held[best]:.3g} after epoch {best + 1}")
        if held_accuracy is not None:
            said.append(f"accuracy {100 * held_accuracy[best]:.1f} %")
    count = f"{len(loss)} epochs" if len(loss) > 1 else "1 epoch"
    return Finding("result", "fine", f"{count}: {', '.join(said)}.")


def _columns(history):
    """{name: float array}, without what was not measured in every epoch."""
    history = getattr(history, "history", history)  # of what `fit` returns, its dict
    if hasattr(history, "to_dict"):  # a data frame; `CSVLogger` has columns for no validation too
        columns = history.to_dict("list").items()
        empty = [name for name, values in columns if all(value != value for value in values)]
        history = {n: v for n, v in columns if not (n.startswith("val_") and n in empty)}
    if not isinstance(history, dict):
        rows = list(history) if np.iterable(history) else []
        rows = rows if all(isinstance(row, dict) for row in rows) else []
        names = dict.fromkeys(name for row in rows for name in row)
        history = {name: [row.get(name) for row in rows] for name in names}
    numbers = {
        name: np.array(values, "float64")
        for name, values in history.items()
        if all(isinstance(v, int | float | np.number) for v in values)
    }
    if not len(numbers.get("loss", [])):
        raise InputError(
            "A history has at least one epoch and its loss. Pass what fit returns, its dict, or "
            'one dict an epoch, e.g. [{"loss": 2.1, "val_loss": 2.0}].'
        )
    epochs = len(numbers["loss"])
    return {name: values for name, values in numbers.items() if len(values) == epochs}


def _accuracies(rows):
    """(of training, of validation), each None if it was not measured."""
    name = next((n for n in rows if "acc" in n and not n.startswith("val_")), None)
    return rows.get(name), rows.get(f"val_{name}")
