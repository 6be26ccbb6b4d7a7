"""A user's training script, run as a process of its own so that it can be killed.

    python tests/faults/program.py FOLDER [--photos DIR --weights FILE] [--every N] [--die WHEN]

Writes FOLDER/result.json when it is done. With photos and weights it fine-tunes MobileNet on them,
without it trains a small network on scikit-learn's digits. `--die write:3` is killed in the middle
of writing its third checkpoint, `--die rename:3` before the third has its name, `--die step:7` at
the end of the seventh step, `--die epoch:6` in the middle of epoch 6; `--die interrupt:7` gets a
Ctrl-C at the end of the seventh step.
"""

import argparse
import hashlib
import json
import os
import signal
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_digits

import kerascnn as kc

EPOCHS = 10


def main(args):
    kc.reproducible(args.seed)
    data, model = (photos if args.photos else digits)(args)
    optimizer = keras.optimizers.Adam(0.003, use_ema=True, ema_momentum=0.9, global_clipnorm=1.0)
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy", keras.metrics.TopKCategoricalAccuracy(2)],
        steps_per_execution=args.steps_per_execution,
    )
    train = data.train.augment(
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomTranslation(0.1, 0.1),
        keras.layers.MixUp(alpha=0.4),
    )
    resume = kc.callbacks.Resume(
        args.folder / "run",
        train,
        [
            keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
            keras.callbacks.ReduceLROnPlateau("val_loss", patience=0, min_delta=0.11, factor=0.5),
            keras.callbacks.EarlyStopping(patience=2, min_delta=0.11, restore_best_weights=True),
        ],
        every=args.every or "epoch",
    )
    watch = Watch(args.die)
    print("training", flush=True)
    history = model.fit(
        resume.data,
        validation_data=data.validation,
        epochs=EPOCHS,
        initial_epoch=resume.initial_epoch,
        callbacks=[resume, watch],
        shuffle=False,
        verbose=0,
    )
    weights = hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights()))
    result = {
        "weights": weights.hexdigest(),
        "optimizer": [float(np.sum(v)) for v in model.optimizer.variables],
        "epochs": history.epoch,
        "history": history.history,
        "steps": watch.steps,
    }
    (args.folder / "result.json").write_text(json.dumps(result))


def digits(args):
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8, 1)[:240] * 15).astype("uint8")
    data = kc.data.from_arrays(images, labels[:240], batch_size=16, one_hot=True, seed=args.seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Rescaling(1 / 127.5, -1),
            keras.layers.RandomTranslation(0.1, 0.1, seed=1),
            keras.layers.Conv2D(8, 3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3, seed=2),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    return data, model


def photos(args):
    data = kc.data.from_directory(args.photos, 128, one_hot=True, seed=args.seed, batch_size=16)
    trunk = kc.transfer.backbone("MobileNet", str(args.weights), image_size=128, alpha=0.25)
    kc.transfer.freeze(trunk, kc.transfer.freeze_boundary(trunk))
    x = keras.layers.Dropout(0.2)(trunk.output)
    x = keras.layers.Dense(len(data.class_names), activation="softmax")(x)
    return data, keras.Model(trunk.input, x)


class Watch(keras.callbacks.Callback):
    """Counts the steps that were trained, and dies when it is told to."""

    def __init__(self, die):
        super().__init__()
        self.what, _, count = (die or "never").partition(":")
        self.count, self.steps, self.writes = int(count or 0), 0, 0
        if self.what in ("write", "rename"):
            self.die_while_writing()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        middle = batch + 1 >= self.params["steps"] // 2
        if self.what == "epoch" and self.epoch == self.count and middle:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "step" and self.steps == self.count:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "interrupt" and self.steps == self.count:
            os.kill(os.getpid(), signal.SIGINT)

    def die_while_writing(self):
        write, rename = Path.write_bytes, Path.replace

        def half(path, content):
            self.writes += path.suffix == ".safetensors"
            if self.what == "write" and self.writes == self.count:
                write(path, content[: len(content) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return write(path, content)

        def never(path, target):
            if self.what == "rename" and self.writes == self.count:
                os.kill(os.getpid(), signal.SIGKILL)
            return rename(path, target)

        Path.write_bytes, Path.replace = half, never


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--every", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps-per-execution", type=int, default=1)
    parser.add_argument("--die")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(arguments()))
