"""Transfer learning as Keras's own guide does it: the other side of transfer.py.

A frozen network, a new head, ten epochs of `fit` over `image_dataset_from_directory`, one
evaluation on the test photos. No augmentation, no caching, nothing slowed down.

    python plain_guide.py photos/ --weights FILE --output result.json

`--finetune` adds a second stage as in TensorFlow's guide: layers from number 100 on, ten epochs at
1e-5; `--finetune-all` as in Keras's: the whole network, its batch normalisation frozen.
`--fixed-parallelism` switches tf.data's autotuning off: with it, a `fit` may idle after its last
batch until the tuner's wait runs out.
"""

import argparse
import json
import time
from pathlib import Path

START = time.perf_counter()


def dataset(folder, size, shuffle, fixed_parallelism):
    import tensorflow as tf
    from keras import utils

    photos = utils.image_dataset_from_directory(
        folder, image_size=(size, size), batch_size=32, shuffle=shuffle, seed=0, verbose=False
    )
    names = photos.class_names
    photos = photos.prefetch(tf.data.AUTOTUNE)
    if fixed_parallelism:
        options = tf.data.Options()
        options.autotune.enabled = False
        photos = photos.with_options(options)
    return photos, names


def build(weights, size, num_classes):
    import keras

    network = keras.applications.MobileNetV2(
        weights=weights, include_top=False, input_shape=(size, size, 3)
    )
    network.trainable = False
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = network(x, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    outputs = keras.layers.Dense(num_classes)(x)
    return keras.Model(inputs, outputs), network


def train(model, photos, rate, epochs):
    import keras

    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(photos["train"], validation_data=photos["validation"], epochs=epochs, verbose=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of train/validation/test class folders")
    parser.add_argument("--weights", required=True, help="MobileNetV2 weights without top")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finetune", action="store_true")
    parser.add_argument("--finetune-all", action="store_true")
    parser.add_argument("--fixed-parallelism", action="store_true")
    args = parser.parse_args()

    import keras
    import numpy as np

    keras.utils.set_random_seed(args.seed)
    names = ("train", "validation", "test")
    sets = {
        name: dataset(args.photos / name, args.image_size, name == "train", args.fixed_parallelism)
        for name in names
    }
    photos = {name: pair[0] for name, pair in sets.items()}
    classes = sets["train"][1]
    model, network = build(args.weights, args.image_size, len(classes))
    train(model, photos, 1e-3, args.epochs)
    if args.finetune or args.finetune_all:
        network.trainable = True
        for number, layer in enumerate(network.layers):
            # The guide's `training=False` alone does not hold it still in Keras 3.15.
            frozen_norm = isinstance(layer, keras.layers.BatchNormalization) and args.finetune_all
            layer.trainable = not frozen_norm and (args.finetune_all or number >= 100)
        train(model, photos, 1e-5, args.epochs)
    labels = np.concatenate([labels for _, labels in photos["test"]])
    guess = model.predict(photos["test"], verbose=0).argmax(axis=1)
    result = {
        "test_accuracy": float((guess == labels).mean()),
        "correct": (guess == labels).astype(int).tolist(),
        "seconds_in_process": time.perf_counter() - START,
    }
    args.output.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
