"""A race of optimisers: on a tilted surface, and in LeNet-5 on MNIST.

    python recipes/optimiser_race.py                            (Keras downloads MNIST)
    python recipes/optimiser_race.py --data mnist.npz           (a local copy)
    python recipes/optimiser_race.py --quick                    (under 15 s, packaged digits)

The surface is the one of the lecture notes (ECE239AS): tilted, with a high curvature across the
slope, where gradient descent zigzags and momentum averages the zigzag away. The film strip shows
the paths after 3, 10, 30 and 100 gradients. In LeNet-5 every method starts from the same weights
and minimises the loss over 5,000 digits; the picture shows that loss against time and against
gradient evaluations, in passes over the 5,000. First-order methods take batches of 64 digits for a
step, L-BFGS and nonlinear conjugate gradients all of them. Clocks start behind the first step, so
that nothing is compiled within the race, and stand still while the loss is measured. Rates are the
methods' customary ones and were not tuned; this is no race for the lowest test error either.

Writes recipes/results/optimiser_race.json and .png. `--quick` races three methods for two passes,
written to the folder it is started in.
"""

import argparse
import time
from pathlib import Path

import keras
import matplotlib as mpl
import numpy as np
from benchmarks.transfer import versions  # beside this file
from matplotlib.figure import Figure
from small_images import digits, mnist, padded  # beside this file

import kerascnn as kc
from kerascnn._runs import atomic_path, write_json
from kerascnn.optimizers import RAdam, StochasticDiagonalLM, minimize_full_batch

K = keras.optimizers
START = np.array([-2.2, 0.9])
FRAMES = (3, 10, 30, 100)


def surface(w):
    """A parabola across a slope that falls to its end: high curvature across, little along."""
    along, across = w[..., 0], w[..., 1]
    return 5 * across**2 + 0.15 * (along - 2.0) ** 2


def slope(w):
    return np.array([0.3 * (w[0] - 2.0), 10 * w[1]], "float32")


ON_SURFACE = {
    "SGD": lambda: K.SGD(0.18),
    "momentum": lambda: K.SGD(0.03, momentum=0.9),
    "Nesterov": lambda: K.SGD(0.03, momentum=0.9, nesterov=True),
    "AdaGrad": lambda: K.Adagrad(0.5, initial_accumulator_value=0.0),
    "RMSProp": lambda: K.RMSprop(0.05),
    "Adam": lambda: K.Adam(0.1),
    "RAdam": lambda: RAdam(0.1),
}
IN_LENET = {
    "SGD": lambda: K.SGD(0.1),
    "momentum": lambda: K.SGD(0.01, momentum=0.9),
    "Nesterov": lambda: K.SGD(0.01, momentum=0.9, nesterov=True),
    "AdaGrad": lambda: K.Adagrad(0.01, initial_accumulator_value=0.0),
    "RMSProp": lambda: K.RMSprop(),
    "Adam": lambda: K.Adam(),
    "RAdam": lambda: RAdam(),
    "diagonal LM": lambda: StochasticDiagonalLM(0.01),
}
FULL_BATCH = ("L-BFGS-B", "CG")
QUICK = ("SGD", "Adam", "L-BFGS-B")


def path_of(optimizer, steps):
    variable = keras.Variable(START.astype("float32"))
    optimizer.build([variable])
    path = [START]
    for _ in range(steps):
        optimizer.apply([slope(path[-1])], [variable])
        path.append(np.array(keras.ops.convert_to_numpy(variable), "f8"))
    return np.array(path)


def prepared(images, labels):
    """LeNet-5's input: 32x32, paper at -0.1 and ink at 1.175."""
    return images * np.float32(1.275 / 255) - np.float32(0.1), labels.astype("int32")


def lenet(optimizer="sgd"):
    keras.utils.set_random_seed(0)
    model = kc.models.LeNet5()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Curve(keras.callbacks.Callback):
    """The loss over all the data after each pass, and the time that training took."""

    def __init__(self, data):
        super().__init__()
        self.data, self.passed = data, 0.0
        self.rows = {"loss": [], "seconds": [], "passes": []}

    def on_train_begin(self, logs=None):
        self.record(0)

    def on_epoch_begin(self, epoch, logs=None):
        self.begin = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if not self.passed and batch == 0:
            self.begin = time.perf_counter()  # what was before compiled the step

    def on_epoch_end(self, epoch, logs=None):
        self.passed += time.perf_counter() - self.begin
        self.record(epoch + 1)

    def record(self, passes):
        loss = self.model.evaluate(*self.data, 500, verbose=0)[0]
        for values, value in zip(self.rows.values(), (loss, self.passed, passes)):
            values.append(round(float(value), 5))


def first_order(name, data, passes):
    model, curve = lenet(IN_LENET[name]()), Curve(data)
    callbacks = [curve]
    if name == "diagonal LM":
        callbacks.append(kc.callbacks.DiagonalCurvature(*data))
    model.fit(*data, 64, passes, callbacks=callbacks, verbose=0)
    return curve.rows


def full_batch(method, data, passes):
    """L-BFGS needs about one gradient an iteration, CG about two."""
    iterations = passes if method == "L-BFGS-B" else passes // 2
    result = minimize_full_batch(lenet(), *data, method, iterations, batch_size=500, verbose=False)
    history = result.history
    seconds = [round(second - history["seconds"][0], 5) for second in history["seconds"]]
    return {
        "loss": [round(loss, 5) for loss in history["loss"]],
        "seconds": seconds,
        "passes": history["gradient_evaluations"],
    }


def draw_film(figure, paths):
    """The surface and all paths, after more and more gradients."""
    along, across = np.meshgrid(np.linspace(-2.7, 2.7, 90), np.linspace(-1.3, 1.3, 60))
    heights = surface(np.stack([along, across], axis=-1))
    for axes, frame in zip(figure.subplots(1, len(FRAMES), sharey=True), FRAMES):
        axes.contour(along, across, heights, levels=np.geomspace(0.05, 12, 9), colors="0.8")
        for name, path in paths.items():
            axes.plot(*path[: frame + 1].T, lw=1.2, label=name)
            axes.plot(*path[frame], "o", ms=5, color=axes.lines[-1].get_color())
        axes.plot(2, 0, "k*", ms=9)
        axes.set(title=f"after {frame} gradients", xlim=(-2.7, 2.7), ylim=(-1.3, 1.3))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(paths), frameon=False)


def draw_curves(figure, curves, number):
    """Loss against time and against passes, logarithmic."""
    for axes, key, label in zip(
        figure.subplots(1, 2, sharey=True),
        ("seconds", "passes"),
        ("seconds, without compilation", f"gradient evaluations, in passes over {number:,} digits"),
    ):
        for name, rows in curves.items():
            style = "--" if name in FULL_BATCH else "-"
            axes.plot(rows[key], rows["loss"], style, lw=1.5, label=name)
        axes.set(xlabel=label, yscale="log")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("loss over all digits")
    figure.axes[1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)


def draw(path, paths, curves, number):
    figure = Figure(figsize=(13, 8.2), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[0.9, 1])
    with mpl.rc_context({"axes.titlesize": 11}):
        draw_film(top, paths)
        top.suptitle("On a tilted surface of high curvature across the slope")
        draw_curves(bottom, curves, number)
        bottom.suptitle("LeNet-5 on handwritten digits (dashed: all digits for each step)")
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="a local mnist.npz (default: Keras downloads it)")
    parser.add_argument("--quick", action="store_true", help="three methods, packaged digits")
    args = parser.parse_args()
    folder = Path() if args.quick else Path(__file__).parent / "results"

    paths = {name: path_of(make(), max(FRAMES)) for name, make in ON_SURFACE.items()}
    (images, labels), _ = digits(4, 300) if args.quick else mnist(args.data)
    images = images[..., None] if args.quick else padded(images)
    data = prepared(images[:5000], labels[:5000])
    number, passes = len(data[0]), 2 if args.quick else 20
    curves = {}
    for name in QUICK if args.quick else (*IN_LENET, *FULL_BATCH):
        if name in FULL_BATCH:
            curves[name] = full_batch(name, data, 3 * passes)
        else:
            curves[name] = first_order(name, data, passes)
        rows = curves[name]
        print(
            f"{name:12} loss {rows['loss'][0]:.3f} -> {min(rows['loss']):.4f} in "
            f"{rows['passes'][-1]} passes, {rows['seconds'][-1]:.1f} s",
            flush=True,
        )
    draw(folder / "optimiser_race.png", paths, curves, number)
    heights = {name: [float(surface(path[f])) for f in FRAMES] for name, path in paths.items()}
    write_json(
        folder / "optimiser_race.json",
        {
            "command": "python recipes/optimiser_race.py" + " --quick" * args.quick,
            "digits": number,
            "surface": {"gradients": FRAMES, "height": heights},
            "lenet5": curves,
            "versions": versions(),
        },
    )


if __name__ == "__main__":
    main()
