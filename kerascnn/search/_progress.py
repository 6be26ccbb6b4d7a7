"""What a search says on stderr: a line for each trial, with the best so far."""

import sys

from kerascnn._console import printable

__all__ = ["Progress"]


class Progress:
    """Lines about the trials of a search, or none."""

    def __init__(self, verbose, objective):
        self.verbose, self.objective = verbose, objective

    def epoch(self, trial, epoch, logs):
        """Where a trial is, on a terminal."""
        if self.verbose and sys.stderr.isatty():
            score = (
                f", {self.objective} {logs[self.objective]:.4f}" if self.objective in logs else ""
            )
            print(f"\r\033[Ktrial {trial}: epoch {epoch + 1}{score}", end="", file=sys.stderr)

    def trial(self, trial, outcome, best):
        """How a trial ended; `best` is (number, score) or None."""
        parts = [f"trial {trial.trial_id}", changed(trial.hyperparameters)]
        if outcome["status"] == "COMPLETED":
            parts.append(f"{self.objective} {outcome['score']:.4f}")
        else:
            parts.append(f"failed: {outcome['message']}")
        if best:
            parts.append(f"best {best[1]:.4f} ({best[0]})")
        self.say("  ".join([*parts, f"{outcome['seconds']:.1f} s"]))

    def say(self, text):
        if self.verbose:
            start = "\r\033[K" if sys.stderr.isatty() else ""
            print(start + printable(text), file=sys.stderr, flush=True)


def changed(hyperparameters):
    """The values that are not the defaults, short.

    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> _ = hp.Float("rate", 0.001, 1, default=0.01), hp.Int("units", 1, 9)
    >>> changed(hp)
    'defaults'
    >>> hp.values |= {"rate": 0.123456}
    >>> changed(hp)
    'rate=0.123'
    """
    defaults = {
        hyperparameter.name: hyperparameter.default
        for hyperparameter in hyperparameters.space
        if hyperparameters.is_active(hyperparameter)
    }
    shown = [
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in hyperparameters.values.items()
        if value != defaults.get(name) and name not in _BRACKET
    ]
    return " ".join(shown) or "defaults"


_BRACKET = ("tuner/bracket", "tuner/round", "tuner/initial_epoch")
