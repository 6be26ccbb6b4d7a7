"""A number in the logs of `fit`, and when it is better than another."""

from kerascnn._errors import InputError, one_of

__all__ = ["Monitor"]

_LOWER = ("loss", "error", "mse", "mae")
_HIGHER = ("acc", "accuracy", "auc", "precision", "recall", "f1", "f1_score")


class Monitor:
    """`name` in the logs; lower or higher is better.

    Args:
        name: str, e.g. "val_loss".
        mode: "min", "max", or "auto": by the name (losses and errors are low, accuracies high).
        min_delta: float >= 0. A smaller change is none.

    Raises:
        InputError: `mode` is unknown, or the name does not tell.

    >>> Monitor("val_accuracy", "auto", 0.01).is_better(0.5, than=0.495)
    False
    """

    def __init__(self, name, mode="auto", min_delta=0.0):
        one_of(mode, ("auto", "min", "max"), "mode")
        if min_delta < 0:
            raise InputError(f"min_delta must not be negative. Received: min_delta={min_delta}.")
        self.name, self.mode, self.min_delta = name, mode, min_delta
        if mode == "auto":
            self.mode = _direction(name)

    def read(self, logs, who, again=False):
        """The number, or an `InputError` that names those there are.

        With `again`, where an earlier epoch of this run had it: None in an epoch after which `fit`
        did not validate, as it does with `validation_freq`. The first epoch must be validated, or a
        `fit` without validation would never be noticed.
        """
        logs = logs or {}
        validated = any(name.startswith("val_") for name in logs)
        if again and self.name.startswith("val_") and not validated:
            return None
        if self.name not in logs:
            hint = ""
            if self.name.startswith("val_") and not validated:
                hint = (
                    " Pass validation_data to fit; with validation_freq let it begin with the "
                    "first epoch: validation_freq=[1, 3, 5]."
                )
            names = ", ".join(logs) or "none"
            raise InputError(f"{who} monitors {self.name!r}, but fit reports: {names}.{hint}")
        return float(logs[self.name])

    def is_better(self, value, than):
        """Whether `value` is; anything is better than None, NaN is better than nothing."""
        if value != value:
            return False
        if than is None:
            return True
        gain = than - value if self.mode == "min" else value - than
        return gain > self.min_delta


def _direction(name):
    last = name.removeprefix("val_")
    if last.endswith(_LOWER):
        return "min"
    if last.endswith(_HIGHER):
        return "max"
    raise InputError(f'Is a low {name} better, or a high one? Pass mode="min" or mode="max".')
