"""How long does the report of a run take, once everything is evaluated?

    python recipes/benchmarks/report.py photos/ --weights FILE [--rounds 5]

A linear classifier on MobileNetV2's features of `photos/` (train / validation / test folders), then
only what `finetune` does after it: the model is saved; the surest mistakes get their pictures and
Grad-CAM; the page and the model card are written. The first time, with the tracing of Grad-CAM, is
what a run has; the median of later ones is beside it. Processor seconds are those of all cores
together: on a machine that does something else too, they say what a quiet one needs at most.

Writes recipes/results/report.json; `--quick` reads few photos and writes nothing.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from transfer import versions  # beside this file

import kerascnn as kc

RESULTS = Path(__file__).parents[1] / "results" / "report.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    data = kc.data.from_directory(args.photos, args.image_size)
    run = kc.transfer.finetune(data, "MobileNetV2", "probe", weights=args.weights)
    result = measure(run, 1 if args.quick else args.rounds) | {"versions": versions()}
    print("{first[0]:.1f} s, later {later[0]:.1f} s, {test_photos} test photos".format(**result))
    print("{kilobytes} kB with {pictures} pictures".format(**result))
    if not args.quick:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def measure(run, rounds):
    """(Seconds, processor seconds) of writing the run folder, and what the page weighs."""
    taken = []
    with tempfile.TemporaryDirectory() as work:
        for number in range(rounds + 1):
            folder = Path(work, str(number))
            folder.mkdir()
            start, used = time.perf_counter(), time.process_time()
            run.write(folder)
            taken.append((time.perf_counter() - start, time.process_time() - used))
        page = (folder / "report.html").read_bytes()
    return {
        "test_photos": run.data.test.num_photos,
        "first": taken[0],
        "later": [statistics.median(values) for values in zip(*taken[1:])],
        "rounds": rounds,
        "kilobytes": round(len(page) / 1000),
        "pictures": page.count(b"<img "),
    }


if __name__ == "__main__":
    main()
