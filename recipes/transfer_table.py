"""Every pretrained network at hand on your photos: accuracy, seconds and megabytes in one table.

    python recipes/transfer_table.py datasets/ --list            (what would be run, and what not)
    python recipes/transfer_table.py datasets/                   (weights in Keras's cache)
    python recipes/transfer_table.py datasets/ --weights FOLDER  (and weights files in a folder)
    python recipes/transfer_table.py datasets/ --backbones MobileNetV2 SqueezeNet --seeds 3

`datasets/` holds one data set a folder, or is one itself: train, validation and test folders of
class folders, or class folders alone, which are then split 80 / 10 / 10, the same for all networks.
Nothing is downloaded unless `--download` asks for it: a network is run if its weights are packaged
with kerascnn, in Keras's cache, or in the folder of `--weights` (a file is recognised by its name,
and loaded whole or refused). NETWORKS names smaller forms; add your own there.

Each (data set, network, depth, seed) is one process of `kc.transfer.finetune`. Depth "probe" is a
linear classifier on frozen features, "partial" trains the last stage too, "full" the whole network
(`--depths probe partial full`: slow). The penalty of the classifier, the best epoch and whether a
stage is kept are decided on the validation photos; the test photos are read once, at the end.
Seconds are the process's, from its start; its cache of decoded photos and features is in use, and
empty at the start. Memory is the process's largest resident set. LogME (You et al. 2021,
arXiv:2102.11005) says before any training which features suit the labels.

It writes transfer_table.json and .png to `--output`. Killed, the same command goes on with what is
not in the file, or there of other weights; remove it to measure anew. Ours: recipes/RESULTS.md.
With --quick: drawn shapes and random weights, in transfer_table_quick.json.
"""

import argparse
import collections
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from transferred import DEPTHS, plot, rows, table  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json
from kerascnn.data.decode import SUFFIXES
from kerascnn.data.folders import list_files, visible
from kerascnn.weights.download import cache_folder


@dataclass(frozen=True)
class Network:
    """A row: what is built, and what names of its weights' files hold (letters, digits)."""

    name: str
    builder: str
    image_size: int
    weights: str | None = None  # their name, where they can be packaged or downloaded
    files: tuple = ()
    options: dict = field(default_factory=dict)


NETWORKS = [
    Network(row.name, row.name, row.image_size, row.weights[0], (row.name.lower(),))
    for row in kc.transfer.list_backbones()
    if row.channels == 3
] + [
    Network("MobileNetV2-160", "MobileNetV2", 160, "imagenet", ("mobilenetv2",)),
    Network(  # Keras's own file is mobilenet_2_5_128
        "MobileNet-0.25-128",
        "MobileNet",
        128,
        "imagenet",
        ("mobilenet025128", "mobilenet25128"),
        {"alpha": 0.25},
    ),
    Network("SqueezeNet", "SqueezeNet", 227, None, ("squeezenet11",)),
]


ABSENT = "weights are not here"
SEEDS, SHALLOW = 3, ["probe", "partial"]


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as folder:
        args.work = Path(folder)
        if args.quick:
            args.photos = draw_shapes(args.work / "shapes")
        jobs = list(itertools.product(data_sets(args.photos).items(), networks(args)))
        if args.list:
            return print("\n".join(listed(jobs)))
        book = Book(args)
        try:
            fill(book, jobs, args)
        except KeyboardInterrupt:
            sys.exit("\nStopped. The same command goes on after the last finished cell.")
    print("\n" + table(book.result))
    if book.result["rows"]:
        plot(book.result["rows"], args.output / f"{args.name}.png")
    return None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="?", help="a folder of data sets, or a data set")
    names = [network.name for network in NETWORKS]
    parser.add_argument("--backbones", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--weights", type=Path, help="a folder of weights files")
    parser.add_argument("--download", action="store_true", help="weights that are not here")
    parser.add_argument("--depths", nargs="+", choices=DEPTHS, default=SHALLOW)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--output", type=Path, default=Path(), help="folder (default: this one)")
    parser.add_argument("--list", action="store_true", help="say what would be run, and stop")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    args.name = "transfer_table_quick" if args.quick else "transfer_table"
    if args.quick:
        args.backbones, args.seeds = ["MobileNet-0.25-128"], 1
    elif not args.photos:
        parser.error("which photos? Pass a folder of data sets, or --quick")
    if args.weights and not args.weights.is_dir():
        parser.error(f"there is no folder {args.weights}: --weights takes a folder of files")
    return args


# --- what there is -----------------------------------------------------------------------------


def data_sets(folder):
    """{name: folder} of the folders in a folder, or of itself, that hold photos of classes."""
    sets = [folder] if num_photos(folder) else [folder / name for name in visible(folder)[0]]
    counts = {photos: num_photos(photos) for photos in sets}
    if not any(counts.values()):
        raise kc.InputError(f"{folder} holds no photos in class folders, nor do the folders in it.")
    return {
        f"{photos.resolve().name} ({count:,} photos)": photos
        for photos, count in counts.items()
        if count
    }


def num_photos(folder):
    """How many photos there are in class folders."""
    files = list_files(folder, collections.defaultdict(list))
    return sum(Path(path).suffix.lower() in SUFFIXES for path, *_ in files)


def networks(args):
    """[(network, the name or the file of its weights, or None if they are not here)]."""
    chosen = [network for network in NETWORKS if network.name in args.backbones]
    return [(network, weights_of(network, args)) for network in chosen]


def weights_of(network, args):
    named = network.weights in kc.weights.names(network.builder)
    if named and "url" not in kc.weights.entry(network.builder, network.weights):  # packaged
        return network.weights
    folders = [folder for folder in (args.weights, cache_folder()) if folder and folder.is_dir()]
    files = [file for folder in folders for file in folder.iterdir() if is_of(file, network)]
    if files:  # for this size rather than another; with its top a file is larger
        size = str(network.image_size)
        best = min(files, key=lambda file: (size not in file.name, file.stat().st_size))
        return str(best.resolve())
    return network.weights if args.download else None


def is_of(file, network):
    """Whether the longest of all networks' names that a file's name holds is this one's."""
    if width_of(file) not in (None, network.options.get("alpha", 1.0)):
        return False
    name = re.sub("[^a-z0-9]", "", file.name.lower())
    fitting = [known for other in NETWORKS for known in other.files if known in name]
    return file.suffix in {".h5", ".keras"} and max(fitting, key=len, default="") in network.files


def width_of(file):
    """The multiplier of the channels in the name of a MobileNet's file, or None.

    >>> width_of(Path("mobilenet_v2_1.0_224.h5")), width_of(Path("mobilenet_7_5_224_tf.h5"))
    (1.0, 0.75)
    """
    found = re.search(r"_(\d)([._])(\d+)_", file.name)
    if not found:
        return None
    value = float(f"{found[1]}.{found[3]}")
    return value / 10 if found[2] == "_" and value != 1 else value  # Keras's 7_5 is 0.75


def fingerprint(network, weights):
    """The SHA-256 of the weights; None for a name whose file Keras would download."""
    if weights is None or not Path(weights).is_file():
        named = weights in kc.weights.names(network.builder)
        return kc.weights.entry(network.builder, weights).get("sha256") if named else None
    return hashlib.sha256(Path(weights).read_bytes()).hexdigest()


def listed(jobs):
    """A line for each data set and network."""
    for (data, _), (network, weights) in jobs:
        said = f"weights {Path(weights).name}" if weights else f"not run: {ABSENT}"
        yield f"{data}, {network.name}, {network.image_size} pixels, {said}"


def draw_shapes(folder):
    """A small data set: ellipses, rectangles and crosses in a folder of class folders."""
    rng = np.random.default_rng(0)
    for name, number in itertools.product(("ellipse", "rectangle", "cross"), range(40)):
        photo = Image.fromarray(rng.integers(0, 120, (48, 48, 3), np.uint8))
        draw, color = ImageDraw.Draw(photo), tuple(map(int, rng.integers(140, 256, 3)))
        x, y, width, height = map(int, [*rng.integers(2, 16, 2), *rng.integers(16, 28, 2)])
        if name == "cross":
            draw.line([x, y, x + width, y + height], color, 5)
            draw.line([x + width, y, x, y + height], color, 5)
        else:
            getattr(draw, name)([x, y, x + width, y + height], color)
        file = folder / name / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        photo.save(file)
    return folder


# --- cells -------------------------------------------------------------------------------------


class Book:
    """The result file: every cell once."""

    def __init__(self, args):
        self.file = args.output / f"{args.name}.json"
        self.result = {"cells": {}, "not_run": {}}
        if self.file.exists():
            self.result = json.loads(self.file.read_text("utf-8"))
        absent = {name: why for name, why in self.result["not_run"].items() if why == ABSENT}
        command = ["python recipes/transfer_table.py", "--quick" if args.quick else "datasets/"]
        command += ["--weights FOLDER"] * bool(args.weights)
        command += [f"--depths {' '.join(args.depths)}"] * (args.depths != SHALLOW)
        command += [f"--seeds {args.seeds}"] * (args.seeds != SEEDS)
        self.result |= {"command": " ".join(command), "not_run": absent}
        self.write()

    def add(self, cell, request, work):
        """Run a cell that is not there yet; one that fails is not tried with another seed."""
        name = "{data}, {network}, {depth}".format(**cell)
        key = f"{name}, seed {cell['seed']}"
        done = self.result["cells"].get(key, {}).get("sha256", "") == cell["sha256"]
        if done or name in self.result["not_run"]:
            return
        print(key, end=": ", flush=True)
        figures, why = run(request, work)
        if figures:
            self.result["cells"][key] = cell | figures
            said = "test {accuracy:.1%}, {seconds:.0f} s, {memory_mb:,} MB".format(**figures)
        else:
            self.result["not_run"][name] = why
            said = f"not run: {why}"
        self.write()
        print(said, flush=True)

    def write(self):
        self.result["rows"] = rows(self.result["cells"].values())
        write_json(self.file, self.result)


def fill(book, jobs, args):
    """Run every cell, all networks once before the second seed."""
    for seed, ((data, photos), (network, weights)) in itertools.product(range(args.seeds), jobs):
        if not (weights or args.quick):
            book.result["not_run"][network.name] = ABSENT
            continue
        book.result["not_run"].pop(network.name, None)
        request = {
            "photos": str(photos.resolve()), "builder": network.builder, "seed": seed,
            "options": network.options, "weights": None if args.quick else weights,
            "image_size": 32 if args.quick else network.image_size,
            "epochs": 1 if args.quick else 12,
        }  # fmt: skip
        for depth in args.depths:
            cell = {"data": data, "network": network.name, "depth": depth, "seed": seed}
            cell["sha256"] = None if args.quick else fingerprint(network, weights)
            book.add(cell, request | {"depth": depth}, args.work)
    book.write()


def run(request, work):
    """(figures, None) of one process, or (None, why it failed)."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        file, cache = Path(folder, "cell.json"), str(Path(folder, "cache"))
        write_json(file, request | {"begun": time.time()})
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERASCNN_CACHE": cache}
        command = [sys.executable, Path(__file__).with_name("transfer_cell.py"), file]
        done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True)
        if done.returncode == 0:
            return json.loads(file.read_text("utf-8")), None
        if done.returncode < 0:  # by the system, most often for want of memory
            return None, f"the process was ended by signal {-done.returncode}"
        return None, (done.stderr.strip().splitlines() or ["no reason was given"])[-1]


if __name__ == "__main__":
    try:
        main()
    except kc.InputError as error:
        sys.exit(str(error))
