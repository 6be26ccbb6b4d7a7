"""Put weights that reproduce.py trained into the package, with what there is to know of them.

    python recipes/reproduce.py resnet20-tiny-imagenet32 --data DATA --weights new.weights.h5 \
        --results recipes/results/reproduce
    python recipes/pack_weights.py \
        recipes/results/reproduce/resnet20-tiny-imagenet32-full-0.json new.weights.h5 --data DATA

DATA is a local copy of Tiny-ImageNet at 32x32 pixels as JPEG bytes, with `wnids` and `class_names`.
The weights are measured again, on the validation images in float32, and refused if they are not
those of the result. What is written: the weights and their row of the manifest in kerascnn/weights,
and the network's row in kerascnn/transfer/backbones.json. About a minute on two CPU cores.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from experiments import EXPERIMENTS  # beside this file
from make_goldens import make_own  # beside this file
from on_device import model_of_numbers, standardizing  # beside this file
from small_images import tiny_imagenet  # beside this file

import kerascnn as kc
from kerascnn._runs import atomic_path
from kerascnn.weights import manifest

RESULTS = Path(__file__).resolve().parent / "results" / "reproduce"
TOLERANCE = 0.3  # points: what 16 bits in training may change
NAMES = {"Tiny-ImageNet 32x32": "tiny-imagenet32"}
TRAINED_ON = (
    "Tiny-ImageNet (Stanford CS231n) at 32x32 pixels: 100,000 images of ImageNet, 200 classes, "
    "which ImageNet gives out for non-commercial research and education"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", type=Path, help="the result file of the run")
    parser.add_argument("weights", type=Path, help="what its --weights wrote")
    parser.add_argument("--data", required=True, help="tiny_imagenet32_jpegbytes.npz")
    args = parser.parse_args()
    if args.result.resolve().parent != RESULTS:
        parser.error(f"the result must be published, a file in {RESULTS}: its name is packed too")
    for file in (args.result, args.weights, Path(args.data)):
        if not file.is_file():
            parser.error(f"there is no file {file}")
    try:
        row = pack(args.result, args.weights, args.data, manifest.FOLDER)
    except kc.InputError as error:
        sys.exit(str(error))
    manifest.entries.cache_clear()
    make_own()
    size = (manifest.FOLDER / row["file"]).stat().st_size
    print(f"{row['file']}: {size / 1e6:.2f} MB, accuracy {row['test_accuracy']:.2%}")


def pack(result_file, weights, data, folder):
    """Write the weights and their row into `folder`, which has a manifest.json; return the row."""
    result = json.loads(result_file.read_text("utf-8"))
    experiment = EXPERIMENTS[result["name"]]
    if experiment.data not in NAMES:
        sys.exit(f"{result['name']} is trained on {experiment.data}: no name for its weights.")
    network = getattr(kc.models, experiment.builder)(**experiment.options, weights=weights)
    (images, _), test = tiny_imagenet(data)
    scale, offset = (np.round(value, 7).tolist() for value in standardizing(images))
    error = measured(network, *test, scale, offset)
    if abs(error - result["error"]) > TOLERANCE:
        sys.exit(
            f"{weights} are not the weights of {result_file.name}: they leave {error:.2f} % of the "
            f"validation images wrong, and it says {result['error']:.2f} %."
        )
    file = f"{result['name'].replace('-', '_')}.weights.h5"
    row = {
        "model": experiment.builder,
        "name": NAMES[experiment.data],
        "file": file,
        "sha256": write(network, folder / file),
        "licence": "Apache-2.0",
        "image_size": images.shape[1],
        "channels": images.shape[-1],
        **classes(data),
        "preprocessing": {"channel_order": "RGB", "scale": scale, "offset": offset},
        "trained_on": TRAINED_ON,
        "test_accuracy": round(1 - error / 100, 4),
        "recipe": "recipes/reproduce.py",
        "result": f"recipes/results/reproduce/{result_file.name}",
    }
    add(row, folder / "manifest.json")
    return row


def measured(network, images, labels, scale, offset):
    """The error in %, of images as they are."""
    model = model_of_numbers(network, images, [], scale, offset)
    numbers = np.arange(len(images), dtype="int32")
    predicted = model.predict(numbers, batch_size=500, verbose=0).argmax(-1)
    return 100 * float(np.mean(predicted != labels))


def write(network, path):
    """The weights to `path`; their SHA-256."""
    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as partial:
        network.save_weights(Path(folder) / "new.weights.h5")  # Keras insists on such a name
        data = (Path(folder) / "new.weights.h5").read_bytes()
        partial.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def classes(data):
    """How many classes there are, their first English names and their WordNet identifiers."""
    with np.load(data) as file:
        names = [name.split(",")[0] for name in file["class_names"].tolist()]
        return {"classes": len(names), "class_names": names, "wnids": file["wnids"].tolist()}


def add(row, path):
    """Put the row into a manifest, for the one that it replaces; packaged weights come first."""
    key = row["model"], row["name"]
    rows = [
        old for old in json.loads(path.read_text("utf-8")) if key != (old["model"], old["name"])
    ]
    rows = sorted([*rows, row], key=lambda row: "url" in row)
    with atomic_path(path) as partial:
        partial.write_text("[\n" + ",\n".join(map(told, rows)) + "\n]\n", "utf-8")


def told(row):
    """A row as JSON, a line for each of its keys."""
    lines = [f"    {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in row.items()]
    return "  {\n" + ",\n".join(lines) + "\n  }"


if __name__ == "__main__":
    main()
