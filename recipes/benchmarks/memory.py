"""Does memory stay flat: while the number of photos grows, and from fit to fit?

    python recipes/benchmarks/memory.py [--only photos|fits|search]

photos: whole processes on 2,000 and on 20,000 synthetic photos, and their peak anonymous memory:
what the process itself holds; pages of files, which the system may drop, do not count. Nothing is
subtracted: TensorFlow itself and what is kept of each photo (path, label, hash) are in it. Both
fine-tune for as many steps (10 epochs and 1), since the memory allocator needs some hundred steps
of any training to reach its size.

fits: anonymous memory of one process after 10 and after 50 fine-tunings (partial and full stage,
MobileNet 0.25), and after 10 and 50 trials of Keras Tuner, whose models (ResNet-8) are
`kerascnn.releasable` or as Keras leaves them.

search: anonymous memory of the process that searches, after 10 and after 30 trials of
`kerascnn.search.Tuner` (LeNet-5), which run in its worker; and of the same with `isolate=False`.

Random weights, so that nothing is downloaded. Writes recipes/results/memory.json; `--quick`
compares 60 and 240 photos, 2 and 4 fits or trials, and writes nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from transfer import versions  # beside this file

RESULTS = Path(__file__).parents[1] / "results" / "memory.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["photos", "fits", "search"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--process", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.process:
        PROCESSES[args.process[0]](args.process[1])
        return
    result = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if args.only in (None, "photos"):
        result["photos"] = photos(*((60, 240) if args.quick else (2_000, 20_000)))
    if args.only in (None, "fits"):
        result["fits"] = fits(FITS, *((2, 4) if args.quick else (10, 50)))
    if args.only in (None, "search"):
        result["search"] = fits(SEARCHES, *((2, 4) if args.quick else (10, 30)))
    result["versions"] = versions()
    if not args.quick:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def row(what, numbers, sizes):
    """One line of the result, which is also printed."""
    ratio = sizes[1] / sizes[0]
    shown = " and ".join(f"{size / 1e6:,.0f} MB at {n:,}" for n, size in zip(numbers, sizes))
    print(f"{what}: {shown}, ratio {ratio:.3f}", flush=True)
    return {"what": what, "numbers": numbers, "bytes": sizes, "ratio": ratio}


# --- photos ------------------------------------------------------------------------------------


def photos(*counts):
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            make_photos(Path(folder, str(count)), count)
        return [
            row(what, counts, [peak(way, Path(folder, str(n)), counts[1] // n) for n in counts])
            for what, way in WAYS.items()
        ]


def make_photos(folder, count):
    """Noisy coloured photos of 300x400 pixels in four classes."""
    for i in range(count):
        rng = np.random.default_rng(i)
        path = folder / f"class{i % 4}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        small[..., i % 3] //= 1 + i % 4
        Image.fromarray(small).resize((400, 300)).save(path, quality=80)


def finetune(size, strategy):
    """The command, with the network's defaults but for its size."""
    options = f"--weights none --image-size {size} --strategy {strategy} --epochs EPOCHS"
    return f"-m kerascnn --quiet finetune PHOTOS --output run {options}"


WAYS = {
    "pooled features, 128 px": "-m kerascnn --quiet extract PHOTOS --output features.npz "
    "--weights none --image-size 128",
    "features of block_12_add, 128 px": "THIS_FILE --process boundary PHOTOS",
    "finetune --strategy probe, 128 px": finetune(128, "probe"),
    "finetune --strategy partial, 64 px": finetune(64, "partial"),
    "finetune --strategy full, 64 px": finetune(64, "full"),
}


def peak(way, photos, epochs):
    """Peak anonymous memory in bytes of a process that starts with an empty cache."""
    values = {"PHOTOS": str(photos), "EPOCHS": str(epochs), "THIS_FILE": __file__}
    with tempfile.TemporaryDirectory() as work:
        environment = os.environ | {"KERASCNN_CACHE": f"{work}/cache", "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, *(values.get(word, word) for word in way.split())]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, cwd=work)
        highest = watch(process)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return highest


def watch(process):
    """Peak anonymous memory of a process in bytes, looked at every 20 ms."""
    highest = 0

    def look():
        nonlocal highest
        while process.poll() is None:
            highest = max(highest, anonymous(process.pid))
            time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    process.wait()
    thread.join()
    return highest


def anonymous(process_id="self"):
    """Anonymous memory of a process in bytes, 0 if it has just ended."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if "RssAnon" in line), 0)


def boundary(folder):
    """Feature maps (8, 8, 96) of all photos, kept on disk."""
    import kerascnn as kc

    data = kc.data.from_directory(folder, 128, progress=False)
    network = kc.transfer.backbone("MobileNetV2", None, image_size=128)
    extract = kc.transfer.FeatureExtractor(network, "block_12_add", pooling=None)
    for split in (data.train, data.validation, data.test):
        extract(split, progress=False)


# --- fits --------------------------------------------------------------------------------------


def fits(ways, *numbers):
    return [row(what, numbers, after_fits(name, numbers)) for what, name in ways.items()]


FITS = {
    "fine-tunings": "finetunings",
    "trials of Keras Tuner": "trials",
    "trials without `releasable`": "plain_trials",
}

SEARCHES = {
    "trials in the worker of a search": "search",
    "trials of a search in its process": "search_here",
}


def after_fits(name, numbers):
    """Anonymous memory in bytes after so many fits in one process: the most of the last five,
    since what is collected and when is up to Python."""
    with tempfile.TemporaryDirectory() as work:
        environment = os.environ | {"KERASCNN_CACHE": f"{work}/cache", "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, __file__, "--process", name, str(max(numbers))]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, cwd=work, check=True
        )
    sizes = [int(line.split()[1]) for line in done.stdout.splitlines() if line[:5] == "bytes"]
    return [max(sizes[:number][-5:]) for number in numbers]


def finetunings(number):
    import kerascnn as kc

    data = kc.data.from_arrays(*drawn(120, 64))
    for _ in range(int(number)):
        network = kc.transfer.backbone("MobileNet", None, image_size=64, alpha=0.25)
        kc.transfer.finetune(data, network, "full", epochs=1, verbose=False)
        print("bytes", anonymous(), flush=True)


def trials(number, prepare=None):
    import keras
    import keras_tuner

    import kerascnn as kc

    images, labels = drawn(120, 32)
    prepare = prepare or kc.releasable

    def build(hyperparameters):
        model = kc.models.CifarResNet(depth=8, classes=4)
        rate = hyperparameters.Float("learning_rate", 1e-4, 1e-1, sampling="log")
        model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
        return prepare(model)

    class Say(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            print("\nbytes", anonymous(), flush=True)

    tuner = keras_tuner.RandomSearch(build, "val_loss", max_trials=int(number), directory="tuner")
    held = images[:40].astype("float32"), labels[:40]
    tuner.search(
        images[40:].astype("float32"), labels[40:],
        validation_data=held, callbacks=[Say()], verbose=0,
    )  # fmt: skip


def plain_trials(number):
    trials(number, lambda model: model)


def search(number, isolate=True):
    import keras

    import kerascnn as kc

    images, labels = drawn(120, 32)

    def build(hyperparameters):
        model = kc.models.LeNet5(input_shape=(32, 32, 3), classes=4)
        rate = hyperparameters.Float("learning_rate", 1e-4, 1e-1, sampling="log")
        model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
        return model

    class Watched(kc.search.Tuner):
        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            print("bytes", anonymous(), flush=True)

    options = {"objective": "val_loss", "max_trials": int(number), "verbose": False}
    tuner = Watched(build, "search", isolate=isolate, **options)
    tuner.search(images[40:], labels[40:], validation_data=(images[:40], labels[:40]))


def search_here(number):
    search(number, isolate=False)


def drawn(count, side):
    """Noise in four classes of different brightness: uint8 (count, side, side, 3), labels."""
    labels = np.arange(count) % 4
    noise = np.random.default_rng(0).integers(0, 64, (count, side, side, 3))
    return (noise + 60 * labels[:, None, None, None]).astype(np.uint8), labels


PROCESSES = {
    "boundary": boundary,
    "finetunings": finetunings,
    "trials": trials,
    "plain_trials": plain_trials,
    "search": search,
    "search_here": search_here,
}


if __name__ == "__main__":
    main()
