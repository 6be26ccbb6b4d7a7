"""A photo in the style of a painting: Gatys, Ecker and Bethge 2016.

    python recipes/style_transfer.py photo.jpg painting.jpg              (downloads VGG19, 80 MB)
    python recipes/style_transfer.py photo.jpg painting.jpg --weights vgg19_notop.h5
    python recipes/style_transfer.py photo.jpg painting.jpg --output painted.png --steps 400
    python recipes/style_transfer.py --quick                             (under 15 s, no download)

The layers are those of the paper. --style-weight is worth a search from 1 to 100; strokes are as
large, in pixels, as they are in the painting: --style-size changes that. Ctrl-C writes the best
picture until then, and --start painted.png goes on with it.

Writes the picture (painted.png) and beside it a plot of the terms of the loss (painted_loss.png).
`--quick` paints a photo of scikit-learn with the colours of the other, by a network of random
filters.
"""

import argparse

import keras
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

import kerascnn as kc
from kerascnn._runs import atomic_path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", nargs="?")
    parser.add_argument("painting", nargs="?")
    parser.add_argument("--output", default="painted.png")
    parser.add_argument("--size", type=int, default=384, help="pixels of the photo's longer side")
    parser.add_argument("--style-size", type=int, help="the same of the painting")
    parser.add_argument("--backbone", default="VGG19")
    parser.add_argument("--weights", default="imagenet", help="a file instead of a download")
    parser.add_argument("--style-weight", type=float, default=10.0)
    parser.add_argument("--variation-weight", type=float, default=0.05)
    parser.add_argument("--method", default="L-BFGS", help="or Adam")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--start", help="a picture to go on with")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if not args.output.lower().endswith((".png", ".jpg", ".jpeg")):
        parser.error("--output is a file that ends in .png or .jpg")
    if not args.quick and not args.painting:
        parser.error("a photo and a painting are needed, or --quick")
    if args.quick:
        model, options = random_network(), {"content_layers": ["block1_conv1"], "steps": 15}
        photo, painting = (image[::6, ::6] for image in load_sample_images().images)
    else:
        model = kc.transfer.backbone(args.backbone, args.weights, pooling=None)
        options = {"pooling": "average", "steps": args.steps}
        photo = read(args.photo, args.size)
        painting = read(args.painting, args.style_size or args.size)
    picture, history = kc.visualize.style_transfer(
        model,
        photo,
        painting,
        style_weight=args.style_weight,
        variation_weight=args.variation_weight,
        method=args.method,
        start=np.asarray(Image.open(args.start).convert("RGB")) if args.start else "content",
        **options,
    )
    with atomic_path(args.output) as partial:
        Image.fromarray(picture).save(partial)
    plot(history, args.output)
    best = int(np.argmin(history["loss"]))
    found = ", ".join(f"{name} {history[name][best]:.3g}" for name in ("content", "style"))
    print(f"{args.output}: {found} after {len(history['loss'])} evaluations")


def read(path, size):
    """A picture (H, W, 3), 0-255, upright, its longer side of this size."""
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    scale = size / max(picture.size)
    width, height = (max(round(scale * side), 1) for side in picture.size)
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))


def random_network():
    """The form of VGG with one random convolution a stage: enough for colours and fine textures."""
    image = x = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(x)
    for stage, filters in enumerate((32, 64, 64, 64), start=1):
        he = keras.initializers.HeNormal(seed=stage)
        x = keras.layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_initializer=he,
            name=f"block{stage}_conv1",
        )(x)  # fmt: skip
        x = keras.layers.AveragePooling2D(2)(x)
    return keras.Model(image, x)


def plot(history, output):
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for name in ("content", "style", "variation"):
        axes.plot(history[name], label=name)
    axes.set(yscale="log", xlabel="evaluation", ylabel="term of the loss, without its weight")
    axes.set_ylim(bottom=1e-3)  # the photo's own content is 0 at the start
    axes.legend(frameon=False)
    with atomic_path(output.rsplit(".", 1)[0] + "_loss.png") as partial:
        figure.savefig(partial)


if __name__ == "__main__":
    main()
