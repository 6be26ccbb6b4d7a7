"""How much faster a network trains when its batch normalisation is fused.

    python recipes/benchmarks/batch_norm.py [--rounds 7]

The same network twice in one process, as plain Keras and after `kerascnn.fuse_batch_norm`: training
steps on the same images in memory, in turn, warm-up first. A ratio above 1 means that the fused one
is faster; `--processor` compares the processor's time instead of the clock's, for a busy machine.

Writes recipes/results/batch_norm.json; `--quick` takes tiny inputs and writes nothing.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from transfer import versions  # beside this file

RESULTS = Path(__file__).parents[1] / "results" / "batch_norm.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--processor", action="store_true", help="the processor's time")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    clock = time.process_time if args.processor else time.perf_counter
    rounds = 1 if args.quick else args.rounds
    rows = [compare(*network, rounds, clock) for network in networks(args.quick)]
    result = {"rows": rows, "rounds": rounds, "clock": clock.__name__, "versions": versions()}
    if not args.quick:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def networks(quick):
    """(name, builder, precision, side, batch size, batches of a round)."""
    import kerascnn as kc

    small, large = (16, 4, 2), (32, 4, 1)
    if not quick:
        small, large = (32, 128, 8), (224, 8, 2)
    for precision in ("float32", "mixed_bfloat16"):
        yield "ResNet-20", kc.models.CifarResNet20, precision, *small
        if not quick:
            yield "ResNet-50", kc.models.ResNet50, precision, *large


def compare(name, builder, precision, side, batch, number, rounds, clock):
    """One row: plain against fused."""
    import keras
    import numpy as np

    import kerascnn as kc

    keras.config.set_dtype_policy(precision)
    shape = (batch * number, side, side, 3)
    images = np.random.default_rng(0).normal(size=shape).astype("float32")
    models = [builder(input_shape=shape[1:], weights=None, classes=10) for _ in range(2)]
    kc.fuse_batch_norm(models[1])
    for model in models:
        model.compile(
            keras.optimizers.SGD(0.01, 0.9), "sparse_categorical_crossentropy", jit_compile=False
        )
    ratios = []
    for turn in range(rounds + 1):  # the first warms up
        order = models if turn % 2 else models[::-1]
        times = {id(model): seconds(model, images, batch, clock) for model in order}
        ratios.append(times[id(models[0])] / times[id(models[1])])
    ratios = ratios[1:]
    row = {"network": name, "precision": precision, "side": side, "batch": batch}
    row |= {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    print("{network}, {precision}: {ratio:.2f} ({lowest:.2f}-{highest:.2f})".format(**row))
    return row


def seconds(model, images, batch, clock):
    import numpy as np

    labels = np.arange(len(images)) % 10
    begun = clock()
    model.fit(images, labels, batch_size=batch, shuffle=False, verbose=0)
    return clock() - begun


if __name__ == "__main__":
    main()
