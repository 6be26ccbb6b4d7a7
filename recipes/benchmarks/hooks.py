"""How much of a training step is spent in kerascnn's callbacks?

    python recipes/benchmarks/hooks.py [--steps 500]

LeNet-5, batches of 64, each callback in a `fit` of its own. What a callback does in a step is timed
in its `on_train_batch_begin` and `on_train_batch_end`, the step from the begin of one to the begin
of the next; the ratio is of the medians, the mean ratio of the sums, which hold what `NaNWatch` and
`Doctor` do at an interval. Work at the ends of epochs (copies of weights and checkpoints) is not in
them.

Writes recipes/results/hooks.json; `--quick` takes 20 steps and writes nothing.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from transfer import versions  # beside this file

import kerascnn as kc

RESULTS = Path(__file__).parents[1] / "results" / "hooks.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    steps = 20 if args.quick else args.steps
    images = np.random.default_rng(0).integers(256, size=(64 * steps, 32, 32), dtype="uint8")
    splits = ["train"] * len(images)
    data = kc.data.from_arrays(images, np.arange(len(images)) % 10, batch_size=64, splits=splits)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, make in CALLBACKS.items():
            row = {"callback": name, **measure(make(data.train, Path(folder)), data.train)}
            rows.append(row)
            print("{callback}: {ratio:.4f} of a step".format(**row), flush=True)
    if not args.quick:
        result = {"rows": rows, "steps": steps, "versions": versions()}
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


CALLBACKS = {
    "BatchSizeGrowth": lambda data, folder: kc.callbacks.BatchSizeGrowth([1]),
    "BoldDriver": lambda data, folder: kc.callbacks.BoldDriver("loss"),
    "DivergenceRestart": lambda data, folder: kc.callbacks.DivergenceRestart(),
    "GradualUnfreezing": lambda data, folder: kc.callbacks.GradualUnfreezing([None]),
    "LearningRateLogger": lambda data, folder: kc.callbacks.LearningRateLogger(),
    "PlateauRollback": lambda data, folder: kc.callbacks.PlateauRollback("loss"),
    "Snapshots": lambda data, folder: kc.callbacks.Snapshots(folder / "snapshots", 2),
    "StochasticWeightAveraging": lambda data, folder: kc.callbacks.StochasticWeightAveraging(1),
    "Resume": lambda data, folder: kc.callbacks.Resume(folder / "run", data),
    "Doctor": lambda data, folder: kc.callbacks.Doctor(data),
    "NaNWatch": lambda data, folder: kc.callbacks.NaNWatch(data),
    "NaNWatch, every step": lambda data, folder: kc.callbacks.NaNWatch(data, 1),
}


def measure(callback, data):
    """Medians of the time in the hooks and of a step, in seconds, and the ratios."""
    model = keras.Sequential(
        [keras.Input((32, 32, 1)), keras.layers.Rescaling(1 / 255), kc.models.LeNet5()]
    )
    model.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
    hooks, begins = [], []

    def timed(hook, is_first):
        def call(batch, logs=None):
            start = time.perf_counter()
            hook(batch, logs)
            seconds = time.perf_counter() - start
            if is_first:
                begins.append(start)
                hooks.append(seconds)
            else:
                hooks[-1] += seconds

        return call

    callback.on_train_batch_begin = timed(callback.on_train_batch_begin, True)
    callback.on_train_batch_end = timed(callback.on_train_batch_end, False)
    data = getattr(callback, "data", data)
    model.fit(data, epochs=2, callbacks=[callback], shuffle=False, verbose=0)
    half = len(hooks) // 2  # the second epoch: nothing is traced in it
    hook = statistics.median(hooks[half:])
    step = statistics.median(np.diff(begins[half:]).tolist())
    mean = sum(hooks[half:-1]) / (begins[-1] - begins[half])
    return {"hook_seconds": hook, "step_seconds": step, "ratio": hook / step, "mean_ratio": mean}


if __name__ == "__main__":
    main()
