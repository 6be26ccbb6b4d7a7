"""The tables of RESULTS.md that say how fast and how large: one function for each result file."""

import json
from pathlib import Path

HERE = Path(__file__).parents[1]


def load(name):
    path = HERE / "results" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def markdown(columns, rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [columns, *rows]]
    return "\n".join([lines[0], "|" + "---|" * len(columns), *lines[1:]])


def spread(row, digits=2):
    return f"{row['ratio']:.{digits}f} ({row['lowest']:.{digits}f}-{row['highest']:.{digits}f})"


def made_by(result, command):
    """Where and how a section's figures were made."""
    versions = result["versions"]
    backend = versions.get("backend", "tensorflow")
    name = {"tensorflow": "TensorFlow", "jax": "JAX"}[backend]
    return (
        f"{versions['cores']} cores, {versions['cpu']}; {name} {versions[backend]}, "
        f"Keras {versions['keras']}.\nCommand: `{command}`."
    )


def transfer():
    result = load("transfer")
    rows = []
    for row in result["rows"]:
        mean, low, high = row["difference_to_guide"]
        rows.append(
            [
                row["arm"],
                f"{row['times_faster']:.1f} ({row['lowest']:.1f}-{row['highest']:.1f})",
                f"{row['test_accuracy']:.1%}",
                f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]",
            ]
        )
    columns = ["whole process", "times faster", "test accuracy", "points over the guide [95 %]"]
    train, validation, test = result["photos"]
    versions = result["versions"]
    return (
        f"MobileNetV2 to ten classes of clothing ({train:,} / {validation} / {test} photos), "
        f"against Keras's own guide (frozen network, 10 epochs); median and spread of "
        f"{result['rounds']} rounds, start-up and file checks included, `--strategy probe`.\n\n"
        f"{markdown(columns, rows)}\n\n"
        f"Without start-up and with one decoder on both sides, caching alone gives "
        f"{result['caching_alone']:.2f} times; its ceiling, the number of passes, is "
        f"{result['caching_ceiling']:.2f}. Where the time of the last round went: {where(result)}. "
        f"{versions['cores']} cores, {versions['cpu']}; "
        f"TensorFlow {versions['tensorflow']}, Keras {versions['keras']}.\n"
        "Command: `python recipes/benchmarks/transfer.py photos/ --weights FILE`."
    )


def where(result):
    """The stages of the run on TensorFlow alone, as text."""
    stages = next(iter(result["where_the_time_goes"].values()))
    return ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in stages.items())


def memory():
    result = load("memory")
    tables = [sizes(part, result[part]) for part in ("photos", "fits", "search") if part in result]
    return (
        "Anonymous memory (MB), nothing subtracted: the peak of whole processes by their photos "
        "(fine-tuning for as many steps), and that of one process after so many fits or trials.\n\n"
        + "\n\n".join(tables)
        + "\n\n"
        "Command: `python recipes/benchmarks/memory.py`."
    )


def sizes(what, rows):
    """A table of megabytes and their ratio; the first row says after how many."""
    cells = [
        [row["what"], *(f"{size / 1e6:,.0f}" for size in row["bytes"]), f"{row['ratio']:.3f}"]
        for row in rows
    ]
    return markdown([what, *(f"{number:,}" for number in rows[0]["numbers"]), "ratio"], cells)


def reproducible():
    result = load("reproducible")
    rows = [[row["what"], spread(row)] for row in result["rows"]]
    return (
        "The time that `kerascnn.reproducible` makes of 1.00; median and spread of "
        f"{result['rows'][0]['rounds']} pairs of processes.\n\n"
        f"{markdown(['work', 'time'], rows)}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/reproducible.py')}"
    )


def scaling():
    result = load("scaling")
    rows = [
        [row["network"], f"{rate} Gbit/s", *(f"{share:.1%}" for share in shares)]
        for row in result["rows"]
        for rate, shares in row["efficiency"].items()
    ]
    found = "; ".join(
        f"{row['network']} {row['gradient_bytes'] / 1e6:.1f} MB of gradients, a step of "
        f"{result['batch_size']} photos alone {row['seconds_alone']:.2f} s, of two workers "
        f"{row['seconds_of_two']:.2f} s, exchanged {row['bytes_of_two'] / 1e6:.1f} MB, by formula "
        f"{row['bytes_by_formula'] / 1e6:.1f} MB"
        for row in result["rows"]
    )
    columns = ["network", "between workers", *(f"{n} workers" for n in result["workers"])]
    return (
        f"Measured with two workers on this machine, one core each: {found}.\n\n"
        "The share of its speed that a worker keeps. Modelled, not measured, from the step alone "
        "and the bytes; nothing overlapped, no delays:\n\n"
        f"{markdown(columns, rows)}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/scaling.py')}"
    )


def resume():
    result = load("resume")
    rows = [[row["what"], spread(row, 3)] for row in result["rows"]]
    return (
        "The time of an epoch (MobileNetV2, all layers, 160x160, a checkpoint of "
        f"{result['checkpoint_bytes'] / 1e6:.0f} MB at its end) that callbacks make of 1.000; "
        f"median and spread of {result['rounds']} interleaved rounds.\n\n"
        f"{markdown(['callbacks', 'time'], rows)}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/resume.py')}"
    )


def hooks():
    result = load("hooks")
    shares = {"ratio": "of medians", "mean_ratio": "of sums"}
    shares = {key: name for key, name in shares.items() if key in result["rows"][0]}
    rows = [[row["callback"], *(f"{row[key]:.2%}" for key in shares)] for row in result["rows"]]
    return (
        "The share of a training step (LeNet-5, batches of 64) that a callback takes in its hooks, "
        f"in {result['steps']} steps.\n\n{markdown(['callback', *shares.values()], rows)}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/hooks.py')}"
    )


def report():
    result = load("report")
    names = {"first": "the first time, as in a run", "later": f"median of {result['rounds']} more"}
    rows = [[name, *(f"{value:.1f}" for value in result[key])] for key, name in names.items()]
    columns = ["report of MobileNetV2", "seconds", "processor seconds, all cores"]
    return (
        f"What `finetune` does once its {result['test_photos']} test photos are evaluated: the "
        "model is saved, the surest mistakes get Grad-CAM, report and model card are written. "
        f"The page weighs {result['kilobytes']:,} kB with {result['pictures']} pictures.\n\n"
        f"{markdown(columns, rows)}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/report.py photos/ --weights FILE')}"
    )


def compute():
    result = load("compute")
    rows = [
        [row["training"], row["batch"], row["choice"], spread(row), f"{row['tuning_seconds']:.0f}"]
        for row in result["rows"]
    ]
    columns = ["training", "batch", "chosen", "times as fast", "seconds of measuring"]
    return (
        "What `kerascnn.tune_compute` chooses against plain `compile` and `fit`: training steps on "
        f"rows in memory, on {result['device']}; median and spread of {result['rounds']} rounds "
        f"after the choice.\n\n{markdown(columns, rows)}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/compute.py')}"
    )


def lottery_cost():
    result = load("lottery_cost")
    rows = [[row["network"], row["batch"], spread(row, 3)] for row in result["rows"]]
    return (
        "The time of a training step that held masks (`kerascnn.lottery.hold`) make of 1.000; "
        f"median and spread of {result['rows'][0]['rounds']} interleaved rounds.\n\n"
        f"{markdown(['network', 'batch', 'time'], rows)}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/lottery.py')}"
    )


def batch_norm():
    result = load("batch_norm")
    rows = [
        [
            row["network"],
            f"{row['side']} x {row['side']}",
            row["batch"],
            row["precision"],
            spread(row),
        ]
        for row in result["rows"]
    ]
    columns = ["network", "images", "batch", "precision", "times as fast as plain Keras"]
    clock, flag = {
        "process_time": ("processor's time", " --processor"),
        "perf_counter": ("wall time", ""),
    }[result["clock"]]
    return (
        "Training steps of the same network after `kerascnn.fuse_batch_norm`, on TensorFlow "
        f"without XLA; {clock}, median and spread of {result['rounds']} interleaved rounds.\n\n"
        f"{markdown(columns, rows)}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/batch_norm.py' + flag)}"
    )


def pipeline():
    return load("pipeline")["table"]


def first_epoch():
    result = load("first_epoch")
    cells = {(row["photos"], row["epochs"]): spread(row) for row in result["rows"]}
    names = dict.fromkeys(row["photos"] for row in result["rows"])
    rows = [[name, cells[name, "first"], cells[name, "later"]] for name in names]
    columns = ["on one core, times as fast as Keras", "first epoch, all included", "later epochs"]
    return (
        "Against `keras.utils.image_dataset_from_directory`, which resizes without antialiasing; "
        f"median and spread of {result['rounds']} rounds.\n\n{markdown(columns, rows)}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/first_epoch.py --photos clothing/train')}"
    )


def networks():
    """Speed of our networks, and how building grows with depth."""
    result = load("models")
    rows = [
        [
            row["network"],
            row["what"],
            row["batch"],
            f"{row['ratio']:.2f} ({row['lowest']:.2f}-{row['highest']:.2f})",
        ]
        for row in result["steps"]
    ]
    columns = ["network", "what", "batch", "times faster than the same network in plain Keras"]
    depth, versions = result["depth"], result["versions"]
    return (
        "Against `keras.applications` (ResNet-50 v1, VGG-16) and a plain Keras ResNet-20; median "
        f"and spread of {result['steps'][0]['rounds']} interleaved rounds, float32.\n\n"
        f"{markdown(columns, rows)}\n\n"
        f"ResNet-{depth['deep']} builds in {depth['build']:.2f} times ResNet-{depth['shallow']}'s "
        f"time a layer, and saves and loads in {depth['save']:.2f} and {depth['load']:.2f} times "
        "its own build time, the latter where kerascnn is not installed, at Python's default "
        f"recursion limit (median of {depth['rounds']}). "
        f"{versions['cores']} cores, {versions['cpu']}; TensorFlow {versions['tensorflow']}, "
        f"Keras {versions['keras']}.\n"
        "Command: `python recipes/benchmarks/models.py`."
    )


def augmentation_speed():
    """The augmentation engine against Keras and Albumentations, and each operation alone."""
    result = load("augment")
    rows = [
        [group, row["way"], spread(row)]
        for group in ("chain", "RandAugment")
        for row in result[group][1:]
    ]
    names = {"chain": "mirror, turn, shift, zoom, colours"}
    rows = [[names.get(group, group), *rest] for group, *rest in rows]
    alone = sorted(result["single"].items(), key=lambda item: item[1])
    columns = ["augmentation on one core", "against", "times as fast"]
    return (
        f"uint8 photos of {result['size']} x {result['size']} pixels; median and spread of "
        f"{result['rounds']} rounds.\n\n{markdown(columns, rows)}\n\n"
        "Each operation alone, with its defaults, in photos a second on this machine's one core "
        "(to compare them with each other):\n\n"
        f"{markdown(['operation', 'photos a second'], [[n, f'{v:,.0f}'] for n, v in alone])}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/augment.py')}"
    )
