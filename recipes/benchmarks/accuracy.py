"""Is the default fine-tuning better than the plain guide on the same photos?

`kerascnn finetune` with its defaults over several seeds, and its probe alone, against the plain
guide (plain_guide.py, frozen network, ten epochs) with the same seeds. All arms train on the
training photos only, choose on the validation photos, and use the test photos once. The difference
is paired over the test photos, with a bootstrap interval over photos of the mean over seeds.

    python recipes/benchmarks/accuracy.py photos/ --weights FILE [--seeds 3]

Writes recipes/results/finetune.json.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from transfer import bootstrap  # beside this file

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "finetune.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", required=True, help="MobileNetV2 weights without top")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        hits = {"plain guide, frozen": [], "kerascnn, probe": [], "kerascnn, default": []}
        for seed in range(args.seeds):
            hits["plain guide, frozen"].append(guide(args, work, seed))
            hits["kerascnn, probe"].append(ours(args, work, seed, "probe"))
            hits["kerascnn, default"].append(ours(args, work, seed, "auto"))
            for arm, runs in hits.items():
                print(f"seed {seed}: {arm}: test {np.mean(runs[-1]):.1%}", flush=True)
    result = summarise(hits)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def guide(args, work, seed):
    output = work / "guide.json"
    command = [HERE / "plain_guide.py", args.photos, "--weights", args.weights, "--seed", seed]
    run(*command, "--fixed-parallelism", "--output", output)
    return json.loads(output.read_text())["correct"]


def ours(args, work, seed, strategy):
    output = work / f"{strategy}-{seed}"
    command = ["-m", "kerascnn", "--quiet", "finetune", args.photos, "--weights", args.weights]
    run(*command, "--seed", seed, "--strategy", strategy, "--output", output, cache=work / "cache")
    with (output / "predictions.csv").open(newline="") as file:
        return [int(row["true"] == row["predicted"]) for row in csv.DictReader(file)]


def run(*command, cache="unused"):
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "KERASCNN_CACHE": str(cache)}
    subprocess.run([sys.executable, *map(str, command)], env=environment, check=True)


def summarise(hits):
    rows = []
    base = np.mean(hits["plain guide, frozen"], axis=0)
    for arm, runs in hits.items():
        shares = [100 * np.mean(run) for run in runs]
        mean, low, high = bootstrap(np.mean(runs, axis=0), base)
        rows.append(
            {
                "arm": arm,
                "test_accuracy": float(np.mean(runs)),
                "spread": f"{min(shares):.1f}-{max(shares):.1f}",
                "difference": f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]",
                "per_seed": shares,
            }
        )
    return {"rows": rows, "seeds": len(hits["plain guide, frozen"]), "test_photos": len(base)}


if __name__ == "__main__":
    main()
