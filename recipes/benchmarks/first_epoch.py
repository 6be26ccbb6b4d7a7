"""How long do the first epoch and those after it take on one core: kerascnn against Keras?

Shuffled float32 batches of 32 photos, 224 x 224 x 3, from JPEG files in class folders:
`kerascnn.data.from_directory`, whose first epoch also checks, hashes, decodes and stores every
photo and looks for those that look the same, and `keras.utils.image_dataset_from_directory` as it
comes, which decodes in every epoch and resizes without antialiasing. The process keeps to one core
from before TensorFlow starts; both in turn, each round in the other order and with an empty cache,
after a round that is thrown away. Aims: later epochs 5 times as fast, the first no slower.

    python recipes/benchmarks/first_epoch.py [--photos DIR ...] [--rounds 5]

Each `--photos` is a folder of class folders, measured besides what is made here: 1,000 JPEGs of
400 x 533 and 100 of 3024 x 4032, which a phone takes.
Writes recipes/results/first_epoch.json; `--quick` reads a few small photos once and writes nothing.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from pipeline import BATCH, check, make_photos  # beside this file
from transfer import versions

RESULTS = Path(__file__).parents[1] / "results" / "first_epoch.json"
SIZE = 224
LATER = 2  # epochs after the first


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sizes = {(64, 80): 96} if args.quick else {(400, 533): 1000, (3024, 4032): 100}
    with tempfile.TemporaryDirectory() as work:
        folders = {"/".join(folder.parts[-2:]): folder for folder in args.photos}
        for (height, width), count in sizes.items():
            folder = make_photos(Path(work) / f"{height}", count, (height, width))
            folders[f"{count:,} made photos of {height} x {width}"] = folder
        rounds = 1 if args.quick else args.rounds
        rows = [row for name, folder in folders.items() for row in compare(name, folder, rounds)]
    for row in rows:
        print(
            f"{row['photos']}, {row['epochs']}: {row['ratio']:.2f} times as fast as Keras ", end=""
        )
        print(f"({row['lowest']:.2f}-{row['highest']:.2f})")
    if not args.quick:
        result = {"rounds": rounds, "rows": rows, "versions": versions()}
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def compare(name, folder, rounds):
    """One row for the first epoch, one for the later ones: how many times as fast kerascnn is."""
    ratios = {"first": [], "later": []}
    for number in range(rounds + 1):
        order = [ours, theirs][:: 1 if number % 2 else -1]
        seconds = {way: way(folder) for way in order}
        if number:
            for epochs, part in (("first", slice(1)), ("later", slice(1, None))):
                mine, other = (statistics.mean(seconds[way][part]) for way in (ours, theirs))
                ratios[epochs].append(other / mine)
    return [
        {"photos": name, "epochs": epochs, "ratio": statistics.median(found)}
        | {"lowest": min(found), "highest": max(found)}
        for epochs, found in ratios.items()
    ]


# --- ways to read a folder: seconds a photo of each epoch, the first with all that precedes it ----


def ours(folder):
    import kerascnn as kc

    with tempfile.TemporaryDirectory() as cache:
        os.environ["KERASCNN_CACHE"] = cache
        start = time.perf_counter()
        data = kc.data.from_directory(
            folder, SIZE, batch_size=BATCH, splits=(1, 0, 0), progress=False
        )
        split = data.train
        return read_epochs(start, lambda e: (split.batch(e, i) for i in range(split.num_batches)))


def theirs(folder):
    import keras

    start = time.perf_counter()
    batches = keras.utils.image_dataset_from_directory(
        folder, image_size=(SIZE, SIZE), batch_size=BATCH, seed=0, verbose=False
    )
    return read_epochs(start, lambda epoch: batches.as_numpy_iterator())


def read_epochs(start, batches):
    seconds = []
    for epoch in range(1 + LATER):
        num_photos = sum(check(*batch) for batch in batches(epoch))
        end = time.perf_counter()
        seconds.append((end - start) / num_photos)
        start = end
    return seconds


if __name__ == "__main__":
    main()
