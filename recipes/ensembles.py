"""What ensembles gain over one network: seeds, a search, checkpoints, averaged weights.

    python recipes/ensembles.py                                     (Keras downloads MNIST)
    python recipes/ensembles.py --data mnist.npz                    (a local copy)
    python recipes/ensembles.py --data cifar10_jpegbytes.npz        (CIFAR-10, a JPEG copy)

The kinds of Karpathy's CS231n notes ("Model ensembles": a few percent extra, the fewer the more
alike the members are): the same network from several seeds; the best of a search; checkpoints of
one run, here at the ends of its cosine cycles (Huang et al. 2017, arXiv:1704.00109: ResNet-110 on
CIFAR-10 from 5.5 to 5.3 %); the mean of the weights of a run's steps (Polyak, by Keras's `use_ema`)
and of its checkpoints (Izmailov et al. 2018, arXiv:1803.05407), with statistics estimated anew.
Ours: recipes/RESULTS.md.

A small convolutional network with batch normalisation on 20,000 of the training images, 5,000
others held out to choose by, the test images for the table only. Killed, it goes on where it was:
trained networks are kept in --runs. It writes ensembles.json and .png to recipes/results. With
--quick: 8x8 digits of scikit-learn, written to --runs.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from benchmarks.transfer import versions  # beside this file
from matplotlib.figure import Figure
from small_images import cifar, digits, mnist  # beside this file

import kerascnn as kc
from kerascnn._random import generator
from kerascnn._runs import atomic_path, write_json


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="mnist.npz or cifar10_jpegbytes.npz (default: MNIST)")
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--images", type=int, default=20_000, help="training images that are used")
    parser.add_argument("--runs", type=Path, default=Path("ensemble_runs"))
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.members, args.epochs = 2, 2
    args.source, (x, y), test = load(args)
    held = min(len(x) // 5, args.images // 4)
    train = slice(held, held + args.images)
    data = {"train": (x[train], y[train]), "held": (x[:held], y[:held]), "test": test}
    rows = table(Lab(data, args))
    width = max(len(row["kind"]) for row in rows)
    for row in rows:
        print(f"{row['kind']:{width}}  test error {row['error']:.2f} %, gain {row['gain']:+.2f}")
    results = args.runs if args.quick else Path(__file__).parent / "results"
    command = "python recipes/ensembles.py"
    command += f" --data {Path(args.data).name}" if args.data else ""
    result = {"command": command, "data": args.source, "rows": rows}
    result |= {"epochs": args.epochs, "images": len(data["train"][0])}
    result |= {"members": args.members, "versions": versions()}
    write_json(results / "ensembles.json", result)
    plot(rows, args.source, results / "ensembles.png")


def load(args):
    """(name, training set, test set), each of (uint8 images, labels)."""
    if args.data is not None and not args.quick:
        with np.load(args.data) as file:
            from_jpeg = "train_jpeg" in file
        if from_jpeg:
            return "CIFAR-10 (JPEG copy)", *cifar(args.data)
    parts = digits() if args.quick else mnist(args.data)
    name = "digits of scikit-learn" if args.quick else "MNIST"
    return name, *((images[..., None], labels) for images, labels in parts)


def network(shape, width=16, dropout=0.1, blocks=3):
    layers = [keras.layers.Rescaling(1 / 127.5, -1)]
    for block in range(blocks):
        layers += [
            keras.layers.Conv2D(width * 2**block, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        ]
    layers += [keras.layers.Flatten(), keras.layers.Dropout(dropout)]
    layers += [keras.layers.Dense(10, "softmax")]
    return keras.Sequential([keras.Input(shape), *layers])


class Lab:
    """Trains each network once and keeps its weights in a file."""

    def __init__(self, data, args):
        self.data, self.args = data, args
        parts = [args.source, len(data["train"][0]), "images", args.epochs, "epochs"]
        self.runs = args.runs / "-".join(map(str, parts)).replace(" ", "-")

    def error(self, model, part="test"):
        x, y = self.data[part]
        return 100 * float((model.predict(x, batch_size=500, verbose=0).argmax(-1) != y).mean())

    def trained(self, name, seed, cycles=1, ema=False, rate=2e-3, **options):
        """The checkpoints of a run of cosine cycles, one at the end of each."""
        files = [self.runs / f"{name}-{i}.npz" for i in range(cycles)]
        keras.utils.set_random_seed(seed)
        models = [network(self.data["train"][0].shape[1:], **options) for _ in range(cycles)]
        if not all(file.exists() for file in files):
            for file, weights in zip(files, self._train(models[0], cycles, ema, rate)):
                with atomic_path(file) as partial:
                    np.savez(partial, *weights)
        for model, file in zip(models, files):
            with np.load(file) as saved:
                model.set_weights([saved[name] for name in saved])
        return models

    def _train(self, model, cycles, ema, rate):
        """Yields the weights after each cycle; the epochs are divided among the cycles."""
        x, y = self.data["train"]
        batch = 32 if self.args.quick else 128
        epochs = self.args.epochs // cycles
        steps = epochs * -(-len(x) // batch)
        kc.releasable(model)
        averaging = {"use_ema": True, "ema_momentum": 1 - 5 / steps} if ema else {}
        for _ in range(cycles):
            schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
            optimizer = keras.optimizers.AdamW(rate if ema else schedule, 0.01, **averaging)
            model.compile(optimizer, "sparse_categorical_crossentropy")
            model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
            yield model.get_weights()

    def recalibrated(self, model):
        images = self.data["train"][0][:10_000]
        batches = [images[i : i + 500] for i in range(0, len(images), 500)]
        kc.ensembles.recalibrate_batch_norm(model, batches)
        return model


def table(lab):
    """The rows of the result: each kind against one network of the same epochs."""
    count = lab.args.members
    seeds = [lab.trained(f"seed{i}", i)[0] for i in range(count)]
    single = float(np.mean([lab.error(model) for model in seeds]))
    rows = [row("one network (mean over the seeds)", single, single, 1)]
    rows.append(
        row("seeds: mean of outputs", lab.error(kc.ensembles.ensemble(seeds)), single, count)
    )
    hard = kc.ensembles.ensemble(seeds, vote="hard")
    rows.append(row("seeds: hard vote", lab.error(hard), single, count))
    tried = sorted(searched(lab), key=lambda model: lab.error(model, "held"))[: max(2, count // 2)]
    best = lab.error(tried[0])
    rows.append(row("search: the best network", best, single, 1))
    rows.append(
        row("search: mean of the best", lab.error(kc.ensembles.ensemble(tried)), single, len(tried))
    )
    checkpoints = lab.trained("cycles", 0, cycles=min(4, lab.args.epochs))[-3:]
    rows.append(row("checkpoints: the last one", lab.error(checkpoints[-1]), single, 1))
    outputs = lab.error(kc.ensembles.ensemble(checkpoints))
    rows.append(row("checkpoints: mean of outputs", outputs, single, len(checkpoints)))
    mean = lab.recalibrated(kc.ensembles.average_weights(checkpoints))
    rows.append(row("checkpoints: mean of weights", lab.error(mean), single, 1))
    average = lab.recalibrated(lab.trained("average", 0, ema=True)[0])
    rows.append(row("moving average of weights, constant rate", lab.error(average), single, 1))
    return rows


def searched(lab):
    """Networks of random settings: Keras Tuner does the same with more comfort."""
    for i in range(lab.args.members):
        draw = generator("search", i)
        yield lab.trained(
            f"search{i}",
            100 + i,
            rate=float(10 ** draw.uniform(-3.3, -2)),
            width=int(draw.choice([8, 16, 24])),
            dropout=float(draw.uniform(0, 0.5)),
            blocks=int(draw.choice([2, 3])),
        )[0]


def row(kind, error, single, forward_passes):
    return {"kind": kind, "error": error, "gain": single - error, "networks": forward_passes}


def plot(rows, source, path):
    figure = Figure(figsize=(8, 0.4 * len(rows) + 1), layout="constrained")
    axes = figure.subplots()
    names = [f"{row['kind']} ({row['networks']})" for row in rows]
    bars = axes.barh(names, [row["error"] for row in rows], color="#7aa6d8")
    axes.bar_label(bars, fmt="%.2f", label_type="center")
    axes.axvline(rows[0]["error"], color="grey", linestyle=":")
    axes.invert_yaxis()
    axes.set(xlabel="test error (%); in brackets: networks at prediction", title=source)
    axes.margins(x=0.02)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
