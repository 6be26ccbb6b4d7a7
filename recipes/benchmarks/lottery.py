"""What holding masks costs: a training step of a pruned network over that of the whole one.

    python recipes/benchmarks/lottery.py

Four models of each network in one process (two of each kind, since of two equal models one may be
faster by its place in memory), steps interleaved; median and spread of the ratios of the rounds.
Writes recipes/results/lottery_cost.json; with --quick, a few rounds, it writes nothing.
"""

import argparse
import statistics
import time
from pathlib import Path

import keras
import numpy as np
from transfer import versions  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json

RESULTS = Path(__file__).parents[1] / "results" / "lottery_cost.json"


def lenet_300_100():
    layers = [keras.layers.Dense(size, "relu") for size in (300, 100)]
    top = keras.layers.Dense(10, "softmax")
    return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), *layers, top])


NETWORKS = {  # name: (builder, optimizer, batch)
    "LeNet-300-100, Adam": (lenet_300_100, lambda: keras.optimizers.Adam(), 60),
    "LeNet-5, Adam": (kc.models.LeNet5, lambda: keras.optimizers.Adam(), 60),
    "ResNet-20, momentum": (
        kc.models.CifarResNet20,
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        128,
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    rounds = 3 if args.quick else args.rounds
    rows = []
    for name, network in NETWORKS.items():
        rows.append(row := measured(name, *network, rounds, args.quick))
        spread = f"({row['lowest']:.3f}-{row['highest']:.3f})"
        print(f"{name}, batch {row['batch']}: {row['ratio']:.3f} {spread}", flush=True)
    if not args.quick:
        write_json(RESULTS, {"rows": rows, "versions": versions()})


def measured(name, build, optimizer, batch, rounds, quick):
    steps = [step(build(), optimizer(), batch, held) for held in (True, False, False, True)]
    for call in steps * 3:  # trace and warm up
        call()
    repeats = 1 if quick else max(1, round(0.2 / timed(steps[1], 1)))
    ratios = []
    for i in range(rounds):
        order = (0, 1, 2, 3) if i % 2 else (3, 2, 1, 0)
        seconds = {which: timed(steps[which], repeats) for which in order}
        ratios.append((seconds[0] + seconds[3]) / (seconds[1] + seconds[2]))
    return {
        "network": name,
        "batch": batch,
        "rounds": rounds,
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def step(model, optimizer, batch, held):
    """A function that does one training step."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(batch, *model.input_shape[1:])).astype("float32")
    labels = rng.integers(10, size=batch)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    if held:
        kc.lottery.hold(model, kc.lottery.prune(model, 0.8))
    return lambda: model.train_on_batch(images, labels)


def timed(call, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
