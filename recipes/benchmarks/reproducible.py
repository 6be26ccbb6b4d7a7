"""What does `kerascnn.reproducible` cost in time?

    python recipes/benchmarks/reproducible.py [--rounds 7]

The same work with and without it: a training step of MobileNetV2 (whole network, frozen batch
normalisation, 160x160, batches of 32) and of ResNet-20 (32x32, batches of 128), and an epoch of
`tf.data` whose parallel map holds a random layer. Deterministic operations cannot be switched off,
so each is a process of its own, in pairs, in alternating order; a ratio above 1 is what it costs.

Writes recipes/results/reproducible.json; `--quick` takes tiny inputs, one pair, and writes nothing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from transfer import versions  # beside this file

RESULTS = Path(__file__).parents[1] / "results" / "reproducible.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--process", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.process:
        print(seconds_here(*args.process, args.quick))
        return
    rows = [compare(what, 1 if args.quick else args.rounds, args.quick) for what in WORK]
    for row in rows:
        print("{what}: {ratio:.2f} ({lowest:.2f}-{highest:.2f})".format(**row))
    if not args.quick:
        result = {"rows": rows, "versions": versions()}
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def compare(what, rounds, quick):
    ratios = []
    for i in range(rounds):
        order = ("free", "reproducible") if i % 2 else ("reproducible", "free")
        seconds = {mode: seconds_of_process(what, mode, quick) for mode in order}
        ratios.append(seconds["reproducible"] / seconds["free"])
    return {
        "what": what,
        "rounds": rounds,
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def seconds_of_process(what, mode, quick):
    command = [sys.executable, __file__, "--process", what, mode, *["--quick"] * quick]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(output.stdout.split()[-1])


def seconds_here(what, mode, quick):
    """The median time of the work in this process, after a warm-up."""
    import kerascnn as kc

    if mode == "reproducible":
        kc.reproducible(0)
    work = WORK[what](quick)
    for _ in range(2):
        work()
    seconds = []
    for _ in range(2 if quick else 15):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


# --- the work: functions that return what is timed -------------------------------------------


def mobilenet(quick):
    import keras

    import kerascnn as kc

    side, batch = (32, 2) if quick else (160, 32)
    network = kc.transfer.backbone("MobileNetV2", None, image_size=side)
    kc.transfer.freeze_batch_norm(network)
    outputs = keras.layers.Dense(10, "softmax")(network.output)
    return training_step(keras.Model(network.input, outputs), batch)


def resnet20(quick):
    import kerascnn as kc

    return training_step(kc.models.CifarResNet20(), 4 if quick else 128)


def training_step(model, batch):
    import numpy as np

    images = np.random.default_rng(0).uniform(0, 255, (batch, *model.input_shape[1:]))
    labels = np.arange(batch) % 10
    model.compile("adamw", "sparse_categorical_crossentropy")
    return lambda: model.train_on_batch(images.astype("float32"), labels)


def random_map(quick):
    import keras
    import numpy as np
    import tensorflow as tf

    count, side = (8, 32) if quick else (512, 160)
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype="uint8")
    rotate = keras.layers.RandomRotation(0.1, seed=0)
    rows = tf.data.Dataset.from_tensor_slices(images)
    rows = rows.map(lambda x: rotate(tf.cast(x, "float32")), num_parallel_calls=tf.data.AUTOTUNE)
    rows = rows.batch(32).prefetch(tf.data.AUTOTUNE)
    return lambda: [None for _ in rows]


WORK = {
    "training step, MobileNetV2": mobilenet,
    "training step, ResNet-20": resnet20,
    "tf.data, parallel map with a random layer": random_map,
}


if __name__ == "__main__":
    main()
