"""Make what kerascnn and its tests hold as data.

    python recipes/make_goldens.py models      # kerascnn/overview/counts.json, 4 minutes
    python recipes/make_goldens.py backbones   # kerascnn/transfer/backbones.json, 3 minutes
    python recipes/make_goldens.py own         # its rows of networks whose weights are packaged
    python recipes/make_goldens.py names       # tests/golden/layer_names.json, 2 minutes
    python recipes/make_goldens.py imagenet    # tests/golden/backbones_imagenet.json, 1 minute

`models`, `backbones` and `names` build every network once. `imagenet` predicts photos with real
weights, with nothing but `keras.applications` and its `preprocess_input`; it needs the test data in
../shared or in $KERASCNN_TEST_DATA.
"""

import csv
import dataclasses
import inspect
import json
import os
import re
import runpy
import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("KERASCNN_TEST_DATA") or ROOT.parent / "shared")
BACKBONES = ROOT / "kerascnn" / "transfer" / "backbones.json"
COUNTS = ROOT / "kerascnn" / "overview" / "counts.json"
LAYER_NAMES = ROOT / "tests" / "golden" / "layer_names.json"
IMAGENET = ROOT / "tests" / "golden" / "backbones_imagenet.json"

NETWORKS = [  # builder, module, options, size, file of the weights
    ("MobileNetV2", "mobilenet_v2", {}, 224, "mobilenet_v2_1.0_224.weights.h5"),
    ("MobileNet", "mobilenet", {"alpha": 0.25}, 128, "mobilenet_0.25_128.weights.h5"),
]


def builders():
    """name -> (family, builder) for all of keras.applications; the family names the module."""
    found = inspect.getmembers(keras.applications, inspect.isfunction)
    return {name: (builder.__module__.rsplit(".", 1)[-1], builder) for name, builder in found}


def regime(module):
    """Which preprocessing `module.preprocess_input` does, found by what it makes of a pixel."""
    preprocess = keras.applications.imagenet_utils.preprocess_input
    x = np.array([[[[10.0, 20.0, 40.0]]]], "float32")
    y = module.preprocess_input(x.copy())
    for mode in ("tf", "torch", "caffe"):
        if np.array_equal(y, preprocess(x.copy(), mode=mode)):
            return mode
    assert np.array_equal(x, y)
    return "none"


def row(name, family, builder):
    """What backbones.json holds of one network of keras.applications."""
    full = builder(weights=None)
    image_size = full.input_shape[1] or 224  # MobileNetV3 says no size; its weights are for 224
    bare = builder(weights=None, include_top=False, input_shape=(image_size, image_size, 3))
    keras.backend.clear_session()
    return {
        "name": name,
        "family": family,
        "source": "keras.applications",
        "image_size": image_size,
        "channels": 3,
        "num_parameters": bare.count_params(),
        "preprocessing": regime(getattr(keras.applications, family)),
        "weights": ["imagenet"],
    }


def own_row(name):
    """The same of a builder of kerascnn.models that has packaged weights."""
    import kerascnn as kc

    builder, names = getattr(kc.models, name), packaged(name)
    entry = kc.weights.entry(name, names[0])
    return {
        "name": name,
        "family": builder.__module__.rsplit(".", 1)[-1],
        "source": "kerascnn",
        "image_size": entry["image_size"],
        "channels": entry["channels"],
        "num_parameters": builder(include_top=False).count_params(),
        "preprocessing": "rescaling",
        "weights": names,
    }


def packaged(name):
    """The weights of a builder that come with kerascnn."""
    import kerascnn as kc

    return [w for w in kc.weights.names(name) if "url" not in kc.weights.entry(name, w)]


def own_names():
    import kerascnn as kc

    return [name for name in kc.models.__all__ if packaged(name)]


def make_backbones():
    write_backbones([row(name, *found) for name, found in builders().items()])


def make_own():
    rows = json.loads(BACKBONES.read_text("utf-8"))
    write_backbones([row for row in rows if row["source"] == "keras.applications"])


def write_backbones(rows):
    """The rows of keras.applications and our own."""
    rows = rows + [own_row(name) for name in own_names()]
    smallest = {}
    for r in rows:
        smallest[r["family"]] = min(r["num_parameters"], smallest.get(r["family"], np.inf))
    rows.sort(key=lambda r: (smallest[r["family"]], r["family"], r["num_parameters"]))
    write(BACKBONES, rows)


UNNAMED = ["WideBottleneckResNet"]  # a family whose member is called otherwise
FAMILIES = [  # the modules of kerascnn.models, oldest paper first
    *("lenet", "alexnet", "zfnet", "vgg", "googlenet", "resnet", "cifar_resnet"),
    *("wide_resnet", "resnext", "stochastic_depth", "fractalnet"),
]


def all_builders():
    """(source, name) -> builder of every network that has a name of its own."""
    import kerascnn as kc

    own = {name: getattr(kc.models, name) for name in kc.models.__all__ if is_network(name)}
    found = {("kerascnn", name): own[name] for name in sorted(own, key=place)}
    names = [row["name"] for row in json.loads(BACKBONES.read_text("utf-8"))]
    theirs = builders()
    return found | {("keras.applications", n): theirs[n][1] for n in names if n in theirs}


def is_network(name):
    """Not a function such as `extract_column`, nor the family of others: VGG of VGG11."""
    import kerascnn as kc

    members = [other for other in kc.models.__all__ if re.match(rf"{name}\d", other)]
    return name[0].isupper() and not (members and name.isalpha()) and name not in UNNAMED


def place(name):
    """Families by their papers; in a family by the numbers of the name."""
    import kerascnn as kc

    family = getattr(kc.models, name).__module__.rsplit(".", 1)[-1]
    kind, *numbers = re.split(r"(\d+)", name)
    return FAMILIES.index(family), kind, [int(n) for n in numbers if n.isdigit()], name


def count_row(source, name, builder):
    """What counts.json holds of a network. Its weights get shapes and no values: nothing is big."""
    from kerascnn.overview.rows import count

    with keras.StatelessScope(initialize_variables=False):
        model = builder(weights=None)
    keras.utils.clear_session(free_memory=False)  # forget that the weights wait for values
    channels = model.input_shape[-1]
    size = model.input_shape[1] or 224  # MobileNetV3 says no size; its weights are for 224
    row = dataclasses.asdict(count(model, source, name, (size, size, channels)))
    return {key: value for key, value in row.items() if value is not None}


def make_models():
    rows = [count_row(*key, builder) for key, builder in all_builders().items()]
    write(COUNTS, rows)


def make_names():
    tables = runpy.run_path(ROOT / "tests" / "tables.py")
    own = {name: builder for (source, name), builder in all_builders().items() if "." not in source}
    told = {name: tables["told"](tables["without_memory"](b)) for name, b in own.items()}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in told.items())
    LAYER_NAMES.write_text(f"{{\n{lines}\n}}\n", "utf-8")


def write(path, rows):
    lines = ",\n".join("  " + json.dumps(r) for r in rows)
    path.write_text(f"[\n{lines}\n]\n", "utf-8")


def photos(folder, size):
    """The 100 photos (100, size, size, 3) uint8 and their classes (100,).

    Their shorter side is 256: it is halved while it stays above `size`, and the centre is cut out.
    Halving averages 2x2 pixels exactly, so that no resampling filter is part of the golden.
    """
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = []
    for r in rows:
        with Image.open(folder / r["file"]) as photo:
            photo = photo.convert("RGB")
        if min(photo.size) >= 2 * size:
            photo = photo.reduce(2)
        left, top = (photo.width - size) // 2, (photo.height - size) // 2
        images.append(np.asarray(photo.crop((left, top, left + size, top + size))))
    return np.stack(images), np.array([int(r["index"]) for r in rows])


def golden(name, module, options, size, file):
    """The top three of every tenth photo, and the share of all whose label is the first."""
    images, labels = photos(DATA / "data" / "imagenet_sample100", size)
    builder, module = getattr(keras.applications, name), getattr(keras.applications, module)
    network = builder(weights=DATA / "weights" / file, input_shape=(size, size, 3), **options)
    scores = network.predict(module.preprocess_input(images.astype("float32")), verbose=0)
    top3 = np.argsort(-scores, axis=1)[::10, :3]
    return {
        "name": name,
        "options": options | {"image_size": size},
        "weights": file,
        "top1_share": float(np.mean(scores.argmax(1) == labels)),
        "photos": list(range(0, 100, 10)),
        "classes": top3.tolist(),
        "probabilities": np.take_along_axis(scores[::10], top3, 1).round(7).tolist(),
    }


def make_imagenet():
    IMAGENET.parent.mkdir(exist_ok=True)
    write(IMAGENET, [golden(*network) for network in NETWORKS])


if __name__ == "__main__":
    jobs = {
        "models": make_models,
        "backbones": make_backbones,
        "own": make_own,
        "names": make_names,
        "imagenet": make_imagenet,
    }
    for job in sys.argv[1:] or jobs:
        jobs[job]()
