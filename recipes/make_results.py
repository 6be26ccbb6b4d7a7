"""Write recipes/RESULTS.md and README.md's tables from the files in recipes/results.

    python recipes/make_results.py [--check]

No figure is typed: a recipe writes its result file, this script writes the tables. `--check`
changes nothing and fails if a table is not what the result files say.
"""

import argparse
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
RESULTS = HERE / "RESULTS.md"


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
    return (
        f"{versions['cores']} cores, {versions['cpu']}; TensorFlow {versions['tensorflow']}, "
        f"Keras {versions['keras']}.\nCommand: `{command}`."
    )


def demo():
    return markdown(load("demo")["columns"], load("demo")["rows"])


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


def finetuning():
    result = load("finetune")
    rows = [
        [row["arm"], f"{row['test_accuracy']:.1%}", row["spread"], row["difference"]]
        for row in result["rows"]
    ]
    columns = [
        "same photos, same weights",
        "test accuracy (mean)",
        "lowest-highest",
        "points over the guide [95 %]",
    ]
    return (
        f"`kerascnn finetune` with its defaults, {result['seeds']} seeds, test photos used once:"
        f"\n\n{markdown(columns, rows)}\n\n"
        "Command: `python recipes/benchmarks/accuracy.py photos/ --weights FILE`."
    )


def mnist():
    result = load("pretrain_mnist")
    return "LeNet-5 on MNIST (`recipes/pretrain_mnist.py`, the paper has 0.95 %):\n\n" + markdown(
        ["result", "value"], [[key, value] for key, value in result.items()]
    )


def memory():
    result = load("memory")
    tables = [sizes(part, result[part]) for part in ("photos", "fits") if part in result]
    return (
        "Anonymous memory (MB), nothing subtracted: the peak of whole processes by their photos "
        "(fine-tuning for as many steps), and that of one process after so many fits.\n\n"
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
    rows = [[row["callback"], f"{row['ratio']:.2%}"] for row in result["rows"]]
    return (
        "The share of a training step (LeNet-5, batches of 64) that a callback takes in its hooks; "
        f"medians of {result['steps']} steps.\n\n{markdown(['callback', 'share'], rows)}\n\n"
        f"{made_by(result, 'python recipes/benchmarks/hooks.py')}"
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


def regularisers():
    result = load("mnist_regularisers")
    rows = [
        [
            row["row"],
            f"{row['error']:.2f} [{row['lowest']:.2f}, {row['highest']:.2f}]",
            f"{row['paper']:.2f}",
            ", ".join(f"{name} {value:g}" for name, value in row["setting"].items()),
        ]
        for row in result["rows"]
    ]
    columns = ["regulariser", "test error, % [95 %]", "paper, %", "chosen"]
    seeds, steps = len(result["rows"][0]["errors"]), result["rows"][0]["steps"]
    return (
        "784-1024-1024-2048-10 on MNIST, Srivastava et al. 2014, Table 9. Strengths chosen on "
        f"10,000 images that are held out; {steps:,} steps of 100 images, {seeds} seed(s); "
        "Wilson's interval of 10,000 test images.\n\n"
        f"{markdown(columns, rows)}\n\n"
        f"{made_by(result, 'python recipes/mnist_regularisers.py')}"
    )


def race():
    result = load("optimiser_race")
    rows = [
        [
            name,
            f"{min(curve['loss']):.4f}",
            f"{curve['passes'][-1]:g}",
            f"{curve['seconds'][-1]:.0f}",
        ]
        for name, curve in sorted(result["lenet5"].items(), key=lambda item: min(item[1]["loss"]))
    ]
    columns = ["method", "lowest loss", "passes", "seconds"]
    return (
        f"LeNet-5, the loss over {result['digits']:,} MNIST digits from the same start; a pass is "
        "as many gradients as there are digits. Customary rates, not tuned.\n\n"
        f"{markdown(columns, rows)}\n\n![the race](results/optimiser_race.png)\n\n"
        f"{made_by(result, result['command'])}"
    )


def tickets():
    result = load("lottery_ticket")
    lines = "\n".join(f"- {line}" for line in result["summary"])
    return (
        "Iterative magnitude pruning with rewinding, and the same masks with weights drawn anew "
        f"(Frankle and Carbin 2019), {result['epochs']} passes over MNIST a round; mean "
        "[lowest..highest] of the seeds, at the first round with at most 20 % of the weights.\n\n"
        f"{lines}\n\n![tickets and controls](results/lottery_ticket.png)\n\n"
        f"{made_by(result, result['command'])}"
    )


def ensembles():
    result = load("ensembles")
    rows = [
        [row["kind"], row["networks"], f"{row['error']:.2f}", f"{row['gain']:+.2f}"]
        for row in result["rows"]
    ]
    columns = ["kind", "networks at prediction", "test error, %", "gain, points"]
    return (
        f"A small convolutional network on {result['data']}, {result['epochs']} passes a run, "
        f"{result['members']} members; the gain is over the mean of single networks.\n\n"
        f"{markdown(columns, rows)}\n\n"
        f"![errors](results/ensembles.png)\n\n{made_by(result, result['command'])}"
    )


def growth():
    result = load("batch_growth")
    rows = [
        [
            row["arm"],
            f"{row['loss']:.4f} ± {row['std']:.4f}",
            f"{row['pooled']:.2f}",
            f"{row['updates']:,}",
            f"{row['error']:.2f}",
        ]
        for row in result["rows"]
    ]
    columns = ["arm", "training loss", "pooled deviations apart", "updates", "test error, %"]
    table = markdown(columns, rows)
    return (
        "After epochs 6 and 9 of 12 the rate falls to a fifth, or the batch grows fivefold "
        f"(Smith et al. 2018): MNIST, {result['rows'][0]['seeds']} seeds.\n\n{table}\n\n"
        "![the losses](results/batch_growth.png)\n\n"
        f"{made_by(result, 'python recipes/batch_growth.py')}"
    )


def claims():
    result = load("small_claims")
    rows = [
        [
            row["claim"],
            row["arm"],
            f"{row['value']:.4g}",
            ", ".join(f"{v:.4g}" for v in row["values"]),
        ]
        for row in result["rows"]
    ]
    return (
        f"On MNIST, at most {result['steps']:,} steps of 64 images a training.\n\n"
        f"{markdown(['measured', 'arm', 'mean', 'by seed'], rows)}\n\n"
        f"{made_by(result, 'python recipes/small_claims.py')}"
    )


def views():
    result = load("test_time_views")
    rows = [
        [
            row["trained_on"],
            row["views"],
            f"{row['pixels']:.1f}",
            f"{row['accuracy']:.1%} [{row['lowest']:.1%}, {row['highest']:.1%}]",
            f"{row['gain']:+.1f} [{row['gain_lowest']:+.1f}, {row['gain_highest']:+.1f}]",
            f"{row['mended']} / {row['broken']}",
        ]
        for row in result["rows"]
    ]
    columns = [
        "classifier trained on",
        "views",
        "pixels, in centre squares",
        "test accuracy [95 %]",
        "gain, points [95 %]",
        "photos mended / broken",
    ]
    return (
        "A quarter of MobileNet at 128x128 with linear classifiers trained on centre squares or on "
        f"ten crops, {result['photos']} test photos of clothing; Wilson's interval; gain over the "
        "one view that the classifier was trained for (square or centre crop), paired bootstrap."
        f"\n\n{markdown(columns, rows)}\n\n"
        f"{made_by(result, 'python recipes/test_time_views.py photos/ --weights FILE')}"
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


def augmentation_gain():
    result = load("augmentation_gain")
    rows = []
    for row in result["rows"]:
        low, high = min(row["errors"]), max(row["errors"])
        test = f"{row['error']:.2f} [{low:.2f}..{high:.2f}]"
        rows.append([row["arm"], len(row["errors"]), test, f"{row['train']:.2f}"])
    columns = ["augmentation", "seeds", "test error, % [lowest..highest]", "training error, %"]
    return (
        f"A small convolutional network on {result['images']:,} images of {result['data']}, "
        f"{result['epochs']} passes, the same steps in every row.\n\n{markdown(columns, rows)}\n\n"
        "![errors](results/augmentation_gain.png)\n\n"
        f"{made_by(result, 'python recipes/augmentation_gain.py --data cifar10_jpegbytes.npz')}"
    )


SECTIONS = {
    "demo": ("Ten labelled digits a class", demo),
    "models": ("Networks against plain Keras", networks),
    "transfer": ("Transfer against the plain guide", transfer),
    "finetune": ("Fine-tuning", finetuning),
    "pretrain_mnist": ("LeNet-5", mnist),
    "memory": ("Memory", memory),
    "reproducible": ("Reproducible runs", reproducible),
    "resume": ("Runs that cannot be lost", resume),
    "hooks": ("Callbacks in a step", hooks),
    "lottery_cost": ("Held masks in a step", lottery_cost),
    "mnist_regularisers": ("Regularisers", regularisers),
    "optimiser_race": ("Optimisers", race),
    "lottery_ticket": ("Lottery tickets", tickets),
    "ensembles": ("Ensembles", ensembles),
    "test_time_views": ("Views at test time", views),
    "batch_growth": ("Batches that grow", growth),
    "small_claims": ("What lectures say", claims),
    "pipeline": ("Reading photos", pipeline),
    "first_epoch": ("Reading photos, first and later epochs", first_epoch),
    "augment": ("Augmentation, how fast", augmentation_speed),
    "augmentation_gain": ("Augmentation, what it gains", augmentation_gain),
}


def readme(text):
    """README's text with its marked tables replaced."""
    marks = {"demo": ["demo"], "models": ["models"], "transfer": ["transfer", "finetune"]}
    for mark, parts in marks.items():
        body = "\n\n".join(SECTIONS[part][1]() for part in parts if load(part))
        pattern = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
        text = re.sub(pattern, lambda m, body=body: f"{m[1]}{body}\n{m[2]}", text, flags=re.S)
    return text


def results():
    parts = ["# Results", "Generated by `python recipes/make_results.py` from `recipes/results/`."]
    parts += [f"## {title}\n\n{make()}" for name, (title, make) in SECTIONS.items() if load(name)]
    return "\n\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    for path, text in {README: readme(README.read_text()), RESULTS: results()}.items():
        if args.check and (not path.exists() or path.read_text() != text):
            sys.exit(f"{path.name} is not what recipes/results says: run recipes/make_results.py")
        if not args.check:
            path.write_text(text)


if __name__ == "__main__":
    main()
