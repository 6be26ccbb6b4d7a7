"""How fast are shuffled float32 batches of 32 photos read, 224 x 224 x 3, from 2,000 of them?

kerascnn's `Split` (a Keras `PyDataset` over decoded photos on disk) against Grain over the same
store with 0, 2 and 16 threads, and against tf.data that decodes and resizes the files in every
epoch, as `keras.utils.image_dataset_from_directory` does. One process, all ways in turn, each round
in another order, after a warm-up.

    python recipes/benchmarks/pipeline.py [--photos DIR] [--rounds 5]

`--photos` is a folder of class folders; without it 2,000 JPEGs of 400 x 533 are made. Grain is no
dependency of kerascnn: `pip install grain`, or its rows are left out.
Why `PyDataset`: it is no slower than Grain (recipes/RESULTS.md), needs no other package, and `fit`
knows how many batches an epoch has.
Writes recipes/results/pipeline.json; `--quick` reads 96 small photos once.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np
from PIL import Image

import kerascnn as kc

RESULTS = Path(__file__).parents[1] / "results" / "pipeline.json"
BATCH = 32
OURS = "kerascnn `Split`"
THREADS = (0, 2, 16)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    count, size, rounds = (96, 64, 1) if args.quick else (2000, 224, args.rounds)
    with tempfile.TemporaryDirectory() as work:
        photos = args.photos or make_photos(Path(work) / "photos", count)
        os.environ["KERASCNN_CACHE"] = str(Path(work) / "cache")
        data = kc.data.from_directory(photos, size, batch_size=BATCH, splits=(1, 0, 0))
        ways = make_ways(data.train, photos, size)
        result = summarise(measure(ways, data.train.num_photos, rounds), data.train.num_photos)
    print(result["table"])
    if not args.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def make_photos(folder, count, size=(400, 533)):
    """JPEGs of the size and weight of photos: smooth shapes with some grain."""
    draw = np.random.default_rng(0)
    for i in range(count):
        path = folder / f"class{i % 2}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        shapes = Image.fromarray(draw.integers(256, size=(9, 12, 3), dtype="uint8"))
        pixels = np.asarray(shapes.resize(size[::-1], Image.Resampling.BICUBIC), np.int16)
        grain = draw.integers(-9, 10, size=(*size, 1))
        Image.fromarray(np.clip(pixels + grain, 0, 255).astype("uint8")).save(path, quality=90)
    return folder


# --- ways to read an epoch: functions of its number that yield (images, labels) --------------


def make_ways(split, photos, size):
    ways = {OURS: lambda epoch: (split.batch(epoch, i) for i in range(split.num_batches))}
    try:
        import grain
    except ImportError:
        print("Grain is not installed; its rows are left out (pip install grain).")
    else:
        for threads in THREADS:
            ways[f"Grain, {threads} threads"] = grain_way(grain, split, threads)
    ways["tf.data, decoding"] = tf_data_way(split, photos, size)
    return ways


def grain_way(grain, split, threads):
    """The same rows of the same store, shuffled, batched and converted by Grain."""
    decoder = split.decoder
    store = kc.data.RowStore(kc.data.cache_folder() / decoder.key, decoder.shape, "uint8")
    rows_of = store.find(split.digests)

    class Source:
        def __len__(self):
            return split.num_photos

        def __getitem__(self, index):
            return store.read([rows_of[index]])[0], split.labels[index]

    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)

    def epoch_of(epoch):
        rows = grain.MapDataset.source(Source()).seed(epoch).shuffle()
        batches = rows.batch(BATCH).map(lambda batch: (batch[0].astype(np.float32), batch[1]))
        return batches.to_iter_dataset(options)

    return epoch_of


def tf_data_way(split, photos, size):
    """What `image_dataset_from_directory` builds, in the photos' order of an epoch."""
    import tensorflow as tf

    def decode(path, label):
        image = tf.io.decode_image(tf.io.read_file(path), 3, expand_animations=False)
        return tf.image.resize(image, (size, size)), label

    files = [str(Path(photos) / path) for path in split.paths]

    def epoch_of(epoch):
        pairs = tf.data.Dataset.from_tensor_slices((files, split.labels))
        pairs = pairs.shuffle(len(files), seed=epoch)
        images = pairs.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        return images.batch(BATCH).prefetch(tf.data.AUTOTUNE).as_numpy_iterator()

    return epoch_of


# --- measuring -------------------------------------------------------------------------------


def measure(ways, num_photos, rounds):
    """{way: images per second of each round}; the first round is thrown away."""
    speeds = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            start = time.perf_counter()
            batches = [check(*batch) for batch in ways[name](number)]
            seconds = time.perf_counter() - start
            assert sum(batches) == num_photos, f"{name} read {sum(batches)} photos"
            if number:
                speeds[name].append(num_photos / seconds)
    return speeds


def check(images, labels):
    """How many photos a batch has; it is float32 and its last pixel was really read."""
    assert images.dtype == np.float32 and np.isfinite(images[-1, -1, -1, -1])
    return len(labels)


def summarise(speeds, num_photos):
    rows = []
    for name, found in speeds.items():
        ratios = [other / ours for other, ours in zip(found, speeds[OURS])]
        row = {"way": name, "ratio": statistics.median(ratios)}
        row |= {"lowest": min(ratios), "highest": max(ratios), "images_per_second": found}
        rows.append(row)
    lines = ["| reading an epoch | speed, kerascnn = 1 (spread) |", "|---|---|"]
    for row in rows:
        spread = f"({row['lowest']:.2f}-{row['highest']:.2f})"
        lines.append(f"| {row['way']} | {row['ratio']:.2f} {spread} |")
    rounds = len(speeds[OURS])
    found = versions()
    lines += [
        "",
        f"{num_photos:,} photos, batches of {BATCH}; median and spread of {rounds} rounds. "
        + ", ".join(f"{name} {version}" for name, version in found.items())
        + ". Command: `python recipes/benchmarks/pipeline.py`.",
    ]
    return {
        "photos": num_photos,
        "rounds": rounds,
        "rows": rows,
        "versions": found,
        "table": "\n".join(lines),
    }


def versions():
    found = {"cores": os.cpu_count(), "Python": platform.python_version()}
    for name in ("kerascnn", "keras", "tensorflow", "grain", "numpy", "pillow"):
        try:
            found[name] = kc.__version__ if name == "kerascnn" else metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
