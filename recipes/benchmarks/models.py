"""Are our networks as fast as the same networks of keras.applications, and quick to build?

    python recipes/benchmarks/models.py [--rounds 9] [--only steps|depth]

steps: one forward pass and one training step of ours against `keras.applications` (ResNet-50 v1 and
VGG-16, 224x224) and against ResNet-20 written in plain Keras (32x32), two of each in one process,
interleaved, warm-up first. A ratio above 1 means that ours is faster.

depth: each in a process of its own: the time to build ResNet-110 and ResNet-1202 per layer, and to
load ResNet-1202 where kerascnn cannot be imported, all at Python's default recursion limit.

Writes recipes/results/models.json; `--quick` takes tiny inputs and depths and writes nothing.
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

from transfer import versions  # beside this file

RESULTS = Path(__file__).parents[1] / "results" / "models.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=["steps", "depth"])
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    rounds = 1 if args.quick else args.rounds
    result = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if args.only != "steps":
        result["depth"] = depth(*((8, 20) if args.quick else (110, 1202)), min(rounds, 3))
        print(
            "ResNet-{deep}: {build:.2f} x the time a layer of ResNet-{shallow} to build, "
            "{save:.2f} and {load:.2f} x its own build time to save and load".format(
                **result["depth"]
            )
        )
    if args.only != "depth":
        result["steps"] = [steps(*row, rounds) for row in networks(args.quick)]
        for row in result["steps"]:
            print("{network}, {what}: {ratio:.3f} ({lowest:.3f}-{highest:.3f})".format(**row))
    result["versions"] = versions()
    if not args.quick:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


# --- steps -------------------------------------------------------------------------------------


def networks(quick):
    """(name, ours, the other, batch of images, what is timed)."""
    import keras
    import numpy as np

    import kerascnn as kc

    side, batch, many = (32, 2, 4) if quick else (224, 8, 128)
    photos = np.random.default_rng(0).normal(size=(batch, side, side, 3)).astype("float32")
    small = np.random.default_rng(0).normal(size=(many, 32, 32, 3)).astype("float32")
    options = {"weights": None, "input_shape": (side, side, 3)}
    pairs = [
        (
            "ResNet-50 v1",
            lambda: kc.models.ResNet50(variant="v1", **options),
            lambda: keras.applications.ResNet50(**options),
            photos,
        ),
        (
            "VGG-16",
            lambda: kc.models.VGG16(**options),
            lambda: keras.applications.VGG16(**options),
            photos,
        ),
        ("ResNet-20, option B", lambda: kc.models.CifarResNet20(shortcut="B"), plain20, small),
    ]
    for name, ours, other, images in pairs:
        for what in ("forward pass", "training step"):
            yield name, ours, other, images, what


def plain20():
    """ResNet-20 with projections as one would write it in plain Keras."""
    import keras
    from keras import layers

    def conv_bn(x, filters, size, stride):
        x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(conv_bn(inputs, 16, 3, 1))
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if stage and not block else 1
            y = layers.ReLU()(conv_bn(x, filters, 3, stride))
            y = conv_bn(y, filters, 3, 1)
            if stride == 2:
                x = conv_bn(x, filters, 1, stride)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, "softmax")(x))


def steps(name, ours, other, images, what, rounds):
    import keras
    import numpy as np

    labels = np.zeros(len(images), "int32")
    # Two of each, since of two equal models one is up to 4 % faster, by its place in memory.
    calls = [step(build(), images, labels, what) for build in (ours, other, other, ours)]
    for call in calls * 2:  # trace and warm up
        call()
    repeats = max(1, round(1 / timed(calls[1], 1))) if rounds > 1 else 1
    ratios = []
    for i in range(rounds):
        order = (0, 1, 2, 3) if i % 2 else (3, 2, 1, 0)
        seconds = {which: timed(calls[which], repeats) for which in order}
        ratios.append((seconds[1] + seconds[2]) / (seconds[0] + seconds[3]))
    keras.utils.clear_session()
    return {
        "network": name,
        "what": what,
        "batch": len(images),
        "rounds": rounds,
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def step(model, images, labels, what):
    """A function that does one forward pass or one training step."""
    model.compile("sgd", "sparse_categorical_crossentropy")
    if what == "training step":
        return lambda: model.train_on_batch(images, labels)
    return lambda: model.predict_on_batch(images)


def timed(call, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return time.perf_counter() - start


# --- depth -------------------------------------------------------------------------------------

BUILD = """
import sys, time, keras
import kerascnn as kc
assert sys.getrecursionlimit() == 1000
path, *depths = sys.argv[1:]
kc.models.CifarResNet(depth=8)  # what a first network pays
for depth in map(int, depths):
    start = time.perf_counter()
    model = kc.models.CifarResNet(depth=depth)
    print(time.perf_counter() - start)
start = time.perf_counter()
model.save(path)
print(time.perf_counter() - start)
"""
LOAD = """
import sys, time
sys.modules["kerascnn"] = None
import keras
assert sys.getrecursionlimit() == 1000
start = time.perf_counter()
keras.models.load_model(sys.argv[1])
print(time.perf_counter() - start)
"""


def depth(shallow, deep, rounds):
    """Medians over rounds: build time a layer, deep over shallow; save and load over build."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.keras"
        for _ in range(rounds):
            first, second, save = seconds(BUILD, path, shallow, deep)
            (load,) = seconds(LOAD, path)
            rows.append((second / first / (deep / shallow), save / second, load / second))
    build, save, load = (statistics.median(column) for column in zip(*rows))
    return {
        "shallow": shallow,
        "deep": deep,
        "rounds": rounds,
        "build": build,
        "save": save,
        "load": load,
    }


def seconds(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [float(line) for line in output.stdout.split()]


if __name__ == "__main__":
    main()
