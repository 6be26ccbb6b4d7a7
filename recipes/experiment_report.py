"""What `reproduce.py` says: of the experiments there are, of a run, and where it ran."""

import json
import shlex
import statistics
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from pathlib import Path

import keras
from benchmarks.transfer import versions  # beside this file
from on_device import device_name, matmul_peak  # beside this file

import kerascnn as kc

IMAGES = {
    "MNIST": 60_000,
    "CIFAR-10": 50_000,
    "Tiny-ImageNet 32x32": 100_000,
    "ImageNet": 1_281_167,
}

# --- the experiments ---------------------------------------------------------------------------
PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1, ""))
NOT_RUN = (
    "Not run: this recipe trains from the device's memory, and these photos do not fit into it. "
    "To run it, get ILSVRC 2012 (image-net.org, after a registration), read it with "
    "kerascnn.data.from_directory, and train the network with these settings on several GPUs "
    "(kerascnn.distribute)."
)


def listed(experiments, published, here):
    """A table of all experiments, with what is in the folders `published` and `here`."""
    done, own = finished(published), finished(here)
    lines, heading = [_ROW.format("", "", "paper, %", "work", "ours, %")], None
    for name, one in experiments.items():
        measure = "" if one.measure == "test error" else f", {one.measure}"
        if heading != (heading := f"{one.source}: {one.data}{measure}"):
            lines += ["", heading]
        paper = "-" if one.published is None else f"{one.published:.2f}"
        ours = ", ".join(done[name]) or "not run"
        ours += f"; in {here}: {', '.join(own[name])}" if own[name] else ""
        lines.append(_ROW.format(f"  {name}", one.title, paper, prefixed(work(one)), ours))
    lines += ["", "Srivastava et al. 2014, JMLR 15, Table 9: MNIST", "  mnist_regularisers.py"]
    lines += ["", "work: multiply-adds of the paper's training (T 1e12, P 1e15, E 1e18)"]
    return "\n".join(line.rstrip() for line in lines)


_ROW = "{:<27}{:<29}{:>8}{:>9}   {}"


def finished(results):
    """{name: ["short 40: 9.61 (2 seeds, JPEG copy)", ...]} of the result files in this folder."""
    errors = defaultdict(list)
    for file in sorted(Path(results).glob("*-*-*.json")):
        result = json.loads(file.read_text())
        errors[result["name"], result["length"], "JPEG" in result["data"]].append(result["error"])
    found = defaultdict(list)
    for (name, length, copied), values in errors.items():
        of = "1 seed" if len(values) == 1 else f"{len(values)} seeds"
        of += ", JPEG copy" * copied
        found[name].append(f"{length}: {statistics.mean(values):.2f} ({of})")
    return found


def work(experiment):
    """Multiply-adds of the whole training, or None: forward, and backward twice that."""
    full = experiment.full
    if full.epochs is None:
        return None
    return 3 * experiment.multiply_adds * (IMAGES[experiment.data] - full.held_out) * full.epochs


def prefixed(number):
    """1.002e15 -> "1 P"."""
    if number is None:
        return "?"
    factor, letter = next(pair for pair in PREFIXES if number >= pair[0])
    return f"{number / factor:.3g} {letter}"


def about(experiment):
    """All settings of an experiment that is not run, and why it is not."""
    full = experiment.full
    rows = {
        "network": f"kerascnn.models.{experiment.builder}, options {experiment.options or 'none'}",
        "paper": f"{experiment.published} % ({experiment.measure}): {experiment.source}",
        "images": f"ImageNet (ILSVRC 2012), {IMAGES['ImageNet']:,} photos, 1,000 classes",
        "passes": full.epochs,
        "batch": full.batch_size,
        "first rate": full.rate,
        "momentum": full.momentum,
        "weight decay": full.weight_decay,
        "augmentation": experiment.augmentation,
        **experiment.settings,
    }
    lines = [
        textwrap.fill(f"{name:<14}{text or 'not printed'}", 100, subsequent_indent=" " * 14)
        for name, text in rows.items()
    ]
    return "\n".join([experiment.title, *lines, "", textwrap.fill(NOT_RUN, 100)])


# --- a run -------------------------------------------------------------------------------------


def begun(file, settings, empty):
    """What a result file holds so far, else settings and `empty`; refuses other settings."""
    result = json.loads(file.read_text()) if file.exists() else settings | empty
    other = [f"{name} {result[name]}" for name in settings if result[name] != settings[name]]
    if other:
        sys.exit(
            f"{file} is of another run ({', '.join(other)}): move it away, or ask for the same."
        )
    return result


class Log(keras.callbacks.Callback):
    """What each epoch took and reached, and where it began; checkpoints keep it."""

    def __init__(self):
        super().__init__()
        self.rows, self.where = [], where()
        self._begin, self._before = None, 0.0  # seconds of an epoch before it was stopped

    def get_state(self):
        before = 0.0
        if self._begin is not None:
            before = self._before + time.perf_counter() - self._begin
        return {"rows": self.rows, "where": self.where, "before": before}

    def set_state(self, state):
        self.rows, self.where, self._before = state["rows"], state["where"], state["before"]

    def on_epoch_begin(self, epoch, logs=None):  # `Resume` gives the state back before and after
        self._begin = time.perf_counter()
        self._trained = None

    def on_test_begin(self, logs=None):
        self._trained = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = self._before + (self._trained or time.perf_counter()) - self._begin
        logs = {name: float(value) for name, value in logs.items()}
        self.rows.append({"epoch": epoch + 1, "seconds": seconds, **logs})
        self._begin, self._before = None, 0.0

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
    }


def command(args, seed):
    """What repeats this run."""
    parts = ["python", "recipes/reproduce.py", args.name]
    parts += ["--short"] * (args.short is not None) + [str(args.short)] * bool(args.short)
    parts += ["--quick"] * args.quick
    parts += ["--data", Path(args.data).name] if args.data else []
    parts += ["--precision", args.precision] if args.precision != "float32" else []
    parts += ["--seeds", str(seed + 1)] if seed else []
    parts += ["--weights", Path(args.weights).name] if args.weights else []
    return shlex.join(parts)


def where():
    """Commit of this checkout, "-dirty" if it is changed, backend, device and versions."""
    return {
        "commit": commit(),
        "backend": keras.backend.backend(),
        "device": device_name(),
        "versions": versions(),
    }


def commit():
    """None where there is no checkout, or no git."""
    line = ["git", "-C", Path(__file__).parent, "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


def told(result):
    """A line about a run's result."""
    return (
        "{name}, {length}, seed {seed}, {data}: test error {error:.2f} %, {seconds:.0f} s, "
        "{images_per_second:.0f} images/s, {matmul_share:.0%} of the measured matmul peak"
    ).format(**result)
