"""What augmentation gains: the same network, steps and photos with it and without.

    python recipes/augmentation_gain.py                                  (Keras downloads CIFAR-10)
    python recipes/augmentation_gain.py --data cifar10_jpegbytes.npz     (a JPEG copy)

AlexNet's paper (Krizhevsky et al. 2012, Sec. 4.1): without crops and mirror images the network
"suffers from substantial overfitting"; colours alone gain more than a point. RandAugment (Cubuk et
al. 2019, arXiv:1909.13719, Table 2): WRN-28-10 on CIFAR-10 from 96.1 to 97.3 %.
Here: a small convolutional network with batch normalisation on 10,000 training images, 16 epochs,
AdamW with cosine decay, three seeds: as they are; padded, cropped and mirrored as in the ResNet
paper (the preset "resnet-cifar"); the same and RandAugment. Ours: recipes/RESULTS.md. Crops and
mirror images gain; with RandAugment so small a network is far from fitting in 16 epochs.

Killed, it goes on where it was: finished runs are in the result file, and are made anew only when
it is moved away. It writes augmentation_gain.json and .png to recipes/results. With --quick: digits
of scikit-learn, two epochs, written to the folder it is started in.
"""

import argparse
import statistics
from pathlib import Path

import keras
import numpy as np
from benchmarks.transfer import versions  # beside this file
from experiment_report import begun  # beside this file
from matplotlib.figure import Figure
from small_images import cifar, digits  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json

ARMS = {
    "none": [],
    "crops and mirror images": ["crops"],
    "the same and RandAugment": ["crops", "RandAugment"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="cifar10_jpegbytes.npz (default: Keras downloads CIFAR-10)")
    parser.add_argument("--images", type=int, default=10_000, help="training images that are used")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.images, args.epochs, args.seeds = 400, 2, 1
    parts = digits(2) if args.quick else cifar(args.data)
    file = (Path() if args.quick else Path(__file__).parent / "results") / "augmentation_gain.json"
    settings = {"images": args.images, "epochs": args.epochs}
    settings["data"] = "digits of scikit-learn" if args.quick else "CIFAR-10"
    settings["data"] += " (JPEG copy)" if args.data and not args.quick else ""
    result = begun(file, settings, {"runs": []})
    done = {(run["arm"], run["seed"]) for run in result["runs"]}
    for seed in range(args.seeds):
        for arm in ARMS:
            if (arm, seed) not in done:
                result["runs"].append(run(arm, seed, parts, args))
                result |= {"rows": summary(result["runs"]), "versions": versions()}
                write_json(file, result)
    for row in result["rows"]:
        print("{arm}: test error {error:.2f} ± {std:.2f} %, training {train:.2f} %".format(**row))
    plot(result, file.with_suffix(".png"))


def run(arm, seed, parts, args):
    """Train one network; its errors in percent, of the training images as they are."""
    (x, y), test = [(x if x.ndim == 4 else x[..., None], y) for x, y in parts]
    train = x[: args.images], y[: args.images]
    keras.utils.set_random_seed(seed)
    data = kc.data.from_arrays(*train, batch_size=64, splits=(1, 0, 0), seed=seed)
    size = data.image_shape[0]
    layers = {
        "crops": kc.augment.preset("resnet-cifar", size),
        "RandAugment": kc.augment.RandAugment(),
    }
    batches = data.train.augment(*[layers[name] for name in ARMS[arm]])
    model = network(data.image_shape)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, args.epochs * batches.num_batches)
    model.compile(keras.optimizers.AdamW(rate, 0.01), "sparse_categorical_crossentropy")
    model.fit(batches, epochs=args.epochs, shuffle=False, verbose=0)
    errors = {"train": error(model, *train), "error": error(model, *test)}
    print(f"{arm}, seed {seed}: {errors['error']:.2f} %", flush=True)
    return {"arm": arm, "seed": seed, **errors}


def network(shape):
    layers = [keras.layers.Rescaling(1 / 127.5, -1)]
    for filters in (32, 64, 128):
        layers += [
            keras.layers.Conv2D(filters, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        ]
    layers += [keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    return keras.Sequential([keras.Input(shape), *layers])


def error(model, images, labels):
    predicted = model.predict(images.astype("float32"), batch_size=500, verbose=0).argmax(-1)
    return 100 * float((predicted != labels).mean())


def summary(runs):
    rows = []
    for arm in ARMS:
        found = [run for run in runs if run["arm"] == arm]
        if found:
            errors = [run["error"] for run in found]
            row = {"arm": arm, "error": statistics.mean(errors), "errors": errors}
            row |= {"std": statistics.stdev(errors) if len(errors) > 1 else 0.0}
            rows.append(row | {"train": statistics.mean(run["train"] for run in found)})
    return rows


def plot(result, path):
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    axes = figure.subplots()
    rows, places = result["rows"], np.arange(len(result["rows"]))
    axes.barh(places - 0.2, [row["error"] for row in rows], 0.4, color="#4a7fb5", label="test")
    train = [row["train"] for row in rows]
    axes.barh(places + 0.2, train, 0.4, color="#c9d3df", label="training images")
    seeds = [(error, place) for place, row in enumerate(rows) for error in row["errors"]]
    errors, heights = np.array(seeds).T
    axes.plot(errors, heights - 0.2, "k.", markersize=4, label="test, single seeds")
    axes.set_yticks(places, [row["arm"] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("error (%)")
    axes.set_title(f"{result['data']}, {result['images']:,} training images", fontsize=10)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
