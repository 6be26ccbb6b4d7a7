"""Does peak memory stay flat while the number of photos grows?

Two whole processes, `kerascnn finetune --strategy probe` on 2,000 and on 20,000 synthetic photos,
and their peak anonymous memory (what the process itself holds; pages of files do not count). The
features that logistic regression reads are held in memory once, so they are subtracted.

    python recipes/benchmarks/memory.py [--weights FILE]

Writes recipes/results/memory.json; `--quick` compares 60 and 240 photos.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

RESULTS = Path(__file__).parents[1] / "results" / "memory.json"
SIZE, FEATURES = 128, 1280


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="none", help="MobileNetV2 weights without top")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    counts = (60, 240) if args.quick else (2_000, 20_000)
    rows = [measure(count, args.weights) for count in counts]
    beyond = [row["peak_bytes"] - row["feature_bytes"] for row in rows]
    result = {"rows": rows, "ratio": beyond[1] / beyond[0]}
    for row in rows:
        peak, features = (f"{row[key] / 1e6:,.0f} MB" for key in ("peak_bytes", "feature_bytes"))
        print(f"{row['photos']:,} photos: peak {peak}, of it features {features}")
    print(f"ratio beyond the features: {result['ratio']:.3f}")
    if not args.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def measure(count, weights):
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make_photos(work / "photos", count)
        command = [
            sys.executable, "-m", "kerascnn", "--quiet", "finetune", str(work / "photos"),
            "--strategy", "probe", "--engine", "keras", "--weights", weights,
            "--image-size", str(SIZE), "--output", str(work / "run"),
        ]  # fmt: skip
        environment = os.environ | {
            "KERASCNN_CACHE": str(work / "cache"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        peak = watch(process)
        if process.returncode:
            sys.exit("the fine-tuning failed")
        counts = json.loads((work / "run" / "metrics.json").read_text())["num_photos"]
    held = max(counts["train"] + counts["validation"], counts["test"])
    return {"photos": count, "peak_bytes": peak, "feature_bytes": 4 * FEATURES * held}


def make_photos(folder, count):
    """Noisy coloured photos of 300x400 pixels in four classes."""
    for i in range(count):
        rng = np.random.default_rng(i)
        path = folder / f"class{i % 4}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        small[..., i % 3] //= 1 + i % 4
        Image.fromarray(small).resize((400, 300)).save(path, quality=80)


def watch(process):
    """Peak anonymous memory of a process in bytes, looked at every 20 ms."""
    peak = 0

    def look():
        nonlocal peak
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            try:
                lines = dict(
                    line.split(":\t", 1)
                    for line in status.read_text().splitlines()
                    if ":\t" in line
                )
                peak = max(peak, 1024 * int(lines["RssAnon"].split()[0]))
            except (OSError, KeyError, ValueError):
                pass
            time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    process.wait()
    thread.join()
    return peak


if __name__ == "__main__":
    main()
