"""What views at test time gain: mirror images, 10 crops, 144 crops, whole photos at three scales.

    python recipes/test_time_views.py photos/ --weights mobilenet_0.25_128_notop.weights.h5

The papers, on ImageNet: GoogLeNet (Szegedy et al. 2015, arXiv:1409.4842, Table 3) has a top-5 error
of 10.07 % with one crop, 9.15 % with 10, 7.89 % with 144; VGG-16 (Simonyan and Zisserman 2015,
arXiv:1409.1556, Tables 3 and 4, scale jittering) 8.1 % at one scale and 7.5 % at three, dense.
Ours: recipes/RESULTS.md.

A quarter of MobileNet at 128x128 with ImageNet weights and two linear classifiers: one trained on
the centre squares of the training photos, one on ten crops of each, as networks of the papers are
trained on crops. Gains are over the one view that a classifier was trained for, on the same test
photos: the interval is a bootstrap over photos. Pixels are those that go through the network, for
each photo, in centre squares. It writes test_time_views.json to recipes/results; with --quick: few
photos, nothing written.
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
from kerascnn.augment._crops import ten_crop

SIZE = 128
SINGLE = {"squares": "centre square", "crops": "centre crop"}  # what was trained on: one view of it
SCALES = (SIZE, round(SIZE * 8 / 7), round(SIZE * 9 / 7))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", required=True, help="of MobileNet 0.25 at 128, without top")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    data = kc.data.from_directory(args.photos, SIZE, resize="crop")
    model = trained(data, args.photos, args.weights)
    keep = np.linspace(0, len(data.test.labels) - 1, 2).astype(int) if args.quick else slice(None)
    paths = [args.photos / path for path in np.array(data.test.paths)[keep]]
    labels = np.array(data.test.labels)[keep]
    hits, pixels = {}, {}
    for name, cost, predict in kinds(model):
        probabilities = predict(paths).reshape(len(paths), len(SINGLE), -1)
        correct = (probabilities.argmax(axis=2) == labels[:, None]).astype(float)
        hits |= {(trained_on, name): correct[:, i] for i, trained_on in enumerate(SINGLE)}
        pixels[name] = cost(paths)
    rows = [
        row(trained_on, name, pixels[name], correct, hits[trained_on, SINGLE[trained_on]])
        for (trained_on, name), correct in sorted(hits.items(), key=lambda hit: hit[0][0])
    ]
    for one in rows:
        print("{trained_on}, {views}: {accuracy:.1%}, gain {gain:+.1f} points".format(**one))
    if not args.quick:
        result = {"rows": rows, "photos": len(labels), "versions": versions()}
        write_json(Path(__file__).parent / "results" / "test_time_views.json", result)


def trained(data, photos, weights):
    """Frozen network and both linear classifiers as one model, (N, 2 * classes)."""
    network = kc.transfer.backbone("MobileNet", weights, image_size=SIZE, alpha=0.25)
    outputs = []
    for trained_on, features in (("squares", squares), ("crops", crops)):
        (x, y), held = (features(network, s, photos) for s in (data.train, data.validation))
        probe = kc.transfer.fit_probe(x, y, held)
        head = keras.layers.Dense(len(data.class_names), "softmax", name=trained_on)
        outputs.append(head(network.output))
        head.set_weights([probe.kernel, probe.bias])
    return keras.Model(network.input, keras.layers.Concatenate()(outputs))


def squares(network, split, photos):
    """(features, labels) of centre squares."""
    return np.asarray(kc.transfer.extract_features(network, split)), np.array(split.labels)


def crops(network, split, photos):
    """(features, labels) of ten crops of each photo."""
    side = round(SIZE * 256 / 224)
    images = np.stack(
        [kc.data.decode_file(photos / path, side, resize="crop") for path in split.paths]
    )
    views = ten_crop((side, side), (SIZE, SIZE))
    features = []
    for view in views:
        top, left, height, width = view.crop
        shown = images[:, top : top + height, left : left + width, :]
        shown = shown[:, :, ::-1] if view.mirrored else shown
        features.append(network.predict(shown, verbose=0))
    return np.concatenate(features), np.tile(split.labels, len(views))


def kinds(model):
    """(name, function (paths) -> pixels in centre squares, function (paths) -> probabilities)."""

    def shown(views):
        return lambda paths: kc.augment.predict_photos(model, paths, views)

    def centre(side):
        start = (side - SIZE) // 2

        def predict(paths):
            images = [kc.data.decode_file(path, side, resize="crop") for path in paths]
            inner = np.stack(images)[:, start : start + SIZE, start : start + SIZE]
            return model.predict(inner, verbose=0)

        return predict

    def dense(scales):
        return lambda paths: kc.augment.predict_dense(model, paths, scales)

    return [
        ("centre square", lambda paths: 1, centre(SIZE)),
        ("centre crop", lambda paths: 1, centre(round(SIZE * 256 / 224))),
        ("mirrored", lambda paths: 2, shown("flip")),
        ("10 crops", lambda paths: 10, shown("10-crop")),
        ("144 crops", lambda paths: 144, shown("144-crop")),
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


def row(trained_on, name, pixels, correct, base):
    interval = binomtest(int(correct.sum()), len(correct)).proportion_ci(method="wilson")
    gain, low, high = bootstrap(correct, base)
    return {
        "trained_on": trained_on, "views": name, "pixels": pixels,
        "accuracy": float(correct.mean()),
        "lowest": float(interval.low), "highest": float(interval.high),
        "gain": gain, "gain_lowest": low, "gain_highest": high,
        "mended": int((correct > base).sum()), "broken": int((correct < base).sum()),
    }  # fmt: skip


if __name__ == "__main__":
    main()
