"""Train a network as its paper did, and put the test error beside the paper's.

    python recipes/reproduce.py --list
    python recipes/reproduce.py resnet20                        (Keras downloads CIFAR-10)
    python recipes/reproduce.py resnet20 --short                (one cycle: 1 h on two CPU cores)
    python recipes/reproduce.py resnet20 --short 10             (one cycle of ten epochs)
    python recipes/reproduce.py resnet20 --quick                (seconds: does it run?)
    python recipes/reproduce.py lenet5 --short --data mnist.npz --seeds 3
    python recipes/reproduce.py vgg16                           (ImageNet: what the paper did)

The experiments are in experiments.py. Images, augmentation and normalisation are on the device, on
TensorFlow and on JAX (KERAS_BACKEND=jax). A GPU compiles with XLA; there add `--precision
mixed_bfloat16`.

Killed at any moment, the same command goes on from the last epoch's checkpoint in --runs (Ctrl-C:
from the last step). Each finished run is a file there; with `--results recipes/results/reproduce`
it is where `make_results.py` makes the tables from. With --quick the images are digits of
scikit-learn.
"""

import argparse
import json
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
from experiment_report import (  # beside this file
    IMAGES,
    Log,
    about,
    command,
    listed,
    speed,
    told,
)
from experiments import EXPERIMENTS, SHORT  # beside this file
from on_device import Order, model_of_numbers, padded, standardizing  # beside this file
from small_images import cifar, digits, mnist, tiny_imagenet  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json

RESULTS = Path(__file__).parent / "results" / "reproduce"
LOADERS = {"MNIST": mnist, "CIFAR-10": cifar, "Tiny-ImageNet 32x32": tiny_imagenet}
PADDING = {
    "crop and flip": "constant",
    "crop, flip and erasing": "constant",
    "crop of reflections and flip": "reflect",
}
QUICK = {"epochs": 2, "batch_size": 8, "held_out": 0, "warm_up": None, "falls": {1: 0.1}}
RUBBISH = 10.0  # eq. 9 of LeCun et al. 1998, which prints no value
CPU = 1e11  # multiply-adds of a training step a second, on two cores: ResNet-20, bfloat16


def main():
    args = arguments()
    if args.list:
        print(listed(EXPERIMENTS, RESULTS, args.results))
    elif EXPERIMENTS[args.name].data == "ImageNet":
        two_steps(EXPERIMENTS[args.name]) if args.quick else print(about(EXPERIMENTS[args.name]))
    else:
        try:
            for seed in range(args.seeds):
                run(args, seed)
        except kc.InputError as error:
            sys.exit(str(error))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", choices=EXPERIMENTS, metavar="NAME", help="see --list")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--data", help="a local copy of the data set (default: Keras downloads it)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--short", nargs="?", const=0, type=int, metavar="EPOCHS",
        help="one cycle instead of the paper's schedule, of our number of epochs or yours",
    )  # fmt: skip
    length.add_argument("--quick", action="store_true", help="a few steps on packaged digits")
    parser.add_argument("--seeds", type=int, default=1, help="this many runs (default: 1)")
    parser.add_argument(
        "--precision", default="float32", choices=["float32", "mixed_bfloat16", "mixed_float16"]
    )
    parser.add_argument("--runs", type=Path, default=Path("reproduce_runs"), help="checkpoints")
    parser.add_argument("--results", type=Path, help="for the result's file (default: as --runs)")
    parser.add_argument("--weights", type=Path, help="write the network's weights here at the end")
    args = parser.parse_args()
    if not (args.name or args.list):
        parser.error("which experiment? --list shows them")
    if args.seeds < 1:
        parser.error("--seeds is how many runs there are, 1 or more")
    if args.short is not None and (args.short < 0 or args.short == 1):
        parser.error("a short schedule has 2 epochs or more")
    if args.weights and args.seeds > 1:
        parser.error("--weights is a file for one network: leave out --seeds")
    if args.weights and not (
        args.weights.name.endswith(".weights.h5") and args.weights.absolute().parent.is_dir()
    ):
        parser.error("--weights is a file that ends in .weights.h5, in a folder that is there")
    given = args.short is not None or args.data or args.weights or args.seeds > 1
    if given and args.name and EXPERIMENTS[args.name].data == "ImageNet":
        parser.error(f"{args.name} is not trained here, see --list: only --quick goes with it")
    args.results = args.results or args.runs
    return args


# --- data --------------------------------------------------------------------------------------


def load(experiment, args):
    """uint8 images (N, H, W, C), the training ones first, labels, and how many train.

    MNIST's digits are set into the middle of LeNet-5's 32x32 pixels.
    """
    parts = quick_images(experiment) if args.quick else read(experiment, args.data)
    images, labels = (np.concatenate(part) for part in zip(*parts))
    images = images[..., None] if images.ndim == 3 else images
    if experiment.data == "MNIST":
        images = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    return images, labels.astype("int32"), len(parts[0][1])


def named(experiment, args):
    """What the data is called in tables."""
    if args.quick:
        return "digits of scikit-learn"
    copied = args.data and experiment.data != "MNIST"
    return f"{experiment.data} (JPEG copy)" if copied else experiment.data


def read(experiment, path):
    """(images, labels) for training and for testing, or one sentence that says why not."""
    parts = LOADERS[experiment.data](path)
    classes, wanted = len(np.unique(parts[0][1])), experiment.options.get("classes", 10)
    if classes != wanted:
        sys.exit(
            f"{experiment.data} has {wanted} classes, and {path} has {classes}: pass the copy of "
            f"{experiment.data} as --data."
        )
    return parts


def quick_images(experiment):
    """A few digits of scikit-learn, in the experiment's size and channels."""
    parts = digits(3 if experiment.data == "MNIST" else 4, 32)
    parts = [(x[:32], y[:32]) for x, y in parts]
    if experiment.data == "MNIST":
        return [(np.pad(x, ((0, 0), (2, 2), (2, 2))), y) for x, y in parts]
    return [(np.repeat(x[..., None], 3, axis=-1), y) for x, y in parts]


def normalization(experiment, images):
    """(scale, offset) that give the channels of these images mean 0 and variance 1."""
    if experiment.data == "MNIST":
        return 1.275 / 255, -0.1  # paper at -0.1, ink at 1.175: LeCun et al. 1998, Sec. II-B
    return standardizing(images)


def augmentation(experiment, size, color, seed):
    """The layers that act in training, on images of this size; erasing leaves a grey `color`."""
    if experiment.augmentation in PADDING:
        crop = kc.augment.PadAndCrop(padding=0, size=size, seed=seed)
        layers = [crop, keras.layers.RandomFlip("horizontal", seed=seed + 1)]
        if "erasing" in experiment.augmentation:  # Keras draws the probability: 0.5 to 0.5
            erase = keras.layers.RandomErasing((0.5, 0.5), fill_value=color, seed=seed + 2)
            layers.append(erase)
        return layers
    if experiment.augmentation == "distortions":
        # LeCun et al. 1998, Sec. III-B: shifts, zoom, squeezing and shear, of no printed strength.
        return [
            kc.augment.RandomAffine(
                shift=0.08, zoom=0.1, stretch=0.1, shear=10, fill_mode="constant", seed=seed
            )
        ]
    return []


# --- training ----------------------------------------------------------------------------------


def run(args, seed):
    """One training to its end, and its result file."""
    experiment, schedule, length = chosen(args)
    key = f"{args.name}-{length.replace(' ', '')}-{seed}"
    file = args.results / f"{key}.json"
    asked = {"data": named(experiment, args), "schedule": asdict(schedule)}
    asked |= {"precision": args.precision, "backend": keras.backend.backend()}
    if file.exists():
        return done(file, asked, args)
    keras.utils.clear_session()  # the images of the seed before are on the device
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(args.precision)
    images, labels, num_train = load(experiment, args)
    order = Order(np.arange(num_train - schedule.held_out), labels, schedule.batch_size, seed)
    network, model = build(experiment, schedule, images, order, num_train, seed)
    test = np.arange(num_train, len(images), dtype="int32")
    log = train(model, schedule, order, (test, labels[test]), args.runs / key, seed)
    error = log.curve()[-1]["test_error"]  # the last epoch is always tested
    result = {"name": args.name, "length": length, "seed": seed, "error": error, **asked}
    result |= speed(network, log.rows, order.num_batches * schedule.batch_size, args.precision)
    result |= {"curve": log.curve(), "command": command(args, seed), **log.where}
    if args.weights:  # before the result, which says that the run is done
        network.save_weights(args.weights)
    write_json(file, result)
    shutil.rmtree(args.runs / key)  # it would be taken for a run of later code
    print(told(result))
    return None


def done(file, asked, args):
    """Says what the file of this run says, if it is of what was asked for."""
    result = json.loads(file.read_text("utf-8"))
    asked = json.loads(json.dumps(asked))  # tuples and keys as in a file
    other = [f"{name} {result[name]}" for name in asked if result[name] != asked[name]]
    if other:
        sys.exit(
            f"{file} is of another run ({', '.join(other)}): move it away, or write yours "
            "elsewhere with --results."
        )
    if args.weights and not args.weights.exists():
        sys.exit(f"{file} is of a run whose weights were not kept: move it away to train anew.")
    print(f"{file.stem} is done: test error {result['error']:.2f} % ({file})")


def chosen(args):
    """The experiment, the schedule that was asked for, and its name."""
    experiment = EXPERIMENTS[args.name]
    full, short = experiment.full, experiment.short
    if args.quick:
        return experiment, replace(full, **QUICK), "quick"
    if args.short is None:
        return experiment, full, "full"
    if short is None and experiment.data != "CIFAR-10":
        sys.exit(f"{args.name} has one schedule, of {full.epochs} epochs: leave out --short.")
    if short is None and not args.short:
        hours = 3 * experiment.multiply_adds * IMAGES["CIFAR-10"] * SHORT.epochs / CPU / 3600
        sys.exit(
            f"{args.name} has no short schedule: {SHORT.epochs} passes would take about "
            f"{hours:.0f} hours on two CPU cores. Pass a number, --short 3, or leave out --short, "
            "on a GPU."
        )
    short = short or SHORT
    schedule = replace(short, epochs=args.short or short.epochs)
    return experiment, schedule, f"short {schedule.epochs}"


def build(experiment, schedule, images, order, num_train, seed):
    """The network, and the compiled model of image numbers that trains it."""
    size, color = images.shape[1], images[:num_train].mean((0, 1, 2))
    scale, offset = normalization(experiment, images[:num_train])
    if experiment.augmentation in PADDING:
        images = padded(images, color, PADDING[experiment.augmentation])
    network = getattr(kc.models, experiment.builder)(**experiment.options)
    if schedule.weight_decay and schedule.optimizer != "AdamW":
        penalty = keras.regularizers.L2(schedule.weight_decay / 2)
        network = kc.regularizers.regularize(network, penalty)
    layers = augmentation(experiment, size, float(color.mean()), seed)
    model = model_of_numbers(network, images, layers, scale, offset)
    model.compile(
        optimizer(schedule, order.num_batches),
        kc.losses.RBFLoss(rubbish=RUBBISH) if experiment.loss == "rbf" else experiment.loss,
        metrics=["accuracy"],
        steps_per_execution=max(10, 1000 // schedule.batch_size),
    )
    return network, model


def optimizer(schedule, steps):
    """The optimiser, for so many steps an epoch."""
    rate = rates(schedule, steps)
    if schedule.optimizer == "diagonal LM":
        return kc.optimizers.StochasticDiagonalLM(rate)
    if schedule.optimizer == "AdamW":
        adam = keras.optimizers.AdamW(rate, weight_decay=schedule.weight_decay)
        adam.exclude_from_weight_decay(var_names=["bias"])
        return adam
    return keras.optimizers.SGD(rate, schedule.momentum, schedule.nesterov)


def rates(schedule, steps):
    """The learning rate as a Keras schedule, for so many steps an epoch."""
    if schedule.falls is None:
        return kc.schedules.OneCycle(schedule.rate, steps * schedule.epochs)
    values = {0: schedule.rate}
    values |= {steps * epoch: schedule.rate * by for epoch, by in schedule.falls.items()}
    if schedule.warm_up:
        low, number = schedule.warm_up
        values |= {0: low, number: schedule.rate}
    starts = sorted(values)
    boundaries = [start - 1 for start in starts[1:]]  # Keras's own are the last steps of a rate
    rates = [values[start] for start in starts]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)


def train(model, schedule, order, test, folder, seed):
    """Trains, from the checkpoint in `folder` if there is one; what the epochs took and reached."""
    log = Log()
    every = max(1, schedule.epochs // 15)
    tested = [*range(every, schedule.epochs, every), schedule.epochs]
    callbacks = [log]
    if schedule.optimizer == "diagonal LM":
        labels = order.labels[order.numbers]
        callbacks.append(kc.callbacks.DiagonalCurvature(order.numbers, labels, seed=seed))
    resume = kc.callbacks.Resume(folder, order, callbacks)
    try:
        model.fit(
            resume.data, epochs=schedule.epochs, initial_epoch=resume.initial_epoch,
            callbacks=[resume], shuffle=False, verbose=2,
            validation_data=test, validation_batch_size=500,
            validation_freq=tested,
        )  # fmt: skip
    except KeyboardInterrupt:
        sys.exit(f"Stopped. The same command goes on from the newest checkpoint in {folder}.")
    return log


def two_steps(experiment):
    """Two steps of a network for photos, on drawn images: digits are too small for it."""
    smaller = {"input_shape": (32, 32, 3)} if experiment.multiply_adds > 1e10 else {}
    network = getattr(kc.models, experiment.builder)(**experiment.options, **smaller)
    network.compile(keras.optimizers.SGD(1e-3, experiment.full.momentum), experiment.loss)
    random = np.random.default_rng(0)
    images = random.normal(size=(4, *network.input_shape[1:])).astype("float32")
    history = network.fit(images, random.integers(1000, size=4), batch_size=2, verbose=0)
    size = "x".join(map(str, network.input_shape[1:3]))
    loss = history.history["loss"][0]
    print(f"{experiment.title}: two steps on drawn images of {size}, loss {loss:.3g}")


if __name__ == "__main__":
    main()
