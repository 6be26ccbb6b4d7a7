"""Decay the learning rate, or let the batch grow: the same loss from fewer updates.

    python recipes/batch_growth.py                          (Keras downloads MNIST)
    python recipes/batch_growth.py --data mnist.npz         (a local copy)

The paper (Smith et al. 2018, arXiv:1711.00489, Fig. 1 and 2; WRN-16-4 on CIFAR-10, 5 times at
epochs 60, 120 and 160): "identical" curves of the training loss by epoch.
Here: two convolutions on MNIST, momentum 0.9, batches of 32, 12 epochs, 5 times at epochs 6 and 9:
the rate falls, the batch grows, or half and half (the rate falls once, the batch grows once).

Killed, it goes on where it was: finished runs are in the result file, and are made anew only when
it is moved away. It writes batch_growth.json and .png to recipes/results. With --quick: digits of
scikit-learn, four epochs, written to the folder it is started in.
"""

import argparse
import json
import statistics
from pathlib import Path

import keras
import numpy as np
from benchmarks.transfer import versions  # beside this file
from matplotlib.figure import Figure
from small_images import digits, mnist  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json

ARMS = {  # (epochs at which the rate falls, epochs at which the batch grows), of 12
    "rate decays": ([6, 9], []),
    "half and half": ([6], [9]),
    "batch grows": ([], [6, 9]),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a local mnist.npz (default: Keras downloads it)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.data = 1, digits(3, 640)
        folder, factor, epochs = Path(), 2, 4
    else:
        args.data = mnist(args.data)
        folder, factor, epochs = Path(__file__).parent / "results", 5, 12
    file = folder / "batch_growth.json"
    result = json.loads(file.read_text()) if file.exists() else {"runs": []}
    done = {(run["arm"], run["seed"]) for run in result["runs"]}
    for seed in range(args.seeds):
        for arm in ARMS:
            if (arm, seed) not in done:
                result["runs"].append(run(arm, seed, args.data, factor, epochs))
                result |= {"rows": summary(result["runs"]), "versions": versions()}
                write_json(file, result)
    for row in result["rows"]:
        print(
            "{arm}: loss {loss:.4f} ± {std:.4f}, test error {error:.2f} %, {updates} updates, "
            "{pooled:.1f} pooled deviations from the rate's decay".format(**row)
        )
    plot(result["runs"], factor, folder / "batch_growth.png")


def network(shape):
    def convolution(filters):
        return keras.layers.Conv2D(filters, 5, 2, activation="relu", kernel_initializer="he_normal")

    layers = [keras.layers.Rescaling(1 / 127.5, -1), convolution(16), convolution(32)]
    layers += [keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    return keras.Sequential([keras.Input(shape), *layers])


def run(arm, seed, data, factor, epochs):
    """One training; losses by epoch, the last one measured on the whole training set after it."""
    falls, grows = changes(arm, epochs)
    keras.utils.set_random_seed(seed)
    (x, y), test = [(images[..., None], labels) for images, labels in data]
    steps = -(-len(x) // 32)
    # Larger batches make fewer steps, so the rate falls by epoch here.
    rate = keras.callbacks.LearningRateScheduler(
        lambda epoch: 0.02 / factor ** sum(epoch >= start for start in falls)
    )
    callbacks = [rate, *([kc.callbacks.BatchSizeGrowth(grows, factor)] if grows else [])]
    model = network(x.shape[1:])
    optimizer = keras.optimizers.SGD(0.02, momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=32, epochs=epochs, callbacks=callbacks, verbose=0).history
    loss, _ = model.evaluate(x, y, batch_size=1000, verbose=0)
    _, accuracy = model.evaluate(*test, batch_size=1000, verbose=0)
    updates = int(optimizer.iterations)
    print(f"{arm}, seed {seed}: loss {loss:.4f}, {updates} updates of {epochs * steps}", flush=True)
    row = {"arm": arm, "seed": seed, "loss": loss, "error": 100 * (1 - accuracy)}
    return row | {"updates": updates, "losses": history["loss"]}


def summary(runs):
    """A row an arm; `pooled`: difference to the first arm's mean loss in pooled deviations."""
    rows = []
    for arm in ARMS:
        found = [run for run in runs if run["arm"] == arm]
        if found:
            losses = [run["loss"] for run in found]
            std = statistics.stdev(losses) if len(losses) > 1 else 0.0
            row = {"arm": arm, "seeds": len(found), "loss": statistics.mean(losses), "std": std}
            row["error"] = statistics.mean(run["error"] for run in found)
            rows.append(row | {"updates": found[0]["updates"]})
    for row in rows:
        spread = ((row["std"] ** 2 + rows[0]["std"] ** 2) / 2) ** 0.5
        row["pooled"] = abs(row["loss"] - rows[0]["loss"]) / spread if spread else 0.0
    return rows


def changes(arm, epochs):
    """The epochs at which the rate falls, and those at which the batch grows."""
    return [[epoch * epochs // 12 for epoch in part] for part in ARMS[arm]]


def plot(runs, factor, path):
    """The losses by epoch and by updates; the arms lie over each other by epoch."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    by_epoch, by_update = figure.subplots(1, 2, sharey=True)
    epochs = len(runs[0]["losses"])
    most = max(run["updates"] for run in runs) / epochs
    for (arm, colour), width in zip(zip(ARMS, ("#1f4e79", "#8fbf8a", "#c8553d")), (4, 2.2, 0.9)):
        grows = changes(arm, epochs)[1]
        steps = [most / factor ** sum(epoch >= start for start in grows) for epoch in range(epochs)]
        for run in runs:
            if run["arm"] == arm:
                label = arm if run["seed"] == 0 else None
                line = {"color": colour, "linewidth": width, "label": label}
                by_epoch.plot(range(1, epochs + 1), run["losses"], **line)
                by_update.plot(np.cumsum(steps), run["losses"], **line)
    by_epoch.set(xlabel="epoch", ylabel="training loss", yscale="log")
    by_update.set(xlabel="updates")
    by_update.legend(frameon=False)
    for axes in (by_epoch, by_update):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
