"""`kerascnn demo`: what transfer gains, on real digits, without a download."""

import functools
import logging
from pathlib import Path

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from kerascnn import report
from kerascnn._random import permutation
from kerascnn._runs import run_folder
from kerascnn.data import from_arrays
from kerascnn.models import LeNet5
from kerascnn.transfer.backbones import backbone
from kerascnn.transfer.finetuning import finetune

__all__ = ["digit_data", "run_demo"]

_PER_CLASS = 10
_SCRATCH_EPOCHS = 40
_log = logging.getLogger("kerascnn")


@functools.cache
def _digits():
    """scikit-learn's 1,797 scanned digits, 8x8, as uint8 (N, 32, 32) in MNIST's layout.

    A digit of MNIST fills 20x20 pixels in the middle of white margins: so do these then.
    """
    digits = load_digits()
    images = np.zeros((len(digits.images), 32, 32), np.uint8)
    for canvas, digit in zip(images, digits.images * (255 / 16)):
        enlarged = Image.fromarray(digit.astype(np.uint8)).resize(
            (20, 20), Image.Resampling.BICUBIC
        )
        canvas[6:26, 6:26] = np.asarray(enlarged)
    return images, digits.target


def digit_data(seed):
    """Ten labelled training digits of each class, drawn with `seed`; all others are test digits.

    Nothing is chosen on held-out digits, so there is no validation split.

    Returns:
        `ImageData` of (32, 32, 1) images.
    """
    images, labels = _digits()
    splits = np.full(len(labels), "test", dtype=object)
    for digit in range(10):
        members = np.flatnonzero(labels == digit)
        splits[members[permutation(len(members), seed, "demo", digit)[:_PER_CLASS]]] = "train"
    names = [str(digit) for digit in range(10)]
    data = from_arrays(images, labels, class_names=names, splits=list(splits), seed=seed)
    data.inventory.root = Path("scikit-learn digits")
    return data


def run_demo(output, seeds=range(5), verbose=True):
    """Three ways to learn digits from 100 labelled ones, and a report.

    Args:
        output: path of the folder to make; it is a run folder (of the last fine-tuning) whose
            report shows the comparison as well.
        seeds: ints; each draws other labelled digits and another start.
        verbose: bool. A line per seed on stderr.

    Returns:
        dict: "columns" and "rows" of the table, "accuracies" {way: list of floats}.

    Raises:
        InputError: `output` exists or cannot be written.
    """
    with run_folder(output) as folder:
        ways = {"from scratch": [], "features + linear": [], "fine-tuned": []}
        for seed in seeds:
            data = digit_data(seed)
            network = backbone("LeNet5", "mnist")
            linear = finetune(data, network, "probe", seed=seed, verbose=False)
            tuned = finetune(data, network, "full", learning_rate=1e-3, seed=seed, verbose=False)
            ways["from scratch"].append(_from_scratch(data, seed))
            ways["features + linear"].append(linear.metrics["test_accuracy"])
            ways["fine-tuned"].append(tuned.metrics["test_accuracy"])
            keras.backend.clear_session()
            if verbose:
                shown = ", ".join(f"{way} {values[-1]:.1%}" for way, values in ways.items())
                _log.info("seed %d: %s", seed, shown)
        table = _table(ways)
        tuned.tables = [{"title": f"{_PER_CLASS} labelled digits a class", "note": _NOTE, **table}]
        tuned.write(folder)
    return {**table, "accuracies": ways}


_NOTE = (
    "LeNet-5 on scikit-learn's digits: its own start, or weights trained on MNIST as frozen "
    "features, or fine-tuned. Mean test accuracy over the seeds, and the lowest and highest. "
    "From labels so few and digits so similar, fine-tuning gains no more than a linear classifier."
)


def _table(ways):
    rows = [
        [way, *(report.percent(f(values)) for f in (np.mean, np.min, np.max))]
        for way, values in ways.items()
    ]
    return {"columns": ["LeNet-5", "test accuracy", "lowest", "highest"], "rows": rows}


def _from_scratch(data, seed):
    """Test accuracy of the same network from its own initial weights; plain Keras."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(data.image_shape)
    scaled = keras.layers.Rescaling(0.005, -0.1)(inputs)
    model = keras.Model(inputs, LeNet5(input_tensor=scaled).output)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data.train, epochs=_SCRATCH_EPOCHS, shuffle=False, verbose=0)
    return model.evaluate(data.test, verbose=0)[1]
