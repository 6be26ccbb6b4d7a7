"""How much faster is transfer learning when nothing is computed twice?

Whole processes, start-up and file checks included, alternating: the plain Keras guide
(plain_guide.py: ten epochs of `fit` on a frozen MobileNetV2) against `kerascnn finetune
--strategy probe` on the same photos and weights, each of ours with an empty cache; then a second
run of ours on the same photos with another seed. Paired test accuracy with a bootstrap interval.

    python recipes/benchmarks/transfer.py photos/ --weights FILE [--rounds 3]

`photos/` holds train/validation/test folders of class folders. Without process start-up, and with
one decoder on both sides, caching alone is shown in the last row: its ceiling is the number of
passes, (10 (train + validation) + test) / (train + validation + test).
Writes recipes/results/transfer.json; `--quick` runs one round on a few photos a class.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "transfer.json"
EPOCHS = 10
WHERE = {}  # options of ours: {stage: seconds} of the last round
ONCE = {"plain guide, autotuned"}  # the same work, to show what autotuning changes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", required=True, help="MobileNetV2 weights without top")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        photos = few_photos(args.photos, work / "photos") if args.quick else args.photos
        rounds = 1 if args.quick else args.rounds
        arms = make_arms(photos.resolve(), args, work)
        seconds, correct = run_arms(arms, rounds)
        in_process = caching_alone(
            photos, args.weights, args.image_size, 1 if args.quick else EPOCHS
        )
        result = summarise(seconds, correct, in_process, rounds, photos)
    print(table(result))
    if not args.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


def make_arms(photos, args, work):
    """{name: function that runs one process and returns a 0/1 array over the test photos}."""
    guide = [
        sys.executable, str(HERE / "plain_guide.py"), str(photos), "--weights", args.weights,
        "--image-size", str(args.image_size), "--epochs", str(1 if args.quick else EPOCHS),
    ]  # fmt: skip
    ours = [
        sys.executable, "-m", "kerascnn", "--quiet", "finetune", str(photos), "--strategy", "probe",
        "--weights", args.weights, "--image-size", str(args.image_size),
    ]  # fmt: skip

    def run_guide(*options):
        output = work / "guide.json"
        run([*guide, *options, "--output", str(output)])
        return json.loads(output.read_text())["correct"]

    def run_ours(*options, keep_cache=False):
        shutil.rmtree(work / "run", ignore_errors=True)
        if not keep_cache:
            shutil.rmtree(work / "cache", ignore_errors=True)
        run([*ours, *options, "--output", str(work / "run")], KERASCNN_CACHE=str(work / "cache"))
        metrics = json.loads((work / "run" / "metrics.json").read_text())
        WHERE[" ".join(options)] = metrics["seconds"]
        with (work / "run" / "predictions.csv").open(newline="") as file:
            return [int(row["true"] == row["predicted"]) for row in csv.DictReader(file)]

    arms = {
        "plain guide": lambda: run_guide("--fixed-parallelism"),
        "plain guide, autotuned": run_guide,
        "kerascnn, TensorFlow alone": lambda: run_ours("--engine", "tensorflow"),
        "kerascnn, second run": lambda: run_ours(
            "--engine", "tensorflow", "--seed", "1", keep_cache=True
        ),
    }
    if installed("openvino"):
        arms["kerascnn, OpenVINO float32"] = lambda: run_ours("--engine", "openvino")
        if "amx_bf16" in Path("/proc/cpuinfo").read_text():
            bfloat16 = ("--engine", "openvino", "--precision", "bfloat16")
            arms["kerascnn, OpenVINO bfloat16"] = lambda: run_ours(*bfloat16)
    return arms


def few_photos(photos, folder, count=4):
    """A folder of links to `count` photos of each class and split, for a quick run."""
    for split in ("train", "validation", "test"):
        for source in sorted((photos / split).iterdir()):
            target = folder / split / source.name
            target.mkdir(parents=True)
            for file in sorted(source.iterdir())[:count]:
                (target / file.name).symlink_to(file.resolve())
    return folder


def run(command, **environment):
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")


def installed(name):
    import importlib.util

    return importlib.util.find_spec(name) is not None


def run_arms(arms, rounds):
    """Wall seconds {arm: [per round]} and test hits {arm: list}, the arms in turn."""
    seconds, correct = {name: [] for name in arms}, {}
    for number in range(rounds):
        for name, arm in arms.items():
            if number and name in ONCE:
                continue
            start = time.perf_counter()
            correct[name] = arm()
            seconds[name].append(time.perf_counter() - start)
            share = np.mean(correct[name])
            print(
                f"round {number + 1}: {name}: {seconds[name][-1]:.1f} s, test {share:.1%}",
                flush=True,
            )
    return seconds, correct


def caching_alone(folder, weights, size, epochs):
    """(guide seconds, our seconds) inside one process, both with kerascnn's decoder."""
    import keras

    import kerascnn as kc

    with tempfile.TemporaryDirectory() as cache:
        os.environ["KERASCNN_CACHE"] = cache
        data = kc.data.from_directory(folder, size, progress=False)
        network = kc.transfer.backbone("MobileNetV2", weights, image_size=size)
        network.trainable = False
        head = keras.layers.Dense(len(data.class_names), activation="softmax")
        model = keras.Model(network.input, head(network.output))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        decoding = {
            name: Decoding(folder, getattr(data, name)) for name in ("train", "validation", "test")
        }
        model.fit(decoding["test"], epochs=1, verbose=0, steps_per_epoch=1)  # trace
        model.evaluate(decoding["test"], verbose=0)
        start = time.perf_counter()
        model.fit(
            decoding["train"], validation_data=decoding["validation"], epochs=epochs, verbose=0
        )
        model.evaluate(decoding["test"], verbose=0)
        guide = time.perf_counter() - start

        shutil.rmtree(cache)
        extractor = kc.transfer.FeatureExtractor(network, engine="keras")
        network.predict_on_batch(np.zeros((32, size, size, 3)))  # trace
        start = time.perf_counter()
        data = kc.data.from_directory(folder, size, progress=False)
        parts = [
            np.asarray(extractor(split, progress=False))
            for split in (data.train, data.validation, data.test)
        ]
        probe = kc.transfer.fit_probe(
            parts[0], data.train.labels, (parts[1], data.validation.labels)
        )
        probe.predict(parts[2])
        return guide, time.perf_counter() - start


def decoding_class():
    import keras

    import kerascnn as kc

    class Decoding(keras.utils.PyDataset):
        """Decodes its photos in every epoch, two batches ahead in threads."""

        def __init__(self, folder, split):
            super().__init__(workers=2, max_queue_size=4)
            self.folder, self.split = Path(folder), split

        def __len__(self):
            return self.split.num_batches

        def __getitem__(self, index):
            rows = range(index * 32, min((index + 1) * 32, self.split.num_photos))
            size = self.split.decoder.image_size
            files = [self.folder / self.split.paths[i] for i in rows]
            images = np.stack([kc.data.decode_file(file, size) for file in files])
            return images.astype(np.float32), self.split.labels[list(rows)]

    return Decoding


def Decoding(folder, split):
    return decoding_class()(folder, split)


def summarise(seconds, correct, in_process, rounds, photos):
    guide = np.array(seconds["plain guide"])
    rows = []
    for name, values in seconds.items():
        ratios = guide[: len(values)] / np.array(values)
        rows.append(
            {
                "arm": name,
                "seconds": [round(value, 2) for value in values],
                "times_faster": statistics.median(ratios),
                "lowest": ratios.min(),
                "highest": ratios.max(),
                "test_accuracy": float(np.mean(correct[name])),
                "difference_to_guide": bootstrap(correct[name], correct["plain guide"]),
            }
        )
    counts = [len(list((photos / part).glob("*/*"))) for part in ("train", "validation", "test")]
    return {
        "rows": rows,
        "caching_alone": in_process[0] / in_process[1],
        "caching_ceiling": (EPOCHS * sum(counts[:2]) + counts[2]) / sum(counts),
        "where_the_time_goes": WHERE,
        "rounds": rounds,
        "photos": counts,
        "versions": versions(),
    }


def bootstrap(ours, theirs, draws=10_000):
    """Difference of accuracy in points on the same photos: [mean, low, high], 95 %."""
    difference = 100 * (np.array(ours) - np.array(theirs))
    rng = np.random.default_rng(0)
    means = difference[rng.integers(0, len(difference), (draws, len(difference)))].mean(axis=1)
    return [float(difference.mean()), *map(float, np.percentile(means, [2.5, 97.5]))]


def versions():
    from kerascnn.transfer.run import versions as installed_versions

    file = Path("/proc/cpuinfo")  # Linux's
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.partition(": ")[2] for line in lines if "model name" in line]
    cpu = names[0] if names else platform.processor()
    return {**installed_versions(), "cpu": cpu, "cores": os.cpu_count()}


def table(result):
    lines = [
        "| whole process | times faster (median) | spread | accuracy | against the guide, points |",
        "|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        mean, low, high = row["difference_to_guide"]
        lines.append(
            f"| {row['arm']} | {row['times_faster']:.2f} "
            f"| {row['lowest']:.2f}-{row['highest']:.2f} "
            f"| {row['test_accuracy']:.1%} | {mean:+.1f} [{low:+.1f}, {high:+.1f}] |"
        )
    lines.append(
        f"\nWithout start-up, one decoder: {result['caching_alone']:.2f} times faster "
        f"(ceiling by passes: {result['caching_ceiling']:.2f})."
    )
    for options, stages in result["where_the_time_goes"].items():
        spent = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in stages.items())
        lines.append(f"{options}: {spent}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
