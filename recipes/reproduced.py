"""What the runs of reproduce.py reached, beside their papers: the tables of `make_results.py`.

Short schedules are rows of their own, which say so; what has no result file is "not run".
"""

import itertools
import json
import statistics
from pathlib import Path

from benchmarks.tables import load, made_by, markdown  # beside this file
from degradation import picture  # beside this file
from experiments import EXPERIMENTS  # beside this file

FOLDER = Path(__file__).parent / "results" / "reproduce"
# Pre-training on Tiny-ImageNet has no figure of a paper; what it gave is in the weights' cards.
NAMES = [name for name, row in EXPERIMENTS.items() if "Tiny-ImageNet" not in row.data]
COLUMNS = ["network", "data", "schedule", "test error, %", "paper, %", "time of a run", "device"]
COLUMNS += ["images/s", "share of the matmul peak"]


def finished(folder=FOLDER):
    """The result files: {(name, "full" or "short 40", data): runs, the lowest seed first}."""
    runs = sorted(
        (json.loads(file.read_text("utf-8")) for file in Path(folder).glob("*.json")),
        key=lambda run: (run["length"], run["schedule"]["epochs"], run["data"], run["seed"]),
    )
    found = {}
    for name in NAMES:
        for run in runs:
            if run["name"] == name:
                found.setdefault((name, run["length"], run["data"]), []).append(run)
    return found


def section(found):
    """The text of RESULTS.md: all experiments, their sources, and what repeats the runs."""
    rows = []
    for name in NAMES:
        full_run = any((key, length) == (name, "full") for key, length, _ in found)
        rows += [] if full_run else [not_run(name)]
        rows += rows_of(name, found)
    parts = [
        "Networks trained as their papers did; a **short** schedule is a row of its own, and not "
        "the paper's experiment. Errors: mean [lowest..highest] of the seeds. The share: the "
        "multiply-adds of training (three times the forward pass) against the most that the same "
        "device made in large products of matrices, in any run; where other work ran beside a "
        "training, share and time are worse than the device's. Dropout's table on MNIST is below: "
        "Regularisers.",
        markdown(COLUMNS, rows),
        picture(found),
        listed("Sources", {name: EXPERIMENTS[name].source for name in NAMES}),
        listed("What these full trainings differ from the papers' in", differences()),
        listed("Short schedules", short_schedules(found)),
        commands(found),
    ]
    return "\n\n".join(part for part in parts if part)


def summary(found):
    """README's short form: what was run, and the names of the rest."""
    ran = {name for name, *_ in found}
    rows = [cells[:-2] for name in NAMES for cells in rows_of(name, found)]
    rest = [EXPERIMENTS[name].title for name in NAMES if name not in ran]
    left = f"Not run: {'; '.join(rest)}." if rest else ""
    return "\n\n".join([markdown(COLUMNS[:-2], rows)] * bool(rows) + [left] * bool(left))


def regularisers():
    """Dropout's table, from the result of mnist_regularisers.py."""
    result = load("mnist_regularisers")
    rows = [
        [
            row["row"],
            f"{row['error']:.2f} [{row['lowest']:.2f}, {row['highest']:.2f}]",
            f"{row['paper']:.2f}",
            ", ".join(
                name if value is True else f"{name} {value:g}"
                for name, value in row["setting"].items()
            ),
        ]
        for row in result["rows"]
    ]
    columns = ["regulariser", "test error, % [95 %]", "paper, %", "chosen"]
    seeds, steps = len(result["rows"][0]["errors"]), result["rows"][0]["steps"]
    return (
        "784-1024-1024-2048-10 on MNIST, Srivastava et al. 2014, Table 9. Strengths chosen on "
        f"10,000 images that are held out; {steps:,} steps of 100 images, {seeds} seed(s); "
        "Wilson's interval of 10,000 test images. The paper's order is not reproduced: in so few "
        "steps the networks with dropout do not get far enough.\n\n"
        f"{markdown(columns, rows)}\n\n"
        f"{made_by(result, 'python recipes/mnist_regularisers.py')}"
    )


# --- rows --------------------------------------------------------------------------------------


def rows_of(name, found):
    """The rows of an experiment that was run: one for each schedule and data."""
    experiment = EXPERIMENTS[name]
    return [
        [
            experiment.title,
            data,
            schedule_of(experiment, length, runs[0]["schedule"]["epochs"]),
            error(runs),
            paper(experiment),
            *speeds(runs, peaks(found)),
        ]
        for (key, length, data), runs in found.items()
        if key == name
    ]


def not_run(name):
    """The row of a paper's schedule that was not run."""
    experiment = EXPERIMENTS[name]
    schedule = schedule_of(experiment, "full", experiment.full.epochs)
    cells = [experiment.title, experiment.data, schedule, "not run", paper(experiment)]
    return cells + ["-"] * (len(COLUMNS) - len(cells))


def paper(experiment):
    """The published error, and which one where it is not the usual."""
    if experiment.published is None:
        return "not printed"
    usual = experiment.measure == "test error"
    return f"{experiment.published:.2f}" + ("" if usual else f" ({experiment.measure})")


def schedule_of(experiment, length, epochs):
    if length == "full":
        return f"the paper's: {epochs} epochs" if epochs else "the paper's: epochs not printed"
    return f"**short**: {epochs} epochs, the paper has {experiment.full.epochs}"


def error(runs):
    """The mean test error [lowest..highest] of the seeds."""
    errors = [run["error"] for run in runs]
    if len(errors) == 1:
        return f"{errors[0]:.2f} (1 seed)"
    low, high = min(errors), max(errors)
    return f"{statistics.mean(errors):.2f} [{low:.2f}..{high:.2f}] ({len(errors)} seeds)"


def peaks(found):
    """{device: the most multiply-adds a second in products of matrices that a run measured}."""
    measured = {}
    for run in itertools.chain(*found.values()):
        peak = multiply_adds(run) / run["matmul_share"]
        measured[device(run)] = max(peak, measured.get(device(run), 0))
    return measured


def multiply_adds(run):
    """Of training, a second: forward, and backward twice that."""
    return 3 * EXPERIMENTS[run["name"]].multiply_adds * run["images_per_second"]


def speeds(runs, peaks):
    """Cells of time, device, images a second and share; means for each device that was used."""
    devices = {}
    for run in runs:
        devices.setdefault(device(run), []).append(run)

    def means(of):
        return [statistics.mean(map(of, group)) for group in devices.values()]

    cells = [
        [duration(seconds) for seconds in means(lambda run: run["seconds"])],
        devices,
        [f"{rate:,.0f}" for rate in means(lambda run: run["images_per_second"])],
        [f"{share:.0%}" for share in means(lambda run: multiply_adds(run) / peaks[device(run)])],
    ]
    return [" / ".join(cell) for cell in cells]


def device(run):
    versions = run["versions"]
    name = run["device"]
    if name == "CPU":
        name = f"{versions['cores']} cores, {versions['cpu']}"
    return f"{name}; {run['backend']}, {run['precision']}"


def duration(seconds):
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


# --- text below the table ----------------------------------------------------------------------


def listed(heading, texts):
    """{name: text} as a list, in which networks of the same text share a line; "" if empty."""
    groups = {}
    for name, text in texts.items():
        groups.setdefault(text, []).append(EXPERIMENTS[name].title)
    lines = [f"- {'; '.join(titles)}: {text}" for text, titles in groups.items() if text]
    return "\n".join([f"{heading}:\n", *lines]) if lines else ""


def differences():
    return {name: EXPERIMENTS[name].differs for name in NAMES}


def short_schedules(found):
    """What was chosen in each, beside the epochs of the table, as text."""
    texts = {}
    for (name, _, _), (run, *_) in found.items():
        if run["length"].startswith("short"):
            chosen = dict(run["schedule"], epochs=None)
            cycle = ["one cycle"] if chosen.get("falls", {}) is None else []
            if chosen.get("optimizer") == "AdamW":
                del chosen["momentum"]  # of SGD alone
            told = [f"{key.replace('_', ' ')} {value}" for key, value in chosen.items() if value]
            texts[name] = ", ".join(told + cycle)
    return texts


def commands(found):
    """What repeats the runs, with the versions of the last seed's."""
    lines = []
    for runs in found.values():
        last, versions = runs[-1], runs[-1]["versions"]
        commits = [run["commit"] for run in runs if run["commit"]]  # one for each seed
        told = [f"commit {', '.join(dict.fromkeys(commits))}"] * bool(commits)
        told += [last["backend"], f"Keras {versions['keras']}"]
        lines.append(f"- `{last['command']}` ({'; '.join(told)})")
    return lines and "Commands:\n\n" + "\n".join(lines)
