"""One cell of transfer_table.py's table: train and test as a request says, in a process of its own.

    python recipes/transfer_cell.py cell.json

The figures replace the request in the file. A refusal is the last line on stderr.
"""

import json
import resource
import sys
import time
from pathlib import Path

import keras
import numpy as np
from benchmarks.transfer import versions  # beside this file
from keras import layers

import kerascnn as kc
from kerascnn._runs import write_json


def main(file):
    request = json.loads(file.read_text("utf-8"))
    data = kc.data.from_directory(request["photos"], request["image_size"], progress=False)
    if not data.test.num_photos:
        raise kc.InputError(f"{request['photos']} has no test photos. Add a folder of them.")
    network = build(request)
    options = {"epochs": request["epochs"], "seed": request["seed"], "verbose": False}
    result = kc.transfer.finetune(data, network, request["depth"], **options)
    figures = {
        "accuracy": result.metrics["test_accuracy"],
        "seconds": round(time.time() - request["begun"], 1),
        "memory_mb": peak_memory(),
        "validation_accuracy": result.metrics["validation_accuracy"],
        "num_photos": result.metrics["num_photos"],
        "stages": [[stage["name"], stage["what"]] for stage in result.stages],
        "engines": result.config["engines_used"],
        "image_size": request["image_size"],
        "parameters": network.count_params(),
        "weights": Path(request["weights"]).name if request["weights"] else "random",
    }
    if request["depth"] == "probe":
        train = np.asarray(kc.transfer.extract_features(network, data.train, progress=False))
        figures["log_me"] = kc.transfer.log_me(train, data.train.labels)
    write_json(file, figures | {"versions": versions()})


def peak_memory():
    """The largest resident set of this process, in MB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(size / (1e6 if sys.platform == "darwin" else 1e6 / 1024))


def build(request):
    """The pretrained network, from raw photos to features."""
    size, weights = request["image_size"], request["weights"]
    if request["builder"] == "SqueezeNet":
        return squeezenet(size, weights)
    return kc.transfer.backbone(request["builder"], weights, image_size=size, **request["options"])


def squeezenet(size, weights):
    """SqueezeNet 1.1 on raw photos: Iandola et al. 2016, arXiv:1602.07360, Sec. 3; 1.1 has fewer
    filters in its first convolution and pools earlier (github.com/forresti/SqueezeNet)."""

    def conv(x, filters, kernel, **options):
        return layers.Conv2D(filters, kernel, activation="relu", **options)(x)

    images = keras.Input((size, size, 3))
    bgr = keras.ops.flip(images, axis=-1)
    x = layers.Rescaling(1.0, [-103.939, -116.779, -123.68], dtype="float32")(bgr)
    x = conv(x, 64, 3, strides=2)
    for fires in ([(16, 64)] * 2, [(32, 128)] * 2, [(48, 192)] * 2 + [(64, 256)] * 2):
        x = layers.MaxPooling2D(3, 2)(x)
        for squeezed, expanded in fires:
            x = conv(x, squeezed, 1)
            wide = conv(x, expanded, 3, padding="same")
            x = layers.Concatenate()([conv(x, expanded, 1), wide])
    model = keras.Model(images, layers.GlobalAveragePooling2D()(x), name="squeezenet")
    model.load_weights(weights)
    return model


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except kc.InputError as error:
        sys.exit(str(error))
