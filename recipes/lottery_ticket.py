"""Lottery tickets in LeNet-300-100 and LeNet-5 on MNIST: iterative pruning, rewinding, control.

    python recipes/lottery_ticket.py                        (Keras downloads MNIST)
    python recipes/lottery_ticket.py --data mnist.npz       (a local copy)

The paper (Frankle and Carbin 2019, arXiv:1803.03635, Fig. 3 and 4): tickets of LeNet-300-100 with
3.6 % of the weights train as well as the whole network, with 21 % better; drawn anew they do not.
Ours: recipes/RESULTS.md.
As in the paper: Adam at 1.2e-3 and batches of 60; each round prunes 20 % of what is left, of the
output layer 10 %; LeNet-300-100 layer by layer with Glorot's normal start. Differs: 3 passes (there
50,000 steps, about 55 passes); LeNet-5 is `kc.models.LeNet5(variant="modern")` with 61,470 weights,
pruned globally (there only deeper networks are). Nothing is chosen by the test images.

Killed, it goes on where it was: rounds are kept in --runs. It writes lottery_ticket.json and .png
to recipes/results. With --quick: 8x8 digits of scikit-learn, one round, written to --runs.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from benchmarks.transfer import versions  # beside this file
from matplotlib.figure import Figure
from small_images import digits, mnist, padded  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json

FRACTION = {"output": 0.1, "*": 0.2}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a local mnist.npz (default: Keras downloads it)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("lottery_runs"))
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.rounds, args.epochs = 1, 1, 3
    results = args.runs if args.quick else Path(__file__).parent / "results"
    data = digits(4) if args.quick else mnist(args.data)
    data = [(x[..., None] if args.quick else padded(x), y) for x, y in data]
    result = {"command": "python recipes/lottery_ticket.py", "epochs": args.epochs, "rows": []}
    result["versions"] = versions()
    for name in NETWORKS:
        for seed in range(args.seeds):
            result["rows"] += rounds(name, seed, data, args)
            write_json(results / "lottery_ticket.json", result | {"summary": summary(result)})
            plot(result["rows"], results / "lottery_ticket.png")
    print("\n".join(summary(result)))


def lenet_300_100():
    dense = {"activation": "relu", "kernel_initializer": "glorot_normal"}
    layers = [
        keras.layers.Rescaling(1 / 255),
        keras.layers.Flatten(),
        keras.layers.Dense(300, **dense, name="hidden1"),
        keras.layers.Dense(100, **dense, name="hidden2"),
        keras.layers.Dense(10, "softmax", kernel_initializer="glorot_normal", name="output"),
    ]
    return keras.Sequential([keras.Input((32, 32, 1)), *layers])


def lenet_5():
    image = keras.Input((32, 32, 1))
    scaled = keras.layers.Rescaling(0.005, -0.1)(image)
    return kc.models.LeNet5(input_tensor=scaled, variant="modern")


NETWORKS = {"LeNet-300-100": (lenet_300_100, "layer"), "LeNet-5": (lenet_5, "global")}


def rounds(name, seed, data, args):
    """The rows of one network and seed."""
    make, scope = NETWORKS[name]
    (x, y), test = data
    images = "digits" if args.quick else "MNIST"
    folder = args.runs / f"{name}-{images}-{args.epochs}-epochs-{seed}"

    def build():
        model = kc.releasable(make())
        loss = "sparse_categorical_crossentropy"
        model.compile(
            keras.optimizers.Adam(1.2e-3), loss, metrics=["accuracy"], steps_per_execution=20
        )
        return model

    def train(model):
        model.fit(x, y, batch_size=60, epochs=args.epochs, verbose=0)
        return {"error": 100 * (1 - model.evaluate(*test, batch_size=1000, verbose=0)[1])}

    rows = []
    for ticket in kc.lottery.find_tickets(
        build, train, folder, rounds=args.rounds, fraction=FRACTION, scope=scope, control=True,
        seed=seed,
    ):  # fmt: skip
        errors = {"ticket": ticket.metrics["error"], "control": ticket.control["error"]}
        rows.append({"network": name, "seed": seed, "kept": ticket.kept} | errors)
        told = f"test error {errors['ticket']:.2f} %, drawn anew {errors['control']:.2f} %"
        print(f"{name} seed {seed}: {100 * ticket.kept:5.1f} % of the weights, {told}", flush=True)
    return rows


def curves(rows, name):
    """(share kept (R,), test errors of tickets and of controls (seeds, R) each) of a network."""
    own = [row for row in rows if row["network"] == name]
    seeds = sorted({row["seed"] for row in own})
    kept = [row["kept"] for row in own if row["seed"] == seeds[0]]
    errors = [
        [[row[kind] for row in own if row["seed"] == seed] for seed in seeds]
        for kind in ("ticket", "control")
    ]
    return np.array(kept), *map(np.array, errors)


def summary(result):
    """A line for each network, about the first round with at most 20 % of the weights."""
    lines = []
    for name in sorted({row["network"] for row in result["rows"]}):
        kept, tickets, controls = curves(result["rows"], name)
        at = int(np.argmax(kept <= 0.2)) if (kept <= 0.2).any() else len(kept) - 1
        deviation = tickets[:, 0].std(ddof=len(tickets) > 1)
        lines.append(
            f"{name}: test error {spread(tickets[:, 0])} whole, {spread(tickets[:, at])} with "
            f"{100 * kept[at]:.1f} % of the weights, {spread(controls[:, at])} drawn anew; "
            f"standard deviation of the whole network {deviation:.2f}"
        )
    return lines


def spread(errors):
    return f"{errors.mean():.2f} % [{errors.min():.2f}..{errors.max():.2f}]"


def plot(rows, path):
    names = sorted({row["network"] for row in rows})
    figure = Figure(figsize=(5.5 * len(names), 4), layout="constrained")
    for axes, name in zip(np.ravel(figure.subplots(1, len(names))), names):
        kept, *errors = curves(rows, name)
        kinds = ("ticket, rewound", "control, drawn anew")
        for kind, values, colour in zip(kinds, errors, ("#2c6fbb", "#c8553d")):
            axes.plot(100 * kept, values.mean(0), "o-", color=colour, label=kind)
            axes.fill_between(100 * kept, values.min(0), values.max(0), color=colour, alpha=0.2)
        axes.axhline(errors[0][:, 0].mean(), color="grey", linestyle=":", label="whole network")
        axes.set(title=f"{name}, {len(errors[0])} seed(s)", xscale="log",
                 xlabel="weights kept (%)", ylabel="test error (%)")  # fmt: skip
        axes.invert_xaxis()
        ticks = [100, 80, 50, 20, 10, 5]
        ticks = [tick for tick in ticks if tick >= 90 * kept.min()]
        axes.set_xticks(ticks, map(str, ticks))
        axes.minorticks_off()
        axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
