"""What do `Resume` and `NaNWatch` cost on a fine-tuning of MobileNetV2?

    python recipes/benchmarks/resume.py [--rounds 7]

Epochs of one model (all layers train, 160x160, batches of 32, Adam), each a `fit` of its own:
without callbacks, with `Resume` (which reads the checkpoint before and writes one after the epoch)
and with `NaNWatch` in it, interleaved, one after another in one process, warm-up first. A ratio is
the time with over the time without. Random pixels and weights: they do not change the time.

Writes recipes/results/resume.json; `--quick` takes tiny inputs and writes nothing.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from transfer import versions  # beside this file

RESULTS = Path(__file__).parents[1] / "results" / "resume.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERASCNN_CACHE"] = folder
        rows, size = measure(Path(folder), *((32, 4, 1) if args.quick else (160, 20, args.rounds)))
    for row in rows:
        print("{what}: {ratio:.3f} ({lowest:.3f}-{highest:.3f})".format(**row))
    print(f"{size / 1e6:.0f} MB a checkpoint")
    if not args.quick:
        result = {
            "rows": rows,
            "rounds": args.rounds,
            "checkpoint_bytes": size,
            "versions": versions(),
        }
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def measure(folder, side, steps, rounds):
    """Rows of ratios, and the bytes of a checkpoint."""
    import keras
    import numpy as np

    import kerascnn as kc

    images = np.random.default_rng(0).integers(256, size=(32 * steps, side, side, 3), dtype="uint8")
    split = ["train"] * len(images)
    data = kc.data.from_arrays(images, np.arange(len(images)) % 2, splits=split).train
    trunk = kc.transfer.backbone("MobileNetV2", None, image_size=side)
    model = keras.Model(trunk.input, keras.layers.Dense(2, "softmax")(trunk.output))
    model.compile("adam", "sparse_categorical_crossentropy")

    def plain(epoch):
        data.epoch = epoch
        model.fit(data, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0)

    def resumed(name, callbacks, epoch):
        resume = kc.callbacks.Resume(folder / name, data, callbacks)
        assert resume.initial_epoch == epoch
        model.fit(
            resume.data, initial_epoch=epoch, epochs=epoch + 1, callbacks=[resume],
            shuffle=False, verbose=0,
        )  # fmt: skip

    ways = {
        "plain": plain,
        "Resume": lambda epoch: resumed("resume", [], epoch),
        "Resume and NaNWatch": lambda epoch: resumed("both", [kc.callbacks.NaNWatch(data)], epoch),
    }
    seconds = {name: [] for name in ways}
    for epoch in range(rounds + 1):  # the first warms up
        for name, way in ways.items():
            start = time.perf_counter()
            way(epoch)
            seconds[name].append(time.perf_counter() - start)
    rows = []
    for name in list(ways)[1:]:
        ratios = [a / b for a, b in zip(seconds[name][1:], seconds["plain"][1:])]
        rows.append(
            {
                "what": name,
                "ratio": statistics.median(ratios),
                "lowest": min(ratios),
                "highest": max(ratios),
            }
        )
    size = max(path.stat().st_size for path in (folder / "resume").iterdir())
    return rows, size


if __name__ == "__main__":
    main()
