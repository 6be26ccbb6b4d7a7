"""What twenty trials of fine-tuning find, and what they cost beside the plain guide.

    python recipes/search.py photos/ --weights FILE [--trials 20] [--rounds 1]

`photos/` holds train/validation/test folders of class folders; FILE is MobileNetV2 without its top.
Whole processes, alternating, each of ours with an empty cache: Keras's own guide to transfer
learning (benchmarks/plain_guide.py: ten epochs on the frozen network, then ten on the whole of it
at 1e-5, batch normalisation frozen) against a random search of `kc.search.FineTuning` over the head
and the last stages, whose first trial is `finetune`'s default plan. Then the best values are
trained once more, and their test photos read, as those of the guide, once.
Held to: at most three times the guide's time, and no worse on validation than the default plan.
Ours: recipes/RESULTS.md. Writes search.json, search_importance.png and search_parallel.png to
recipes/results; with --quick (three trials, an epoch, few photos a class) to the working directory.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.transfer import few_photos, versions  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json

HERE = Path(__file__).parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", required=True, help="MobileNetV2 weights without top")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only-search", type=Path, help=argparse.SUPPRESS)  # its folder
    args = parser.parse_args()
    if args.quick:
        args.trials = 3
    if args.only_search:
        search(args)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if args.quick:
            args.photos = few_photos(args.photos, work / "photos")
        times = {"guide": [], "search": []}
        for _ in range(args.rounds):
            times["guide"].append(run_guide(args, work / "guide.json"))
            times["search"].append(run_search(args, work))
        result = summary(args, times, work)
        say(result)
        target = Path() if args.quick else HERE / "results"
        write_json(target / "search.json", result)
        draw(kc.search.trials(work / "search"), target)


def run_guide(args, output):
    command = [HERE / "benchmarks/plain_guide.py", args.photos, "--weights", args.weights]
    command += ["--image-size", args.image_size, "--epochs", 1 if args.quick else 10]
    return seconds_of(*command, "--finetune-all", "--output", output)


def run_search(args, work):
    for name in ("cache", "search"):
        shutil.rmtree(work / name, ignore_errors=True)
    command = [__file__, args.photos, "--weights", args.weights, "--image-size", args.image_size]
    command += ["--trials", args.trials, "--seed", args.seed, "--only-search", work / "search"]
    command += ["--quick"] * args.quick
    return seconds_of(*command, KERASCNN_CACHE=str(work / "cache"))


def seconds_of(*command, **variables):
    start = time.perf_counter()
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    subprocess.run([sys.executable, *map(str, command)], env=environment, check=True)
    return time.perf_counter() - start


def space(args):
    data = kc.data.from_directory(args.photos, args.image_size, progress=False)
    epochs = 1 if args.quick else 12
    return kc.search.FineTuning(data, weights=args.weights, epochs=epochs, seed=args.seed)


def search(args):
    found = kc.search.Tuner(space(args), args.only_search, max_trials=args.trials, seed=args.seed)
    found.search()


def summary(args, times, work):
    """The result file; here the test photos are read."""
    trials = kc.search.trials(work / "search")
    values = kc.search.best_values(work / "search")[0]
    os.environ["KERASCNN_CACHE"] = str(work / "cache")
    start = time.perf_counter()
    best = space(args).finetune(values)
    again = time.perf_counter() - start
    ratios = [ours / plain for ours, plain in zip(times["search"], times["guide"])]
    counts = {}
    for name in ("train", "validation", "test"):
        counts[name] = getattr(best.data, name).num_photos
    return {
        "command": f"python recipes/search.py photos/ --weights FILE --trials {args.trials}",
        "trials": trials,
        "seconds": times,
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "retrained_seconds": again,
        "default_accuracy": trials[0]["score"],
        "best_accuracy": max(row["score"] for row in trials if row["score"] is not None),
        "best_values": values,
        "best_test_accuracy": best.metrics["test_accuracy"],
        "guide_test_accuracy": json.loads((work / "guide.json").read_text())["test_accuracy"],
        "photos": counts,
        "image_size": args.image_size,
        "versions": versions(),
    }


def say(result):
    for row in result["trials"]:
        score = "failed" if row["score"] is None else f"{row['score']:.1%}"
        changed = ", ".join(f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
                            for name, value in row["values"].items())  # fmt: skip
        print(f"{row['trial']}  {score}  {row['seconds']:6.1f} s  {changed}")
    print(
        f"{len(result['trials'])} trials took {result['ratio']:.2f} times the plain guide "
        f"({result['lowest']:.2f}-{result['highest']:.2f}).\n"
        f"Validation: default plan {result['default_accuracy']:.1%}, best trial "
        f"{result['best_accuracy']:.1%}. Test: plain guide {result['guide_test_accuracy']:.1%}, "
        f"best trial {result['best_test_accuracy']:.1%}."
    )


def draw(trials, folder):
    kc.visualize.plot_parallel_coordinates(trials, path=folder / "search_parallel.png")
    try:
        shares = kc.search.importance(trials)
    except kc.InputError:  # too few trials
        return
    kc.visualize.plot_importance(shares, path=folder / "search_importance.png")


if __name__ == "__main__":
    main()
