"""Fine-tune a pretrained network on a folder of photos, with `compile` and `fit` in sight.

    python recipes/finetune.py photos/ [--weights FILE] [--backbone MobileNetV2] [--output run]

`kc.transfer.finetune(data, ...)` does this in one line, from cached features and so much faster;
here the same three steps are spelled out: features + linear classifier -> its weights as the head
-> the last stage trained with batch normalisation frozen.
Writes OUTPUT/model.keras, which plain Keras opens, and prints the test accuracy.
"""

import argparse
from pathlib import Path

import keras
import numpy as np

import kerascnn as kc

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("photos", type=Path)
parser.add_argument("--backbone", default="MobileNetV2")
parser.add_argument("--weights", default="imagenet")
parser.add_argument("--image-size", type=int, default=224)
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--output", type=Path, default=Path("run"))
args = parser.parse_args()
if (args.output / "model.keras").exists():
    parser.error(f"{args.output} holds a model already: pass another --output")

data = kc.data.from_directory(args.photos, args.image_size, one_hot=True)
network = kc.transfer.backbone(args.backbone, args.weights, image_size=args.image_size)

# 1. A linear classifier on frozen features, its strength chosen on the validation photos.
features = {name: kc.transfer.extract_features(network, getattr(data, name))
            for name in ("train", "validation")}  # fmt: skip
probe = kc.transfer.fit_probe(
    features["train"], data.train.labels, (features["validation"], data.validation.labels)
)
correct = probe.predict(features["validation"]).argmax(axis=1) == data.validation.labels
print(f"linear classifier: validation accuracy {np.mean(correct):.1%}")

# 2. The same classifier as the head of the network: a plain functional model.
head = keras.layers.Dense(len(data.class_names), activation="softmax", name="predictions")
model = keras.Model(network.input, head(network.output))
head.set_weights([probe.kernel, probe.bias])

# 3. Train what comes after the freeze boundary.
kc.transfer.freeze(model, up_to=kc.transfer.freeze_boundary(model))
model.compile(
    optimizer=keras.optimizers.AdamW(1e-4),
    loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    metrics=["accuracy"],
)
best = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
model.fit(data.train, validation_data=data.validation, epochs=args.epochs,
          shuffle=False, callbacks=[best])  # fmt: skip
print(f"test accuracy {model.evaluate(data.test, verbose=0)[1]:.1%}")
args.output.mkdir(parents=True, exist_ok=True)
model.save(args.output / "model.keras")
