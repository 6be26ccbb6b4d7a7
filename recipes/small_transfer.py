"""What pretraining is worth on small images: CIFAR-10 with few labels and with many.

    python recipes/small_transfer.py                                  (Keras downloads CIFAR-10)
    python recipes/small_transfer.py --data cifar10_jpegbytes.npz     (a JPEG copy)
    python recipes/small_transfer.py --networks ResNet-20 --images 10 100

ResNet-20 and WRN-16-2, their packaged weights from 100,000 images of Tiny-ImageNet at 32x32 pixels,
with 10, 100, 1,000 and all 5,000 labelled images a class: trained from scratch; as frozen features
under logistic regression, its strength chosen by cross-validation among the labelled images; and
fine-tuned whole, from that classifier on. For one seed all of them have the same labelled images,
and 10 are among 100. Both trainings have the same steps and images, one cycle of the rate, padding,
crops and mirror images; nothing is chosen by the test images, of which all 10,000 count.
Ours: recipes/RESULTS.md.

Time: with `--precision mixed_bfloat16` about an hour for ResNet-20 and two for WRN-16-2 on two CPU
cores that compute in it. Killed at any moment, the same command goes on: finished cells
are in the result file, the training that was cut is in --runs. It writes small_transfer.json and
.png to --results, by default the same folder as --runs; ours are in recipes/results. With --quick:
digits of scikit-learn, random weights in place of the packaged ones.
"""

import argparse
import itertools
import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from benchmarks.transfer import versions  # beside this file
from experiment_report import Log, commit  # beside this file
from on_device import (  # beside this file
    Order,
    device_name,
    model_of_numbers,
    padded,
    standardizing,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_images import cifar, digits  # beside this file
from small_transferred import METHODS, picture, rows  # beside this file
from threadpoolctl import threadpool_limits

import kerascnn as kc
from kerascnn._random import permutation
from kerascnn._runs import atomic_path, write_json

NETWORKS = {"ResNet-20": "CifarResNet20", "WRN-16-2": "WideResNet16x2"}
WEIGHTS = "tiny-imagenet32"


@dataclass(frozen=True)
class Budget:
    """Of a training: its steps of `batch_size` images, and how many seeds there are."""

    steps: int
    batch_size: int = 64
    seeds: int = 3


BUDGETS = {  # by the labelled images a class
    10: Budget(400),
    100: Budget(1196),  # whole epochs
    1000: Budget(1482, 128, seeds=1),
    5000: Budget(3120, 128, seeds=1),
}
QUICK = {5: Budget(20, 16, seeds=1)}
# The highest rate for 64 images a step; for more it rises in proportion (Goyal et al. 2017).
RATES = {"from scratch": 0.1, "fine-tuned": 0.01}
WEIGHT_DECAY = 5e-4
SPEEDS = {"ResNet-20": 550, "WRN-16-2": 220}  # images a second: two CPU cores, bfloat16
PENALTIES = 0.25 ** np.arange(1, 8)  # of the squared weights, for each image


@dataclass(frozen=True)
class Cell:
    """One figure of the table: `images` labelled ones a class."""

    images: int
    network: str
    method: str
    seed: int


def main():
    args = arguments()
    try:
        fill(args)
    except KeyboardInterrupt:
        sys.exit("Stopped. The same command goes on from here.")
    except kc.InputError as error:
        sys.exit(str(error))


def fill(args):
    """The result file and the picture with all that was asked for."""
    name = "digits of scikit-learn" if args.quick else "CIFAR-10"
    name += " (JPEG copy)" if args.data else ""
    file = args.results / "small_transfer.json"
    result = json.loads(file.read_text()) if file.exists() else {"data": name, "cells": []}
    if result["data"] != name:
        sys.exit(f"{file} is of {result['data']}, not of {name}: move it away.")
    todo = [cell for cell in cells(args) if not is_done(cell, result["cells"], args)]
    print(told(todo, args), flush=True)
    parts = todo and (colored_digits() if args.quick else cifar(args.data))
    for cell in todo:
        found = run(cell, parts, args)
        print(f"{cell.images} a class, {cell.network}, {cell.method}, seed {cell.seed}: "
            f"{found['error']:.2f} %", flush=True)  # fmt: skip
        others = [old for old in result["cells"] if not asdict(cell).items() <= old.items()]
        result["cells"] = [*others, found]
        write_json(file, result | {"rows": rows(result["cells"]), "versions": versions()})
    with atomic_path(file.with_suffix(".png")) as partial:
        picture(rows(result["cells"]), name).savefig(partial, dpi=120)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="cifar10_jpegbytes.npz (default: Keras downloads CIFAR-10)")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--images", nargs="+", type=int, choices=BUDGETS, default=list(BUDGETS))
    parser.add_argument(
        "--precision", default="float32", choices=["float32", "mixed_bfloat16", "mixed_float16"]
    )
    parser.add_argument("--runs", type=Path, default=Path("small_transfer_runs"))
    parser.add_argument("--results", type=Path, help="for the result's files (default: as --runs)")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    args.budgets = {images: BUDGETS[images] for images in args.images}
    if args.quick:
        args.budgets, args.networks, args.data = QUICK, ["ResNet-20"], None
    args.results = args.results or args.runs
    args.commit = commit()  # before a result changes the checkout
    return args


def colored_digits():
    """A few digits of scikit-learn, 32x32 pixels in three equal channels."""
    return [(np.repeat(x[:200, ..., None], 3, axis=-1), y[:200]) for x, y in digits(4)]


# --- what there is to do -------------------------------------------------------------------------


def cells(args):
    """All that was asked for, networks one after another, the cheapest first."""
    choices = itertools.product(args.networks, args.budgets.items(), args.methods)
    for network, (images, budget), method in choices:
        for seed in range(budget.seeds):
            yield Cell(images, network, method, seed)


def fingerprint(cell, args):
    """The SHA-256 of the weights that a cell starts from, or None."""
    if args.quick or cell.method == "from scratch":
        return None
    return kc.weights.entry(NETWORKS[cell.network], WEIGHTS)["sha256"]


def settings(cell, args):
    """What its figure depends on, beside the cell's own four values."""
    found = {"weights": fingerprint(cell, args), "precision": args.precision}
    found["backend"] = keras.backend.backend()
    if cell.method in RATES:
        budget = args.budgets[cell.images]
        found |= {"steps": budget.steps, "batch_size": budget.batch_size}
        found |= {"rate": RATES[cell.method] * budget.batch_size / 64, "weight_decay": WEIGHT_DECAY}
    return found


def is_done(cell, found, args):
    """Whether it is among those found, from the same weights, with the same settings."""
    wanted = asdict(cell) | settings(cell, args)
    return any(wanted.items() <= one.items() for one in found)


def told(todo, args):
    """How much there is to do."""
    trained = [cell for cell in todo if cell.method in RATES]
    seconds = 0
    for cell in trained:
        budget = args.budgets[cell.images]
        seconds += budget.steps * budget.batch_size / SPEEDS[cell.network]
    return (
        f"{len(todo)} cells to do, {len(trained)} of them trainings: about {seconds / 60:.0f} "
        "minutes on two CPU cores in bfloat16"
    )


# --- one cell ------------------------------------------------------------------------------------


def run(cell, parts, args):
    """The cell with its test error in %, the seconds that it learned, and where."""
    (images, labels), (test_images, test_labels) = parts
    chosen = labelled(labels, cell.images, cell.seed)
    images, labels = np.concatenate([images[chosen], test_images]), labels[chosen].astype("int32")
    keras.utils.clear_session()
    keras.config.set_dtype_policy(args.precision)
    keras.utils.set_random_seed(cell.seed)
    network, scale, offset = start(cell, images[: len(labels)], args)
    begun = time.perf_counter()
    if cell.method != "from scratch":
        features = features_of(network, images[: len(labels)], scale, offset)
        classifier = fitted(features, labels)
        network.get_layer("output").set_weights(folded(classifier))
    seconds = time.perf_counter() - begun
    if cell.method == "frozen features":
        predicted = classifier.predict(features_of(network, images[len(labels) :], scale, offset))
    else:
        predicted, more = trained(cell, network, images, labels, (scale, offset), args)
        seconds += more
    error = 100 * float(np.mean(predicted != test_labels))
    found = {"error": error, "seconds": seconds, "device": device_name(), "commit": args.commit}
    return asdict(cell) | settings(cell, args) | found


def labelled(labels, images, seed):
    """The numbers of the images that have a label: `images` of each class, by the seed alone."""
    chosen = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = permutation(len(members), seed, "labelled", int(label))
        chosen.append(members[order[:images]])
    return np.sort(np.concatenate(chosen))


def start(cell, images, args):
    """The network with a new classifier, and the scale and offset of its images."""
    builder = NETWORKS[cell.network]
    network = getattr(kc.models, builder)()
    if args.quick or cell.method == "from scratch":
        return network, *standardizing(images)
    kc.weights.load(network, WEIGHTS, builder=builder, new=["output"])
    given = kc.weights.entry(builder, WEIGHTS)["preprocessing"]
    return network, given["scale"], given["offset"]


def features_of(network, images, scale, offset):
    """What the classifier reads of images as they are: (N, F)."""
    features = keras.Model(network.input, network.get_layer("output").input)
    model = model_of_numbers(features, images, [], scale, offset)
    numbers = np.arange(len(images), dtype="int32")
    return model.predict(numbers, batch_size=500, verbose=0).astype("float32")


def fitted(features, labels):
    """Logistic regression, with the penalty whose likelihood in five folds is the best."""
    strengths = {"logisticregression__C": 1 / (PENALTIES * len(labels))}
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    with threadpool_limits(1):  # in products so small threads wait for each other
        return GridSearchCV(classifier, strengths, scoring="neg_log_loss").fit(features, labels)


def folded(classifier):
    """The classifier as kernel and bias of a dense layer."""
    scaler, regression = (step for _, step in classifier.best_estimator_.steps)
    kernel = regression.coef_.T / scaler.scale_[:, None]
    return [kernel, regression.intercept_ - scaler.mean_ @ kernel]


def trained(cell, network, images, labels, preprocessing, args):
    """Trains all layers; the classes of the test images, and the seconds of training."""
    budget, size = args.budgets[cell.images], images.shape[1]
    least = min(budget.steps, 50) * budget.batch_size  # images in an epoch
    repeats = max(1, least // len(labels))
    numbers = np.tile(np.arange(len(labels)), repeats)
    order = Order(numbers, labels, budget.batch_size, cell.seed)
    epochs = budget.steps // order.num_batches
    network = kc.regularizers.regularize(network, keras.regularizers.L2(WEIGHT_DECAY / 2))
    crop = kc.augment.PadAndCrop(padding=0, size=size, seed=cell.seed)
    layers = [crop, keras.layers.RandomFlip("horizontal", seed=cell.seed + 1)]
    wide = padded(images, images[: len(labels)].mean((0, 1, 2)))
    model = model_of_numbers(network, wide, layers, *preprocessing)
    peak = settings(cell, args)["rate"]
    rate = kc.schedules.OneCycle(peak, epochs * order.num_batches)
    sgd = keras.optimizers.SGD(rate, 0.9, nesterov=True)
    loss = "sparse_categorical_crossentropy"
    model.compile(sgd, loss, metrics=["accuracy"], steps_per_execution=10)
    parts = [cell.network, cell.method.replace(" ", "-"), cell.images, cell.seed]
    parts += [(fingerprint(cell, args) or "random")[:8]]
    seconds = fit(model, order, epochs, args.runs / "-".join(map(str, parts)))
    test = np.arange(len(labels), len(images), dtype="int32")
    return model.predict(test, batch_size=500, verbose=0).argmax(-1), seconds


def fit(model, order, epochs, folder):
    """Trains, from the checkpoint in `folder` if there is one; the seconds of all epochs."""
    log = Log()
    resume = kc.callbacks.Resume(folder, order, [log])
    model.fit(
        resume.data, epochs=epochs, initial_epoch=resume.initial_epoch, callbacks=[resume],
        shuffle=False, verbose=0,
    )  # fmt: skip
    shutil.rmtree(folder)
    return sum(row["seconds"] for row in log.rows)


if __name__ == "__main__":
    main()
