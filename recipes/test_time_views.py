"""What views at test time gain: mirror images, 10 crops, 144 crops, whole photos at three scales.

    python recipes/test_time_views.py photos/ --weights mobilenet_0.25_128_notop.weights.h5

The papers, on ImageNet: GoogLeNet (Szegedy et al. 2015, arXiv:1409.4842, Table 3) has a top-5 error
of 10.07 % with one crop, 9.15 % with 10, 7.89 % with 144; VGG-16 (Simonyan and Zisserman 2015,
arXiv:1409.1556, Tables 3 and 4, scale jittering) 8.1 % at one scale and 7.5 % at three, dense.
Ours: recipes/RESULTS.md.

A quarter of MobileNet at 128x128 with ImageNet weights and a linear classifier trained on the
centre squares of the training photos. Every row is the same network on the same test photos, so
gains are paired: the interval is a bootstrap over photos. Pixels are those that go through the
network, for each photo, in centre squares. It writes test_time_views.json to recipes/results; with
--quick: few photos, nothing written.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from benchmarks.transfer import bootstrap, versions  # beside this file
from PIL import Image
from scipy.stats import binomtest

import kerascnn as kc
from kerascnn._runs import write_json

SIZE = 128
SCALES = (SIZE, round(SIZE * 8 / 7), round(SIZE * 9 / 7))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", required=True, help="of MobileNet 0.25 at 128, without top")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    data = kc.data.from_directory(args.photos, SIZE, resize="crop")
    model = trained(data, args.weights)
    keep = np.linspace(0, len(data.test.labels) - 1, 2).astype(int) if args.quick else slice(None)
    paths = [args.photos / path for path in np.array(data.test.paths)[keep]]
    labels = np.array(data.test.labels)[keep]
    rows, base = [], None
    for name, pixels, predict in kinds(model):
        correct = (predict(paths).argmax(axis=1) == labels).astype(float)
        base = correct if base is None else base
        rows.append(row(name, pixels(paths), correct, base))
        print("{views}: {accuracy:.1%}, gain {gain:+.1f} points".format(**rows[-1]), flush=True)
    if not args.quick:
        result = {"rows": rows, "photos": len(labels), "versions": versions()}
        write_json(Path(__file__).parent / "results" / "test_time_views.json", result)


def trained(data, weights):
    """Frozen network and linear classifier as one model."""
    network = kc.transfer.backbone("MobileNet", weights, image_size=SIZE, alpha=0.25)
    train, held = (kc.transfer.extract_features(network, s) for s in (data.train, data.validation))
    probe = kc.transfer.fit_probe(train, data.train.labels, (held, data.validation.labels))
    head = keras.layers.Dense(len(data.class_names), "softmax", name="predictions")
    model = keras.Model(network.input, head(network.output))
    head.set_weights([probe.kernel, probe.bias])
    return model


def kinds(model):
    """(name, function (paths) -> pixels in centre squares, function (paths) -> probabilities)."""

    def crops(views):
        return lambda paths: kc.augment.predict_photos(model, paths, views)

    def centre(paths):
        squares = [kc.data.decode_file(path, SIZE, resize="crop") for path in paths]
        return model.predict(np.stack(squares), verbose=0)

    def dense(scales):
        return lambda paths: kc.augment.predict_dense(model, paths, scales)

    return [
        ("centre square", lambda paths: 1, centre),
        ("mirrored", lambda paths: 2, crops("flip")),
        ("10 crops", lambda paths: 10, crops("10-crop")),
        ("144 crops", lambda paths: 144, crops("144-crop")),
        ("whole photo, mirrored", lambda paths: area(paths, SCALES[:1]), dense(SCALES[:1])),
        ("whole photo, mirrored, 3 scales", lambda paths: area(paths, SCALES), dense(SCALES)),
    ]


def area(paths, scales):
    """Mean number of centre squares that photos and mirror images have at these scales."""
    aspects = []
    for path in paths:
        with Image.open(path) as photo:
            aspects.append(max(photo.size) / min(photo.size))
    return float(2 * np.mean(aspects) * sum((scale / SIZE) ** 2 for scale in scales))


def row(name, pixels, correct, base):
    interval = binomtest(int(correct.sum()), len(correct)).proportion_ci(method="wilson")
    gain, low, high = bootstrap(correct, base)
    return {
        "views": name, "pixels": pixels, "accuracy": float(correct.mean()),
        "lowest": float(interval.low), "highest": float(interval.high),
        "gain": gain, "gain_lowest": low, "gain_highest": high,
        "mended": int((correct > base).sum()), "broken": int((correct < base).sum()),
    }  # fmt: skip


if __name__ == "__main__":
    main()
