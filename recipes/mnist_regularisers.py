"""How L2, L1, sparsity, max-norm and dropout compare on MNIST: Table 9 of the dropout paper.

    python recipes/mnist_regularisers.py                            (Keras downloads MNIST)
    python recipes/mnist_regularisers.py --data mnist.npz           (a local copy)
    python recipes/mnist_regularisers.py --steps 1000000 --seeds 3  (the paper's budget; not run)

Test error in % of Srivastava et al. 2014, JMLR 15, Table 9: L2 1.62, L2 + L1 towards the end 1.60,
L2 + KL sparsity 1.55, max-norm 1.35, dropout + L2 1.25, dropout + max-norm 1.05. Ours:
recipes/RESULTS.md. In the 20 passes of the default the networks with dropout do not get far enough:
they come last, and the paper's order is not reproduced.
As in the paper: 784-1024-1024-2048-10, ReLU, dropout of 0.5 and of 0.2 in the input, momentum 0.95,
max-norm on all layers; strengths are chosen on 10,000 training images that are held out, then all
60,000 are trained on. Differs: the strengths tried (the paper prints none but max-norm's 2), cosine
decay from 0.03, batches of 100, far fewer steps.

Killed, it goes on where it was, in the middle of a training too: trainings are kept in --runs and
finished ones in the result file, recipes/results/mnist_regularisers.json. With --quick: digits of
scikit-learn, a small network, one setting a row and so no search, written to --runs.
"""

import argparse
import json
import shutil
from pathlib import Path

import keras
import numpy as np
from benchmarks.transfer import versions  # beside this file
from small_images import digits, mnist  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json

PAPER = {
    "L2": 1.62,
    "L2 + L1 towards the end": 1.60,
    "L2 + KL sparsity": 1.55,
    "max-norm": 1.35,
    "dropout + L2": 1.25,
    "dropout + max-norm": 1.05,
}
TRIED = {  # what is chosen from, the first of equal ones
    "L2": [{"l2": l2} for l2 in (1e-5, 3e-5, 1e-4)],
    "L2 + L1 towards the end": [{"l2": 3e-5, "l1": l1} for l1 in (1e-6, 3e-6, 1e-5)],
    "L2 + KL sparsity": [{"l2": 3e-5, "kl": kl} for kl in (1e-5, 1e-4, 1e-3)],
    "max-norm": [{"max_norm": norm} for norm in (1.0, 2.0, 3.0)],
    "dropout + L2": [{"dropout": True, "l2": l2} for l2 in (1e-6, 1e-5, 3e-5)],
    "dropout + max-norm": [{"dropout": True, "max_norm": norm} for norm in (1.5, 2.0, 3.0)],
}
# 0.01 leaves 2.14 % of the held-out images wrong with L2 of 1e-5, this one 1.86 %; with dropout and
# max-norm of 2 it is 3.02 %, 2.74 %, and 6.09 % with 0.1.
RATE = 0.03
LATE = 0.8  # of the epochs have passed when the L1 begins


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a local mnist.npz (default: Keras downloads it)")
    parser.add_argument("--steps", type=int, default=12_000, help="of each row's last training")
    parser.add_argument("--search-steps", type=int, default=2_000, help="of each setting tried")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("regulariser_runs"))
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    args.widths, args.batch = (1024, 1024, 2048), 100
    file = Path(__file__).parent / "results" / "mnist_regularisers.json"
    if args.quick:
        args.steps, args.search_steps, args.widths, args.batch = 60, 30, (32, 32), 40
        file = args.runs / "mnist_regularisers.json"
    data = digits(num_train=1440) if args.quick else mnist(args.data)
    args.images, args.labels = (np.concatenate(part) for part in zip(*data))
    args.num_test = len(data[1][1])
    book = Book(file)
    for name, tried in TRIED.items():
        tried = tried[:1] if args.quick else tried
        best = tried[0]
        if len(tried) > 1:
            best = min(tried, key=lambda setting: book.error(args, name, setting, 0, True))
        errors = [book.error(args, name, best, seed, False) for seed in range(args.seeds)]
        book.add_row(name, best, errors, args)
    for row in book.result["rows"]:
        print(
            "{row}: test error {error:.2f} % [{lowest:.2f}, {highest:.2f}], paper {paper:.2f}; "
            "{setting}".format(**row)
        )


class Book:
    """The result file: every training once."""

    def __init__(self, file):
        self.file = file
        self.result = {"errors": {}, "rows": []}
        if file.exists():
            self.result = json.loads(file.read_text())

    def error(self, args, name, setting, seed, searching):
        """In percent, of the held-out images while searching, else of the test images."""
        steps = args.search_steps if searching else args.steps
        part = "held out" if searching else "test"
        key = f"{name}, {json.dumps(setting)}, {steps} steps, seed {seed}, {part}"
        if key not in self.result["errors"]:
            self.result["errors"][key] = train(args, name, setting, seed, steps, searching)
            write_json(self.file, self.result)
            print(f"{key}: {self.result['errors'][key]:.2f} %", flush=True)
        return self.result["errors"][key]

    def add_row(self, name, setting, errors, args):
        error = float(np.mean(errors))
        lowest, highest = interval(error, args.num_test * len(errors))
        rows = [row for row in self.result["rows"] if row["row"] != name]
        row = {"row": name, "paper": PAPER[name], "error": error, "errors": errors}
        row |= {"lowest": lowest, "highest": highest, "setting": setting, "steps": args.steps}
        self.result |= {"rows": [*rows, row], "versions": versions()}
        write_json(self.file, self.result)


def train(args, name, setting, seed, steps, searching):
    """One training, which goes on where it was killed; the error in percent."""
    keras.utils.set_random_seed(seed)
    num_train = len(args.labels) - args.num_test
    held = num_train // 6 if searching else 0
    splits = ["train"] * (num_train - held) + ["validation"] * held + ["test"] * args.num_test
    data = kc.data.from_arrays(
        args.images, args.labels, splits=splits, batch_size=args.batch, seed=seed
    )
    epochs = max(1, round(steps / data.train.num_batches))
    model = network(args, setting)
    schedule = keras.optimizers.schedules.CosineDecay(RATE, epochs * data.train.num_batches)
    model.compile(
        keras.optimizers.SGD(schedule, momentum=0.95),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # XLA halves a step's time on a CPU, but is slow to draw dropout's numbers: twice the time.
        jit_compile="auto" if args.quick else "dropout" not in setting,
    )
    callbacks = []
    if "l1" in setting:
        late = keras.regularizers.L1(setting["l1"])
        callbacks = [kc.callbacks.LatePenalty(int(LATE * epochs), late)]
    folder = args.runs / f"{name}-{'-'.join(map(str, setting.values()))}-{steps}-{seed}"
    resume = kc.callbacks.Resume(folder, data.train, callbacks)
    model.fit(
        resume.data, epochs=epochs, initial_epoch=resume.initial_epoch, callbacks=[resume],
        shuffle=False, verbose=0,
    )  # fmt: skip
    _, accuracy = model.evaluate(data.validation if searching else data.test, verbose=0)
    shutil.rmtree(folder)
    return 100 * (1 - accuracy)


def network(args, setting):
    sparse = setting.get("kl")
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    layers += [keras.layers.Dropout(0.2)] if "dropout" in setting else []
    for width in args.widths:
        penalty = kc.regularizers.KLSparsity(0.1, sparse, "tanh") if sparse else None
        layers.append(
            keras.layers.Dense(
                width, "relu", kernel_initializer="he_normal", activity_regularizer=penalty
            )
        )
        layers += [keras.layers.Dropout(0.5)] if "dropout" in setting else []
    layers.append(keras.layers.Dense(10))
    model = keras.Sequential([keras.Input((*args.images.shape[1:], 1)), *layers])
    if "l2" in setting:
        model = kc.regularizers.regularize(model, keras.regularizers.L2(setting["l2"]))
    if "max_norm" in setting:
        model = kc.constraints.constrain(model, keras.constraints.MaxNorm(setting["max_norm"]))
    return model


def interval(error, number):
    """Wilson's 95 % interval of an error in percent of so many images."""
    z, p = 1.959964, error / 100
    centre = (p + z**2 / (2 * number)) / (1 + z**2 / number)
    half = z / (1 + z**2 / number) * (p * (1 - p) / number + z**2 / (4 * number**2)) ** 0.5
    return 100 * (centre - half), 100 * (centre + half)


if __name__ == "__main__":
    main()
