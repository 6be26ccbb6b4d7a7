"""Train a network as its paper did, and put the test error beside the paper's.

    python recipes/reproduce.py --list
    python recipes/reproduce.py resnet20                        (Keras downloads CIFAR-10)
    python recipes/reproduce.py resnet20 --short                (one cycle: an hour or two on a CPU)
    python recipes/reproduce.py resnet20 --quick                (seconds: does it run?)
    python recipes/reproduce.py lenet5 --data mnist.npz --seeds 3

The experiments are in experiments.py. Images, augmentation and normalisation are on the device, on
TensorFlow and on JAX (KERAS_BACKEND=jax); on a GPU add `--precision mixed_bfloat16`.

Killed at any moment, the same command goes on from the last epoch's checkpoint in --runs (Ctrl-C:
from the last step). Each finished run is a file in recipes/results/reproduce; `make_results.py`
makes the tables. With --quick both are written to --runs.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
from benchmarks.transfer import versions  # beside this file
from experiments import EXPERIMENTS  # beside this file
from on_device import Order, device_name, matmul_peak, model_of_numbers  # beside this file
from small_images import cifar, digits, mnist, tiny_imagenet  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json

RESULTS = Path(__file__).parent / "results" / "reproduce"
LOADERS = {"MNIST": mnist, "CIFAR-10": cifar, "Tiny-ImageNet 32x32": tiny_imagenet}
PADDING = 4  # pixels on each side, from which windows are cropped


def main():
    args = arguments()
    if args.list:
        return print(listed())
    for seed in range(args.seeds):
        run(args, seed)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", choices=EXPERIMENTS, metavar="NAME", help="see --list")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--data", help="a local copy of the data set (default: Keras downloads it)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="one cycle instead of the paper's")
    length.add_argument("--quick", action="store_true", help="a few steps on packaged digits")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--precision", default="float32", choices=["float32", "mixed_bfloat16", "mixed_float16"]
    )
    parser.add_argument("--runs", type=Path, default=Path("reproduce_runs"), help="checkpoints")
    parser.add_argument("--weights", type=Path, help="write the network's weights here at the end")
    args = parser.parse_args()
    if not (args.name or args.list):
        parser.error("which experiment? --list shows them")
    return args


# --- data --------------------------------------------------------------------------------------


def load(experiment, args):
    """uint8 images (N, H, W, C), the training ones first, labels, how many train, the data's name.

    What is to be cropped is padded already, with the mean colour, so that after the normalisation
    the padding is 0.
    """
    if args.quick:
        parts, name = quick_images(experiment), "digits of scikit-learn"
    else:
        parts, name = LOADERS[experiment.data](args.data), experiment.data
        name += " (JPEG copy)" if args.data and "jpeg" in Path(args.data).name else ""
    images, labels = (np.concatenate(part) for part in zip(*parts))
    images = images[..., None] if images.ndim == 3 else images
    if experiment.data == "MNIST":
        images = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    return images, labels.astype("int32"), len(parts[0][1]), name


def quick_images(experiment):
    """Digits of scikit-learn in the experiment's size and channels."""
    parts = digits(3 if experiment.data == "MNIST" else 4, 160)
    if experiment.data == "MNIST":
        return [(np.pad(x, ((0, 0), (2, 2), (2, 2))), y) for x, y in parts]
    return [(np.repeat(x[..., None], 3, axis=-1), y) for x, y in parts]


def padded(images, color):
    """With PADDING pixels of one colour on all sides."""
    count, height, width, channels = images.shape
    shape = (count, height + 2 * PADDING, width + 2 * PADDING, channels)
    wide = np.broadcast_to(np.round(color).astype("uint8"), shape).copy()
    wide[:, PADDING:-PADDING, PADDING:-PADDING] = images
    return wide


def normalization(experiment, images):
    """(scale, offset) that give the channels of these images mean 0 and variance 1."""
    if experiment.data == "MNIST":
        return 1.275 / 255, -0.1  # paper at -0.1, ink at 1.175: LeCun et al. 1998, Sec. II-B
    sample = images.reshape(-1, images.shape[-1]).astype("float64")
    mean, deviation = sample.mean(0), sample.std(0)
    return (1 / deviation).tolist(), (-mean / deviation).tolist()


def augmentation(experiment, size, seed):
    """The layers that act in training."""
    if experiment.augmentation == "crop and flip":
        crop = kc.augment.PadAndCrop(padding=0, size=size, seed=seed)
        return [crop, keras.layers.RandomFlip("horizontal", seed=seed + 1)]
    if experiment.augmentation == "distortions":
        # LeCun et al. 1998, Sec. III-B: shifts, zoom, squeezing and shear, of no printed strength.
        return [
            kc.augment.RandomAffine(
                shift=0.08, zoom=0.1, stretch=0.1, shear=10, fill_mode="constant", seed=seed
            )
        ]
    return []


# --- training ----------------------------------------------------------------------------------


def run(args, seed):
    """One training to its end, and its result file."""
    experiment = EXPERIMENTS[args.name]
    schedule = chosen(experiment, args)
    length = "quick" if args.quick else "short" if args.short else "full"
    key = f"{args.name}-{length}-{seed}"
    file = (args.runs if args.quick else RESULTS) / f"{key}.json"
    if file.exists():
        print(f"{key} is done: test error {json.loads(file.read_text())['error']:.2f} % ({file})")
        return
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(args.precision)
    images, labels, num_train, data = load(experiment, args)
    order = Order(np.arange(num_train - schedule.held_out), labels, schedule.batch_size, seed)
    network, model = build(experiment, schedule, images, order, num_train, seed)
    test = np.arange(num_train, len(images), dtype="int32")
    log = Log()
    resume = kc.callbacks.Resume(args.runs / key, order, [log])
    model.fit(
        resume.data, epochs=schedule.epochs, initial_epoch=resume.initial_epoch,
        callbacks=[resume], shuffle=False, verbose=2,
        validation_data=(test, labels[test]), validation_batch_size=500,
        validation_freq=max(1, schedule.epochs // 15),
    )  # fmt: skip
    if len(log.rows) < schedule.epochs:
        sys.exit(f"Stopped after {len(log.rows)} of {schedule.epochs} epochs: run it again.")
    predicted = model.predict(test, batch_size=500, verbose=0).argmax(-1)
    error = 100 * float(np.mean(predicted != labels[test]))
    result = {"name": args.name, "length": length, "seed": seed, "data": data, "error": error}
    result |= {"published": experiment.published, "schedule": asdict(schedule)}
    result |= speed(network, log.rows, order.num_batches * schedule.batch_size, args.precision)
    result |= {"curve": log.curve(), "command": command(args, seed), "commit": commit()}
    result |= {"backend": keras.backend.backend(), "device": device_name(), "versions": versions()}
    write_json(file, result)
    if args.weights:
        network.save_weights(args.weights)
    print(told(result))


def chosen(experiment, args):
    """The schedule that was asked for."""
    if args.quick:
        return replace(experiment.full, epochs=1, batch_size=16, held_out=0, falls={}, warm_up=None)
    schedule = experiment.short if args.short else experiment.full
    if schedule is None:
        sys.exit(f"{args.name} has no short schedule: it is too large for that.")
    return schedule


def build(experiment, schedule, images, order, num_train, seed):
    """The network, and the compiled model of image numbers that trains it."""
    size = images.shape[1]
    scale, offset = normalization(experiment, images[:num_train])
    if experiment.augmentation == "crop and flip":
        images = padded(images, images[:num_train].mean((0, 1, 2)))
    network = getattr(kc.models, experiment.builder)(**experiment.options)
    if schedule.weight_decay:
        penalty = keras.regularizers.L2(schedule.weight_decay / 2)
        network = kc.regularizers.regularize(network, penalty)
    layers = augmentation(experiment, size, seed)
    model = model_of_numbers(network, images, layers, scale, offset)
    rate = rates(schedule, order.num_batches)
    optimizer = keras.optimizers.SGD(rate, schedule.momentum, schedule.nesterov)
    model.compile(optimizer, experiment.loss, metrics=["accuracy"], steps_per_execution=10)
    return network, model


def rates(schedule, steps):
    """The learning rate as a Keras schedule, for so many steps an epoch."""
    if schedule.falls is None:
        return kc.schedules.OneCycle(schedule.rate, steps * schedule.epochs)
    values = {0: schedule.rate}
    values |= {steps * epoch: schedule.rate * by for epoch, by in schedule.falls.items()}
    if schedule.warm_up:
        low, number = schedule.warm_up
        values |= {0: low, number: schedule.rate}
    starts = sorted(values)
    boundaries = [start - 1 for start in starts[1:]]  # Keras's own are the last steps of a rate
    if not boundaries:
        return schedule.rate
    rates = [values[start] for start in starts]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)


class Log(keras.callbacks.Callback):
    """What each epoch took and reached; checkpoints keep it."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def get_state(self):
        return {"rows": self.rows}

    def set_state(self, state):
        self.rows = state["rows"]

    def on_epoch_begin(self, epoch, logs=None):
        self._begin = time.perf_counter()
        self._trained = None

    def on_test_begin(self, logs=None):
        self._trained = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = (self._trained or time.perf_counter()) - self._begin
        logs = {name: float(value) for name, value in logs.items()}
        self.rows.append({"epoch": epoch + 1, "seconds": seconds, **logs})

    def curve(self):
        """Errors in %: of training (with augmentation, while it goes on), and of testing."""
        return [
            {
                "epoch": row["epoch"],
                "train_error": round(100 * (1 - row["accuracy"]), 2),
                "test_error": round(100 * (1 - row["val_accuracy"]), 2),
            }
            for row in self.rows
            if "val_accuracy" in row
        ]


# --- what is reported --------------------------------------------------------------------------


def speed(network, rows, images, precision):
    """Images a second in a median epoch, and the share of the device's matmul peak that is."""
    seconds = [row["seconds"] for row in rows]
    typical = statistics.median(seconds[1:] or seconds)
    multiply_adds = 3 * kc.arithmetic.analyze(network).multiply_adds  # forward, and backward twice
    peak = matmul_peak(keras.DTypePolicy(precision).compute_dtype)
    return {
        "seconds": sum(seconds),
        "images_per_second": images / typical,
        "matmul_share": images / typical * multiply_adds / peak,
        "precision": precision,
    }


def command(args, seed):
    """What repeats this run."""
    parts = ["python", "recipes/reproduce.py", args.name]
    parts += ["--short"] * args.short + ["--quick"] * args.quick
    parts += ["--data", Path(args.data).name] if args.data else []
    parts += ["--precision", args.precision] if args.precision != "float32" else []
    parts += ["--seeds", str(seed + 1)] if seed else []
    return shlex.join(parts)


def commit():
    """The commit of this checkout, or None where there is none."""
    line = ["git", "-C", Path(__file__).parent, "rev-parse", "--short", "HEAD"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def told(result):
    return (
        "{name}, {length}, seed {seed}, {data}: test error {error:.2f} %, {seconds:.0f} s, "
        "{images_per_second:.0f} images/s, {matmul_share:.0%} of the measured matmul peak"
    ).format(**result)


if __name__ == "__main__":
    main()
