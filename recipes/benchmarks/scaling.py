"""What training in several processes costs: measured with two here, modelled up to 64.

    python recipes/benchmarks/scaling.py [--steps 9] [--batch-size 8]

Measured, for ResNet-50 and MobileNetV2 on photos of 224x224: the time of a training step in one
process and in two on this machine (`kerascnn launch`), each on one core and each with the same
number of photos, and the bytes that the two exchange in a step over the loopback interface. Each
of N workers must send 2 (N - 1) / N times the bytes of the gradients (a ring that reduces, then
gathers: Patarasuk and Yuan 2009, J. Parallel Distrib. Comput. 69(2), Theorem 1), and so must any
other way; the count, N times that, is compared with it. The statistics of batch normalisation are
exchanged too, which the formula leaves out, and what else uses the interface is counted.

Modelled: with a step that takes t alone, a network of b bytes/s and G bytes of gradients, nothing
overlapped and no delays, N workers keep t / (t + 2 (N - 1) / N * G / b) of their speed. A faster
processor makes t smaller and the share worse: it is the ratio that counts.

Writes recipes/results/scaling.json; `--quick` takes LeNet-5 and writes nothing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results" / "scaling.json"
NETWORKS = ("ResNet50", "MobileNetV2")
WORKERS = (2, 4, 8, 16, 32, 64)
GIGABITS = (1, 10, 100)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--batch-size", type=int, default=8, help="photos of each process")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        train(*args.worker, args)
        return
    names = ("LeNet5",) if args.quick else NETWORKS
    rows = [measure(name, args) for name in names]
    for row in rows:
        print(described(row))
    if not args.quick:
        from transfer import versions  # beside this file

        result = {"rows": rows, "batch_size": args.batch_size, "steps": args.steps}
        result |= {"gigabits": GIGABITS, "workers": WORKERS, "versions": versions()}
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def measure(name, args):
    size = "32" if args.quick else "224"
    options = ["--steps", "2" if args.quick else str(args.steps)]
    options += ["--batch-size", str(args.batch_size)]
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder, "one.json"), Path(folder, "two.json")
        script = [str(Path(__file__).absolute())]
        run([*script, *options, "--worker", name, size, str(one)])
        launch = ["-m", "kerascnn", "launch", "--workers", "2", *script]
        run([*launch, *options, "--worker", name, size, str(two)])
        alone, both = json.loads(one.read_text()), json.loads(two.read_text())
    gradients = alone["gradient_bytes"]
    return {
        "network": name,
        "gradient_bytes": gradients,
        "seconds_alone": alone["seconds"],
        "seconds_of_two": both["seconds"],
        "bytes_of_two": both["bytes"],
        "bytes_by_formula": 2 * sent(2, gradients),
        "efficiency": {
            str(rate): [efficiency(n, alone["seconds"], gradients, rate) for n in WORKERS]
            for rate in GIGABITS
        },
    }


def run(command):
    subprocess.run(
        [sys.executable, *command], check=True, env=os.environ | {"KERAS_BACKEND": "jax"}
    )


def sent(workers, size):
    """Bytes that each of the workers sends, so that all have the sum of `size` bytes."""
    return 2 * (workers - 1) / workers * size


def efficiency(workers, seconds, size, gigabits):
    """The share of its speed that a worker keeps."""
    return seconds / (seconds + sent(workers, size) * 8 / (gigabits * 1e9))


def described(row):
    lines = [
        f"{row['network']}: {row['gradient_bytes'] / 1e6:.1f} MB of gradients; "
        f"a step alone {row['seconds_alone']:.2f} s, of two {row['seconds_of_two']:.2f} s; "
        f"exchanged {row['bytes_of_two'] / 1e6:.1f} MB, by formula "
        f"{row['bytes_by_formula'] / 1e6:.1f} MB",
        "  speed kept, modelled, not measured, with workers: " + ", ".join(map(str, WORKERS)),
    ]
    for rate, shares in row["efficiency"].items():
        lines.append(f"  {rate:>3} Gbit/s: " + "  ".join(f"{share:.1%}" for share in shares))
    return "\n".join(lines)


# --- what a worker does ----------------------------------------------------------------------


def train(name, size, output, args):
    import keras
    import numpy as np

    import kerascnn as kc

    number, count = kc.distribute.worker(), kc.distribute.num_workers()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[number % len(cores)]})  # alone or not: one core each
    kc.distribute.start()
    keras.utils.set_random_seed(0)
    channels = 1 if name == "LeNet5" else 3
    network = kc.transfer.backbone(name, None, image_size=int(size), channels=channels)
    model = keras.Sequential([network, keras.layers.Dense(1000)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    photos = args.batch_size * count
    images = np.random.default_rng(0).integers(256, size=(photos, int(size), int(size), channels))
    data = kc.data.from_arrays(
        images.astype("uint8"), np.arange(photos) % 2, batch_size=photos, splits=["train"] * photos
    )
    clock = Clock()
    epochs = args.steps + 2  # of one step each; the first two compile
    model.fit(
        kc.distribute.shard(data.train), epochs=epochs, shuffle=False, verbose=0, callbacks=[clock]
    )
    if number == 0:
        gradients = sum(int(np.prod(w.shape)) * 4 for w in model.trainable_weights)
        Path(output).write_text(json.dumps(clock.medians() | {"gradient_bytes": gradients}))


def Clock():
    """A callback that notes when each step began and ended, and the loopback's bytes."""
    import keras

    class Clock(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.rows = []

        def on_train_batch_begin(self, batch, logs=None):
            self.begun = time.perf_counter(), loopback_bytes()

        def on_train_batch_end(self, batch, logs=None):
            float(logs["loss"])  # JAX computes meanwhile
            seconds, count = self.begun
            self.rows.append((time.perf_counter() - seconds, loopback_bytes() - count))

        def medians(self):
            seconds, count = zip(*self.rows[2:])
            return {"seconds": statistics.median(seconds), "bytes": statistics.median(count)}

    return Clock()


def loopback_bytes():
    """Bytes that the loopback interface has carried."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    (line,) = (line for line in lines if line.strip().startswith("lo:"))
    return int(line.split(":")[1].split()[0])


if __name__ == "__main__":
    main()
