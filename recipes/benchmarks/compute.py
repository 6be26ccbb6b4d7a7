"""What `kerascnn.tune_compute` chooses, and how much faster that trains than plain Keras.

    python recipes/benchmarks/compute.py [--seconds 120] [--rounds 9]

Two trainings: ResNet-20 from scratch (32x32, batches of 128) and the last stage of MobileNetV2
(fine-tuning from features of 160x160 photos, batches of 32). `tune_compute` chooses; then the
model that it makes and the model as plain `compile` and `fit` leave it make training steps in turn
(the same rows, in memory), so that the choice is checked by rounds that did not make it. A ratio
above 1 means that the choice is faster.

Writes recipes/results/compute.json; `--quick` takes tiny networks and writes nothing.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from transfer import versions  # beside this file

RESULTS = Path(__file__).parents[1] / "results" / "compute.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    seconds, rounds = (2, 1) if args.quick else (args.seconds, args.rounds)
    rows = [compare(*training, seconds, rounds) for training in trainings(args.quick)]
    result = {"rows": rows, "seconds": seconds, "rounds": rounds}
    if not args.quick:
        result |= {"versions": versions(), "device": device()}
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def trainings(quick):
    """(what is trained, compiled model, rows, batch size)."""
    import keras
    import numpy as np

    import kerascnn as kc
    from kerascnn import _graph

    rng = np.random.default_rng(0)
    count, batch = (32, 8) if quick else (1024, 128)
    images = rng.integers(256, size=(count, 32, 32, 3)).astype("float32")
    network = kc.models.CifarResNet(depth=8) if quick else kc.models.CifarResNet20()
    network.compile(keras.optimizers.SGD(0.1, 0.9), "sparse_categorical_crossentropy")
    yield "ResNet-20, from scratch", network, (images, np.arange(count) % 10), batch

    side, count, batch = (32, 16, 8) if quick else (160, 512, 32)
    network = kc.transfer.backbone("MobileNetV2", None, image_size=side)
    outputs = keras.layers.Dense(10, activation="softmax", dtype="float32")(network.output)
    whole = keras.Model(network.inputs[0], outputs)
    _, tail = _graph.split(whole, _graph.freeze_boundary(network))
    _graph.freeze_batch_norm(tail)
    tail.compile(keras.optimizers.AdamW(3e-4), "categorical_crossentropy")
    features = rng.normal(size=(count, *tail.input_shape[1:])).astype("float32")
    labels = np.eye(10, dtype="float32")[np.arange(count) % 10]
    yield "MobileNetV2, last stage", tail, (features, labels), batch


def compare(what, model, rows, batch, seconds, rounds):
    """Let `tune_compute` choose, then run the choice against the model as it is."""
    import kerascnn as kc

    begun = time.perf_counter()
    choice = kc.tune_compute(model, repeated(rows, batch, 64), seconds=seconds)
    spent = time.perf_counter() - begun
    print(f"{what}, batches of {batch}, {spent:.0f} s of measuring\n{choice}")
    chosen, data = choice.apply(model), repeated(rows, batch, 65 if rounds > 1 else 33)
    ratios = []
    for number in range(rounds + 1):
        order = (model, chosen) if number % 2 else (chosen, model)
        times = {id(each): seconds_of_epoch(each, data) for each in order}
        ratios.append(times[id(model)] / times[id(chosen)])
    kept = ratios[1:]  # the first one warms up
    row = {"training": what, "batch": batch, "choice": choice.summary(), "tuning_seconds": spent}
    row |= {"ratio": statistics.median(kept), "lowest": min(kept), "highest": max(kept)}
    print("{choice}: {ratio:.2f} ({lowest:.2f}-{highest:.2f}) times as fast\n".format(**row))
    return row | {"tried": list(choice.rows)}


def repeated(rows, batch, number):
    """So many batches in memory, the same few again and again: as a `PyDataset`."""
    import keras

    count = len(rows[0]) // batch

    class Repeated(keras.utils.PyDataset):
        @property
        def num_batches(self):
            return number

        def __getitem__(self, index):
            start = index % count * batch
            return tuple(part[start : start + batch] for part in rows)

    return Repeated()


def seconds_of_epoch(model, data):
    """From the end of its first execution on, which may wait for the data."""
    import keras

    times = []

    def note(batch, logs):
        if len(times) < 2 or batch + 1 == data.num_batches:
            float(logs["loss"])  # waits for the device
        times.append((time.perf_counter(), batch))

    clock = keras.callbacks.LambdaCallback(on_train_batch_end=note)
    model.fit(data, shuffle=False, verbose=0, callbacks=[clock])
    (start, first), (end, last) = times[0], times[-1]
    return (end - start) / (last - first)


def device():
    """The GPU's name, or "CPU"."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else "CPU"


if __name__ == "__main__":
    main()
