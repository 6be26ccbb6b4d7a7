"""What the gradient stages of a fine-tuning train with."""

import dataclasses
import math
import numbers

from kerascnn._errors import InputError, one_of

__all__ = ["Recipe"]

_FIELDS = {  # field: (type, whether a value of it can be used, what it must be)
    "batch_size": (numbers.Integral, lambda value: value >= 1, "an int >= 1"),
    "weight_decay": (numbers.Real, lambda value: 0 <= value < math.inf, "a number >= 0"),
    "label_smoothing": (numbers.Real, lambda value: 0 <= value < 1, "a number from 0 to below 1"),
    "dropout": (numbers.Real, lambda value: 0 <= value < 1, "a number from 0 to below 1"),
    "hidden_units": (numbers.Integral, lambda value: value >= 0, "an int >= 0"),
    "num_stages": (numbers.Integral, lambda value: value >= 1, "an int >= 1"),
    "stage_rate": (numbers.Real, lambda value: 0 < value <= 1, "a number above 0 and at most 1"),
    "magnitude": (numbers.Real, lambda value: 0 <= value <= 30, "a number from 0 to 30"),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What `finetune` trains with, beside its own arguments; as it is, what it trains with anyway.

    Sources: label smoothing, Szegedy et al. 2016, arXiv:1512.00567, Sec. 7; rates that fall towards
    the input, Howard and Ruder 2018, arXiv:1801.06146, Sec. 3.2; RandAugment, Cubuk et al. 2020,
    arXiv:1909.13719.

    Attributes:
        batch_size: int >= 1.
        weight_decay: float >= 0, of AdamW; 0.004 is Keras's default.
        label_smoothing: float in [0, 1).
        dropout: float in [0, 1). Share of the features that the classifier is not shown in a step.
        hidden_units: int >= 0. A ReLU layer of so many units before the classifier; 0 is none. It
            is trained alone first (strategy "head"), from features of the frozen network.
        num_stages: int >= 1. How many of the network's last stages "partial" trains, at most; its
            first is never among them.
        stage_rate: float in (0, 1]. The classifier learns at the full rate, the last stage at
            `stage_rate` times that, the stage before it at `stage_rate`^2, ...
        magnitude: float from 0 to 30, of RandAugment (two operations) on the photos of the "full"
            stage; 0 is none. What is trained from cached features knows `views` alone.

    Raises:
        InputError: a value is outside its range.

    >>> Recipe(batch_size=64, dropout=0.2).weight_decay
    0.004
    >>> Recipe(dropout=1.5)
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: dropout must be a number from 0 to below 1. Received: 1.5.
    """

    batch_size: int = 32
    weight_decay: float = 0.004
    label_smoothing: float = 0.1
    dropout: float = 0.0
    hidden_units: int = 0
    num_stages: int = 1
    stage_rate: float = 1.0
    magnitude: float = 0.0

    def __post_init__(self):
        for name, (kind, fits, wanted) in _FIELDS.items():
            value = getattr(self, name)
            if not isinstance(value, kind) or isinstance(value, bool) or not fits(value):
                raise InputError(f"{name} must be {wanted}. Received: {value!r}.")
            if hasattr(value, "item"):  # NumPy's, which JSON does not know
                object.__setattr__(self, name, value.item())


def checked_recipe(recipe, strategy):
    """A `Recipe`, of one, of a dict of its fields, or of None, that goes with a strategy."""
    if isinstance(recipe, dict):
        for name in recipe:
            one_of(name, _FIELDS, "field of a recipe:")
        recipe = Recipe(**recipe)
    recipe = recipe or Recipe()
    if not isinstance(recipe, Recipe):
        raise InputError(f"recipe must be a kc.transfer.Recipe or a dict. Received: {recipe!r}.")
    if recipe.hidden_units and strategy == "probe":
        raise InputError(
            "strategy='probe' is a linear classifier, without hidden units. Use strategy='head'."
        )
    if recipe.magnitude and strategy in ("probe", "head", "partial"):
        raise InputError(
            f"magnitude changes photos of the full stage, which strategy={strategy!r} has not. "
            "Use strategy='full', or views."
        )
    return recipe
