"""How a model is computed: what was chosen, and what that choice is made of."""

import copy
from dataclasses import asdict, dataclass

from kerascnn._console import table
from kerascnn._errors import InputError
from kerascnn.compute.precision import copied
from kerascnn.data import Split

__all__ = ["ComputeChoice"]


@dataclass(frozen=True)
class ComputeChoice:
    """How a model trains fastest here, and everything that was measured; `print` shows a table.

    Attributes:
        precision: "float32", "mixed_bfloat16" or "mixed_float16".
        jit_compile: bool. Whether XLA compiles the step.
        steps_per_execution: int >= 1. Steps that Keras makes at once, between callbacks.
        micro_batch_size: int >= 1. Images of one step.
        accumulation_steps: int >= 1. Steps whose gradients make one update.
        rows: tuple of dicts, one for each setting that was tried: the five above, `ratio` (images a
            second over those of the model as it is, the median of the rounds; None if it was not
            measured), `lowest` and `highest` ratio of a round, `images_per_second`, `loss` of a
            batch before training, `note` (why it is out, or what it is).

    >>> choice = ComputeChoice("mixed_bfloat16", False, 8, 32, 1)
    >>> choice.settings()["steps_per_execution"]
    8
    """

    precision: str = "float32"
    jit_compile: bool = False
    steps_per_execution: int = 1
    micro_batch_size: int = 32
    accumulation_steps: int = 1
    rows: tuple = ()

    def settings(self):
        """The five settings as a dict of plain values."""
        return {name: value for name, value in asdict(self).items() if name != "rows"}

    def apply(self, model):
        """A copy of `model` with the same weights that trains in this way.

        Compiled like `model`, with a new optimizer; `kerascnn.compute.to_precision(model,
        "float32")` leads back. With `accumulation_steps` a learning-rate schedule goes on counting
        updates.

        Args:
            model: compiled functional or `Sequential` `keras.Model`.

        Returns:
            A new compiled `keras.Model`.

        Raises:
            InputError: the model is not compiled, or cannot be copied.
        """
        return configured(model, self)

    def data(self, split):
        """The data in batches of `micro_batch_size`, for `fit` of the model that `apply` gave.

        The last update of an epoch that does not divide by `accumulation_steps` is made with the
        first batches of the next.

        Args:
            split: `kerascnn.data.Split`, or `tf.data.Dataset` of batches.

        Returns:
            The same data; `split` itself where its batches have this size already.

        Raises:
            InputError: its batches are made elsewhere.
        """
        if isinstance(split, Split):
            if split.batch_size == self.micro_batch_size:
                return split
            smaller = copy.copy(split)
            smaller.batch_size = self.micro_batch_size
            return smaller
        if hasattr(split, "rebatch"):
            return split.rebatch(self.micro_batch_size)
        raise InputError(
            f"Batches of {type(split).__name__} cannot be made smaller. Make them of "
            f"{self.micro_batch_size} images, or call fit(batch_size={self.micro_batch_size})."
        )

    def summary(self):
        """The choice in a line.

        >>> ComputeChoice("mixed_bfloat16", steps_per_execution=8).summary()
        'mixed_bfloat16, 8 steps at once'
        """
        parts = [self.precision]
        parts += ["XLA"] * self.jit_compile
        if self.steps_per_execution > 1:
            parts.append(f"{self.steps_per_execution} steps at once")
        if self.accumulation_steps > 1:
            parts.append(f"{self.accumulation_steps} x {self.micro_batch_size} images an update")
        return ", ".join(parts)

    def table(self):
        """`(columns, rows)` of all that was measured, as texts."""
        columns = ["precision", "XLA", "steps at once", "batch", "images/s", "ratio", "spread", ""]
        chosen = self.settings()
        return columns, [_shown(row, chosen.items() <= row.items()) for row in self.rows]

    def __str__(self):
        return table(*self.table())


def configured(model, choice):
    """A copy of a compiled model that trains as `choice` says."""
    if not getattr(model, "compiled", False):
        raise InputError(
            "A compiled model is needed: what is measured is its training step. "
            "Call model.compile(optimizer, loss) first."
        )
    return copied(
        model,
        choice.precision,
        choice.accumulation_steps,
        jit_compile=choice.jit_compile,
        steps_per_execution=choice.steps_per_execution,
    )


def _shown(row, is_chosen):
    steps = row["accumulation_steps"]
    batch = f"{row['micro_batch_size']}" + (f" x {steps}" if steps > 1 else "")
    numbers = ["", "", ""]
    if row["ratio"] is not None:
        spread = f"{row['lowest']:.2f}-{row['highest']:.2f}"
        numbers = [f"{row['images_per_second']:,.0f}", f"{row['ratio']:.2f}", spread]
    note = ", ".join(["chosen"] * is_chosen + [row["note"]] * bool(row["note"]))
    xla = "yes" if row["jit_compile"] else "no"
    return [row["precision"], xla, str(row["steps_per_execution"]), batch, *numbers, note]
