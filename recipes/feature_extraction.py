"""Features of a frozen network, and a classifier trained on them with `compile` and `fit`.

    python recipes/feature_extraction.py photos/ [--weights FILE] [--layer NAME]

Each photo goes through the network once: a second call starts at once. Prints the test accuracy of
a softmax layer and of logistic regression, and the photos nearest to the first test photo.
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
parser.add_argument("--layer", help="name of a layer; default: the pooled output")
args = parser.parse_args()

data = kc.data.from_directory(args.photos, args.image_size)
network = kc.transfer.backbone(args.backbone, args.weights, image_size=args.image_size)
extract = kc.transfer.FeatureExtractor(network, args.layer)
train, validation, test = (
    np.asarray(extract(split)) for split in (data.train, data.validation, data.test)
)

# A softmax layer trained by gradients.
keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input(train.shape[1:]),
        keras.layers.Normalization(
            mean=train.mean(axis=0), variance=[train.var()] * train.shape[1]
        ),
        keras.layers.Dense(len(data.class_names), activation="softmax"),
    ]
)
model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
best = keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)
held = (validation, data.validation.labels)
model.fit(train, data.train.labels, validation_data=held, epochs=30,
          callbacks=[best], verbose=0)  # fmt: skip
accuracy = model.evaluate(test, data.test.labels, verbose=0)[1]
print(f"softmax layer:       test accuracy {accuracy:.1%}")

# Logistic regression, its penalty chosen on validation.
probe = kc.transfer.fit_probe(train, data.train.labels, held)
correct = probe.predict(test).argmax(axis=1) == data.test.labels
print(f"logistic regression: test accuracy {np.mean(correct):.1%}")

(indices,), (similarity,) = kc.transfer.nearest(test[0], train, count=3)
print(f"nearest to {data.test.paths[0]}:")
for i, value in zip(indices, similarity):
    print(f"  {value:.3f}  {data.train.paths[i]}")
