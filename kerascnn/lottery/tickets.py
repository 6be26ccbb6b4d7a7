"""Iterative magnitude pruning with rewinding, round by round and resumable."""

import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kerascnn import _random
from kerascnn._errors import InputError
from kerascnn._runs import atomic_path, run_folder, write_json
from kerascnn.lottery.masks import hold, kept, load_masks, prune, save_masks

__all__ = ["Ticket", "find_tickets"]


@dataclass(frozen=True)
class Ticket:
    """A round of `find_tickets`: what was kept, and how that trained.

    Attributes:
        round: int, 0 for the dense network.
        masks: the masks held in this round.
        metrics: what `train` returned, {name: float}.
        control: what it returned for the same masks with other random weights, or None.
        folder: path with `model.keras` (trained), `masks.npz`, and the start in `../start.npz`.

    >>> Ticket(0, {"fc/kernel": np.array([True, False])}, {"accuracy": 0.9}, None, Path(".")).kept
    0.5
    """

    round: int
    masks: dict
    metrics: dict
    control: dict | None
    folder: Path

    @property
    def kept(self):
        """The share of the kernels' weights: float in [0, 1]."""
        return kept(self.masks)


def find_tickets(
    build, train, folder, *, rounds=10, fraction=0.2, scope="global", warm_up=None, control=False,
    seed=0,
):  # fmt: skip
    """Iterative magnitude pruning: train, prune the smallest weights, rewind the others, repeat.

    A generator of `rounds` + 1 tickets, the dense network first. Called again with the same folder
    it gives what is done already and goes on from there; each round draws from (seed, round), so
    that the end is the same.

    Source: Frankle and Carbin 2019, arXiv:1803.03635, Sec. 1 (strategy 1 of Appendix B: rewind in
    each round); rewinding to an early step: Frankle et al. 2020, arXiv:1912.05671. Differs: no.

    Args:
        build: function () -> compiled `keras.Model` with random weights.
        train: function (model) -> dict of numbers: trains it in place, as `fit` does, and measures.
            It may return what `fit` returns, of which the last epoch counts.
        folder: str or path, where each round is kept.
        rounds: int >= 0.
        fraction, scope: as for `prune`.
        warm_up: None, or a function (model) that trains it for the first steps: the weights after
            it are what the tickets rewind to, in place of the initial ones.
        control: bool. Whether each ticket is also trained from other random weights.
        seed: int.

    Yields:
        `Ticket`.

    Raises:
        InputError: the folder holds tickets of other settings, `train` returns no numbers, or
            `build` draws the same weights every time and so gives no control.

    >>> import tempfile
    >>> def build():
    ...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> def train(model):
    ...     return {"loss": model.train_on_batch(np.ones((2, 4)), np.ones((2, 5)))}
    >>> tickets = find_tickets(build, train, tempfile.mkdtemp(), rounds=2, fraction=0.5)
    >>> [ticket.kept for ticket in tickets]
    [1.0, 0.5, 0.25]
    """
    folder = Path(folder)
    settings = {"fraction": fraction, "scope": scope, "control": control, "seed": seed}
    _settle(folder, settings | {"warm_up": warm_up is not None})
    start, masks = _start(build, warm_up, folder, seed), None
    for number in range(rounds + 1):
        place = folder / f"round-{number:02d}"
        if not (place / "metrics.json").exists():
            with run_folder(place) as partial:
                model = _seeded(build, seed, number, "ticket")
                model.set_weights(start)
                masks = masks or prune(model, 0.0)
                result = {"metrics": _trained(model, masks, train), "control": None}
                model.save(partial / "model.keras")
                save_masks(partial / "masks.npz", masks)
                save_masks(partial / "next_masks.npz", prune(model, fraction, masks, scope))
                if control:
                    other = _seeded(build, seed, number, "control")
                    _refuse_equal(other.get_weights(), start)
                    result["control"] = _trained(other, masks, train)
                write_json(partial / "metrics.json", result)
        result = json.loads((place / "metrics.json").read_text("utf-8"))
        yield Ticket(number, load_masks(place / "masks.npz"), **result, folder=place)
        masks = load_masks(place / "next_masks.npz")


def _settle(folder, settings):
    """Refuse to go on with other settings than the folder's."""
    settings = json.loads(json.dumps(settings, default=np.generic.item))  # NumPy's numbers as plain
    path = folder / "settings.json"
    if not path.exists():
        write_json(path, settings)
    elif (old := json.loads(path.read_text("utf-8"))) != settings:
        raise InputError(
            f"{folder} holds tickets of other settings: {old}. Received: {settings}. "
            "Choose another folder."
        )


def _start(build, warm_up, folder, seed):
    """The weights that all tickets start from, drawn once."""
    path = folder / "start.npz"
    if not path.exists():
        model = _seeded(build, seed, "start")
        if warm_up is not None:
            warm_up(model)
        with atomic_path(path) as partial:
            np.savez(partial, *model.get_weights())
    with np.load(path) as file:
        return [file[name] for name in file]


def _seeded(build, *key):
    keras.utils.set_random_seed(int(_random.generator(*key).integers(2**32)))
    return build()


def _trained(model, masks, train):
    hold(model, masks)
    found = train(model)
    found = getattr(found, "history", found)  # of `fit`: a list for each name
    if not isinstance(found, dict):
        raise InputError(
            "`train` must return a dict of numbers, such as model.evaluate(..., return_dict=True). "
            f"Received: {type(found).__name__}."
        )
    return {name: float(np.ravel(value)[-1]) for name, value in found.items()}


def _refuse_equal(weights, start):
    drawn = [(a, b) for a, b in zip(weights, start) if np.ndim(a) > 1]
    if all(np.array_equal(a, b) for a, b in drawn):
        raise InputError(
            "`build` draws the same weights every time, so there is no control: do not seed in it."
        )
