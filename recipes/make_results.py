"""Write RESULTS.md, README.md's tables and the weights' cards from the files in recipes/results.

    python recipes/make_results.py [--check]

No figure is typed: a recipe writes its result file, this script writes the tables. `--check`
changes nothing and fails if a table is not what the result files say.
"""

import argparse
import re
import sys
from pathlib import Path

import cards  # beside this file
import degradation
import reproduced
import small_transferred
import transferred
from benchmarks import tables
from benchmarks.tables import load, made_by, markdown

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
RESULTS = HERE / "RESULTS.md"


def demo():
    return markdown(load("demo")["columns"], load("demo")["rows"])


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


def search():
    result = load("search")
    ratio = f"{result['ratio']:.2f} ({result['lowest']:.2f}-{result['highest']:.2f})"
    best = sorted(
        (r for r in result["trials"] if r["score"] is not None), key=lambda r: -r["score"]
    )
    rows = [
        [
            row["trial"],
            f"{row['score']:.1%}",
            f"{row['seconds']:.0f}",
            ", ".join(
                f"{name} {value:.2g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in row["values"].items()
            ),
        ]
        for row in best[:5]
    ]
    columns = ["trial", "validation accuracy", "seconds", "values"]
    train, validation, test = (result["photos"][p] for p in ("train", "validation", "test"))
    return (
        f"MobileNetV2 at {result['image_size']} pixels on ten classes of clothing ({train:,} / "
        f"{validation} / {test} photos): {len(result['trials'])} random trials took {ratio} times "
        "the plain guide's two stages of ten epochs, whole processes, empty cache. Trial 0000 is "
        f"`finetune`'s default plan: validation {result['default_accuracy']:.1%}, the best trial "
        f"{result['best_accuracy']:.1%}; test, read once, {result['best_test_accuracy']:.1%}, the "
        f"guide {result['guide_test_accuracy']:.1%}. The best five:\n\n"
        f"{markdown(columns, rows)}\n\n"
        "![the trials](results/search_parallel.png)\n\n"
        "![what they depended on](results/search_importance.png)\n\n"
        f"{made_by(result, result['command'])}"
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
        "Lectures say that ReLU learns six times faster than tanh, that dropout doubles the steps, "
        "that 30 layers learn from He's start alone, and that a network without one of its middle "
        "layers loses 2 points (recipes/small_claims.py has the sources). On MNIST, "
        f"{result['steps']} steps of 64 images at most; steps are those until the loss is 0.1, and "
        f"{result['steps']} says that it was not reached, so that a mean with it is too low.\n\n"
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
    "models": ("Networks against plain Keras", tables.networks),
    "transfer": ("Transfer against the plain guide", tables.transfer),
    "finetune": ("Fine-tuning", finetuning),
    "small_transfer": ("Few labels, small images", small_transferred.section),
    "transfer_table": ("Transfer of each network at hand", transferred.section),
    "memory": ("Memory", tables.memory),
    "reproducible": ("Reproducible runs", tables.reproducible),
    "scaling": ("Several processes", tables.scaling),
    "resume": ("Runs that cannot be lost", tables.resume),
    "hooks": ("Callbacks in a step", tables.hooks),
    "report": ("The report of a run", tables.report),
    "compute": ("Precision and compilation", tables.compute),
    "batch_norm": ("Fused batch normalisation", tables.batch_norm),
    "lottery_cost": ("Held masks in a step", tables.lottery_cost),
    "mnist_regularisers": ("Regularisers", reproduced.regularisers),
    "optimiser_race": ("Optimisers", race),
    "lottery_ticket": ("Lottery tickets", tickets),
    "ensembles": ("Ensembles", ensembles),
    "search": ("A search beside the plain guide", search),
    "test_time_views": ("Views at test time", views),
    "batch_growth": ("Batches that grow", growth),
    "small_claims": ("What lectures say", claims),
    "pipeline": ("Reading photos", tables.pipeline),
    "first_epoch": ("Reading photos, first and later epochs", tables.first_epoch),
    "augment": ("Augmentation, how fast", tables.augmentation_speed),
    "augmentation_gain": ("Augmentation, what it gains", augmentation_gain),
}


# Marks in README.md, but for "reproduce", and the sections between them.
MARKS = {"demo": ["demo"], "models": ["models"], "transfer": ["transfer", "finetune"]}


def readme(text, found):
    """README's text with its marked tables replaced."""
    bodies = {
        mark: "\n\n".join(SECTIONS[part][1]() for part in parts if load(part))
        for mark, parts in MARKS.items()
    }
    for mark, body in (bodies | {"reproduce": reproduced.summary(found)}).items():
        pattern = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
        text = re.sub(pattern, lambda m, body=body: f"{m[1]}{body}\n{m[2]}", text, flags=re.S)
    return text


def results(found):
    parts = ["# Results", "Generated by `python recipes/make_results.py` from `recipes/results/`."]
    parts += [f"## The papers' figures\n\n{reproduced.section(found)}"]
    parts += [f"## {title}\n\n{make()}" for name, (title, make) in SECTIONS.items() if load(name)]
    return "\n\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    for mark in (*MARKS, "reproduce"):
        if not re.search(f"<!-- {mark} -->\n.*<!-- /{mark} -->", README.read_text(), re.S):
            sys.exit(f"README.md lacks the marks <!-- {mark} --> and <!-- /{mark} -->.")
    found = reproduced.finished()
    texts = {README: readme(README.read_text(), found), RESULTS: results(found)}
    for path, text in (texts | {cards.PAGE: cards.page()}).items():
        if args.check and (not path.exists() or path.read_text() != text):
            sys.exit(f"{path.name} is not what recipes/results says: run recipes/make_results.py")
        if not args.check:
            path.write_text(text)
    if args.check and not degradation.is_current(found):
        sys.exit("degradation.png does not show the runs: run recipes/make_results.py")
    if not args.check:
        degradation.draw(found)
        transferred.draw_result()
        small_transferred.draw_result()


if __name__ == "__main__":
    main()
