"""A small search for the strength of augmentation that suits the data."""

import math
import time

import keras

from kerascnn._errors import InputError, whole
from kerascnn._random import permutation
from kerascnn._steps import releasable
from kerascnn.augment.combine import Sequence
from kerascnn.augment.rand_augment import RandAugment

__all__ = ["search_policy"]

_CANDIDATES = [(num_ops, magnitude) for num_ops in (1, 2, 3) for magnitude in range(3, 31, 3)]


def search_policy(make_model, data, trials=8, epochs=3, metric="accuracy", seed=0):
    """Try `RandAugment` at drawn strengths, and none; rank them on the validation split.

    For each trial a new model is trained on `data.train.augment(layer)`, all from the same initial
    weights and orders of photos. A line is printed for each. A few epochs favour weak
    augmentation, which pays in long trainings: give `epochs` what you can.

    Source: Cubuk et al. 2019, arXiv:1909.13719, Sec. 3: the two numbers of RandAugment are searched
    on a validation set. Differs from the paper: a random part of the grid.

    Args:
        make_model: function without arguments that gives a new compiled `keras.Model`.
        data: `ImageData`, or anything with splits `train` and `validation`.
        trials: int from 1 to 31. The first is without augmentation, the others are drawn from 1, 2
            or 3 operations at magnitudes 3, 6, ... 30.
        epochs: int >= 1, of each training.
        metric: str, what ranks them: a name among the model's metrics, for which more is better, or
            "loss".
        seed: int >= 0. Decides which are tried, and the weights and draws of all trials: equal
            seeds repeat a search. Sets Keras's random seed.

    Returns:
        List of dicts, the best first: "score", "num_ops", "magnitude" (0 and 0: none), "layer" for
        `split.augment(layer)`.

    Raises:
        InputError: `trials`, `epochs` or `seed` is outside its range, or the model has no such
            metric.

    >>> import kerascnn as kc, numpy as np
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8, 3), dtype="uint8")
    >>> data = kc.data.from_arrays(images, [0, 1] * 20)
    >>> def make_model():
    ...     model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])
    ...     loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ...     model.compile("sgd", loss, metrics=["accuracy"])
    ...     return model
    >>> found = search_policy(make_model, data, trials=2, epochs=1)
    1/2 none: accuracy ... s)
    2/2 num_ops=..., magnitude=...: accuracy ... s)
    >>> found[0]["score"] >= found[1]["score"]
    True
    """
    trials, epochs = whole(trials, "trials", 1), whole(epochs, "epochs", 1)
    seed = whole(seed, "seed", 0)
    most = len(_CANDIDATES) + 1
    if trials > most:
        raise InputError(f"trials must be an int from 1 to {most}. Received: {trials}.")
    drawn = permutation(len(_CANDIDATES), seed, "search_policy")[: trials - 1]
    records = []
    for number, pair in enumerate([(0, 0), *(_CANDIDATES[i] for i in drawn)], start=1):
        start = time.perf_counter()
        layer = RandAugment(*pair) if pair[0] else Sequence([])
        score = _score(make_model, data, layer, epochs, metric, seed)
        records.append(dict(zip(("score", "num_ops", "magnitude", "layer"), (score, *pair, layer))))
        name = "num_ops={}, magnitude={}".format(*pair) if pair[0] else "none"
        seconds = time.perf_counter() - start
        print(f"{number}/{trials} {name}: {metric} {score:.4f} ({seconds:.0f} s)", flush=True)
    return _best_first(records, metric)


def _best_first(records, metric):
    """Sorted by score; what became NaN is last: it is neither larger nor smaller than anything."""
    sign = 1 if metric == "loss" else -1
    return sorted(records, key=lambda one: (math.isnan(one["score"]), sign * one["score"]))


def _score(make_model, data, layer, epochs, metric, seed):
    keras.utils.set_random_seed(seed)
    model = releasable(make_model())
    model.fit(data.train.augment(layer), epochs=epochs, shuffle=False, verbose=0)
    scores = model.evaluate(data.validation, return_dict=True, verbose=0)
    if metric not in scores:
        raise InputError(
            f"The model has no metric {metric!r}; it has {', '.join(scores)}. Name one of these, "
            "or compile the model with it."
        )
    return scores[metric]
