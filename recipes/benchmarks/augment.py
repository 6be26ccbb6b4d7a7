"""How many photos of 224 x 224 does one core augment in a second?

The common chain (mirror, turn, shift, zoom, colour jitter) of kerascnn against the same chain of
Keras layers in a `tf.data` map of batches, and of Albumentations; RandAugment against Keras's,
mapped per image, since it draws its operations once per batch; and every operation of
`kerascnn.augment` alone. One process pinned to one core, batches of 32 uint8 photos already in
memory, all ways in turn, each round in another order, after a warm-up.

    pip install ".[benchmark]"                      (for Albumentations, or its row is left out)
    python recipes/benchmarks/augment.py [--photos DIR] [--rounds 5]

`--photos` is a folder of class folders; without it photos are made. Asked: the chain at least 4
times as fast as Keras's and 0.8 times as fast as Albumentations', RandAugment 5 times as fast as
Keras's, and each operation but elastic ones and superpixels above 150 photos a second (an absolute
figure, so it says nothing of another machine). Writes recipes/results/augment.json; `--quick` reads
few small photos once and writes nothing.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from pipeline import make_photos  # beside this file
from transfer import versions  # beside this file

import kerascnn as kc
from kerascnn import augment

RESULTS = Path(__file__).parents[1] / "results" / "augment.json"
BATCH = 32
OURS, KERAS, ALBUMENTATIONS = "kerascnn", "Keras layers in `tf.data`", "Albumentations"
TURN, SHIFT, ZOOM, COLOR = 15, 0.1, 0.1, 0.2
COLOR_RANGE = (1 - COLOR, 1 + COLOR)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=4, help="of 32 photos, in each measurement")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before the backend starts threads
    if args.quick:
        args.rounds, args.batches = 1, 1
    size = 32 if args.quick else 224
    photos = read_photos(args, size)
    groups = {"chain": chains(), "RandAugment": rand_augments()}
    result = {"rounds": args.rounds, "photos": len(photos), "size": size, "versions": versions()}
    for name, ways in groups.items():
        result[name] = compared(measure(ways, photos, args.rounds))
        print(table(name, result[name]))
    speeds = measure(single_operations(size), photos, args.rounds)
    result["single"] = {name: statistics.median(found) for name, found in speeds.items()}
    for name, speed in sorted(result["single"].items(), key=lambda row: row[1]):
        print(f"{name:38} {speed:8,.0f} photos a second")
    if not args.quick:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def read_photos(args, size):
    """uint8 (N, size, size, 3)."""
    count = BATCH * args.batches
    with tempfile.TemporaryDirectory() as work:
        os.environ["KERASCNN_CACHE"] = f"{work}/cache"
        folder = args.photos or make_photos(Path(work) / "photos", count)
        data = kc.data.from_directory(folder, size, splits=(1, 0, 0), progress=False)
        return data.train.images(np.arange(count) % data.train.num_photos)


# --- ways: functions (photos, number of the epoch) that return the augmented photos' number ----


def chains():
    affine = augment.RandomAffine("horizontal", rotation=TURN, shift=SHIFT, zoom=ZOOM)
    jitter = augment.ColorJitter(COLOR, COLOR, COLOR)
    layers = keras.layers
    theirs = [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(TURN / 360),
        layers.RandomTranslation(SHIFT, SHIFT),
        layers.RandomZoom(ZOOM),
        layers.RandomColorJitter(
            value_range=(0, 255),
            brightness_factor=COLOR,
            contrast_factor=COLOR,
            saturation_factor=COLOR,
        ),
    ]
    ways = {OURS: ours([affine, jitter]), KERAS: mapped(theirs, BATCH)}
    try:
        import albumentations as A
    except ImportError:
        print("Albumentations is not installed; its row is left out.")
        return ways
    shift = {"x": (-SHIFT, SHIFT), "y": (-SHIFT, SHIFT)}
    chain = A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            A.Affine(
                rotate=(-TURN, TURN),
                translate_percent=shift,
                scale=(1 - ZOOM, 1 + ZOOM),
                border_mode=2,  # cv2.BORDER_REFLECT
                p=1,
            ),
            A.ColorJitter(COLOR_RANGE, COLOR_RANGE, COLOR_RANGE, (0, 0), p=1),
        ]
    )

    def albumentations(photos, epoch):
        return len([chain(image=photo)["image"] for photo in photos])

    return ways | {ALBUMENTATIONS: albumentations}


def rand_augments():
    return {
        OURS: ours([augment.RandAugment()]),
        KERAS: mapped([keras.layers.RandAugment(value_range=(0, 255))], None),
    }


def ours(layers):
    def way(photos, epoch):
        count = 0
        for start in range(0, len(photos), BATCH):
            batch = photos[start : start + BATCH]
            seeds = augment.seeds(0, epoch, np.arange(start, start + len(batch)))
            for layer in layers:
                batch = layer.augment_numpy(batch, seeds)
            count += len(batch)
        return count

    return way


def mapped(layers, batch):
    """Keras's layers in a map of batches, or of single photos that are batched then."""
    import tensorflow as tf

    def change(images):
        images = tf.cast(images, tf.float32)
        for layer in layers:
            images = layer(images, training=True)
        return images

    def way(photos, epoch):
        key = id(photos)
        if key not in built:
            rows = tf.data.Dataset.from_tensor_slices(photos)
            rows = rows.batch(batch).map(change) if batch else rows.map(change).batch(BATCH)
            built[key] = rows.prefetch(1)
        return sum(len(images) for images in built[key])

    built = {}
    return way


def single_operations(size):
    """Every layer of `kerascnn.augment`, and Keras's others; defaults where they do anything."""
    special = {
        "AreaCrop": {"size": size},
        "ScaleJitter": {"size": size},
        "RandomAffine": {"flip": "horizontal", "rotation": TURN, "shift": SHIFT, "zoom": ZOOM},
    }
    left_out = {"ImageAugmentation", "Sequence", "OneOf", "RandomApply", "CutMoveBlend"}
    ways = {}
    for name in augment.__all__:
        layer = getattr(augment, name)
        if not isinstance(layer, type) or name in left_out:
            continue
        if issubclass(layer, augment.ImageAugmentation):
            ways[name] = ours([layer(**special.get(name, {}))])
    theirs = [
        keras.layers.RandomElasticTransform(),
        keras.layers.RandomErasing(),
        keras.layers.RandomGaussianBlur(),
        keras.layers.RandomGrayscale(),
        keras.layers.RandomInvert(),
        keras.layers.RandomPerspective(),
        keras.layers.RandomSharpness(0.5),
    ]
    return ways | {f"keras.layers.{type(layer).__name__}": called(layer) for layer in theirs}


def called(layer):
    """A layer of Keras on batches, as `split.augment` calls it."""

    def way(photos, epoch):
        batches = [photos[i : i + BATCH].astype("float32") for i in range(0, len(photos), BATCH)]
        return sum(len(np.asarray(layer(batch, training=True))) for batch in batches)

    return way


# --- measuring -------------------------------------------------------------------------------


def measure(ways, photos, rounds):
    """{way: photos per second of each round}; the first round is thrown away."""
    speeds = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            start = time.perf_counter()
            count = ways[name](photos, number)
            seconds = time.perf_counter() - start
            assert count == len(photos), f"{name} made {count} photos"
            if number:
                speeds[name].append(count / seconds)
    return speeds


def compared(speeds):
    """Rows: how many times as fast as the others kerascnn is."""
    rows = []
    for name, found in speeds.items():
        ratios = [ours / other for ours, other in zip(speeds[OURS], found)]
        row = {"way": name, "ratio": statistics.median(ratios)}
        row |= {"lowest": min(ratios), "highest": max(ratios), "images_per_second": found}
        rows.append(row)
    return rows


def table(title, rows):
    lines = [title]
    for row in rows:
        spread = f"({row['lowest']:.2f}-{row['highest']:.2f})"
        speed = statistics.median(row["images_per_second"])
        lines.append(
            f"  {row['way']:26} kerascnn is {row['ratio']:6.2f} {spread} times as fast; "
            f"{speed:,.0f} photos a second"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
