"""What the cells of transfer_table.py say: rows, their table and picture, a part of RESULTS.md."""

import collections
import statistics

from benchmarks.tables import HERE, load, made_by, markdown  # beside this file

from kerascnn._runs import atomic_path

DEPTHS = {"probe": "frozen features", "partial": "last stage", "full": "whole network"}
PARTS = ("train", "validation", "test")
MARKERS = {"probe": "o", "partial": "^", "full": "s"}


def rows(cells):
    """A row for each (data set, network, depth) over its seeds, the best network first."""
    groups = collections.defaultdict(list)
    for cell in cells:
        groups[cell["data"], cell["network"], cell["depth"]].append(cell)
    found = [row_of(seeds) for seeds in groups.values()]
    best = collections.defaultdict(float)
    for row in found:
        key = row["data"], row["network"]
        best[key] = max(best[key], row["accuracy"])
    return sorted(
        found,
        key=lambda row: (
            row["data"],
            -best[row["data"], row["network"]],
            row["network"],
            list(DEPTHS).index(row["depth"]),
        ),
    )


def row_of(seeds):
    """The cells of several seeds as one: the mean accuracy, median seconds and megabytes."""
    from kerascnn.transfer._scores import wilson_interval

    accuracies = [cell["accuracy"] for cell in seeds]
    mean = statistics.mean(accuracies)
    same = ("data", "network", "depth", "image_size", "parameters", "weights", "num_photos")
    row = {name: seeds[0][name] for name in (*same, "versions")}
    row |= {"accuracy": mean, "accuracies": accuracies, "log_me": seeds[0].get("log_me")}
    row["interval"] = wilson_interval(mean, row["num_photos"]["test"])
    for name in ("seconds", "memory_mb"):
        row[name] = statistics.median(cell[name] for cell in seeds)
    row["engines"] = sorted({engine for cell in seeds for engine in cell["engines"]})
    return row


def table(result):
    """The rows as a Markdown table; what was not run is at its end, by reason."""
    columns = ["network", "pixels", "parameters, M", "weights, MB", "trained"]
    columns += ["test accuracy [95 %]", "lowest..highest (seeds)", "seconds", "memory, MB", "LogME"]
    parts = []
    for data in dict.fromkeys(row["data"] for row in result["rows"]):
        of_data = [row for row in result["rows"] if row["data"] == data]
        train, validation, test = (of_data[0]["num_photos"][part] for part in PARTS)
        parts.append(
            f"**{data.partition(' (')[0]}** ({train:,} photos of training, {validation:,} of "
            f"validation, {test:,} of test):\n\n{markdown(columns, map(cells_of, of_data))}"
        )
    reasons = collections.defaultdict(list)
    for name, why in result["not_run"].items():
        reasons[why].append(name)
    parts += [f"Not run: {', '.join(names)} ({why.rstrip('.')})." for why, names in reasons.items()]
    return "\n\n".join(parts)


def cells_of(row):
    low, high = row["interval"]
    accuracies = row["accuracies"]
    return [
        row["network"],
        row["image_size"],
        f"{row['parameters'] / 1e6:.2f}",
        f"{4 * row['parameters'] / 1e6:.1f}",
        DEPTHS[row["depth"]],
        f"{row['accuracy']:.1%} [{low:.1%}, {high:.1%}]",
        f"{min(accuracies):.1%}..{max(accuracies):.1%} ({len(accuracies)})",
        f"{row['seconds']:.0f}",
        f"{row['memory_mb']:,.0f}",
        "" if row["log_me"] is None else f"{row['log_me']:.3f}",
    ]


def plot(rows, path):
    """Accuracy against seconds: a panel a data set, a colour a network, a marker a depth."""
    from matplotlib import ticker  # not in the processes that are timed
    from matplotlib.figure import Figure

    sets = list(dict.fromkeys(row["data"] for row in rows))
    names = list(dict.fromkeys(row["network"] for row in rows))
    figure = Figure(figsize=(1 + 5.5 * len(sets), 4.5), layout="constrained")
    for axes, data in zip(figure.subplots(1, len(sets), squeeze=False)[0], sets):
        for number, name in enumerate(names):
            points = [row for row in rows if (row["data"], row["network"]) == (data, name)]
            draw(axes, points, f"C{number}", name)
        axes.set(title=data, xlabel="seconds of a whole process", xscale="log")
        axes.set_ylabel("test accuracy, %")
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_formatter("")
        axes.grid(alpha=0.3)
    for depth in dict.fromkeys(row["depth"] for row in rows):
        axes.plot([], [], MARKERS[depth], color="grey", label=DEPTHS[depth])
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=120)


def draw_result():
    """The picture of the published result, beside it."""
    plot(load("transfer_table")["rows"], HERE / "results" / "transfer_table.png")


def draw(axes, points, color, name):
    """A network: its depths, joined, with the intervals of their accuracies."""
    x = [row["seconds"] for row in points]
    y = [100 * row["accuracy"] for row in points]
    axes.plot(x, y, color=color, linewidth=1, label=name)
    for row, seconds, percent in zip(points, x, y):
        low, high = (100 * end for end in row["interval"])
        axes.plot([seconds] * 2, [low, high], color=color, alpha=0.35, linewidth=3)
        axes.plot(seconds, percent, MARKERS[row["depth"]], color=color)


def section():
    """The section of RESULTS.md."""
    result = load("transfer_table")
    engines = sorted({engine for row in result["rows"] for engine in row["engines"]})
    return (
        "Pretrained networks whose weights were at hand: packaged with kerascnn, in Keras's cache "
        "or in a folder of files; nothing was downloaded. Each cell is a process of its own, from "
        "the start of Python to the test figures, its cache of photos and features in use and "
        f"empty at the start; frozen parts on {' and '.join(engines)}, whichever was faster. "
        "`finetune` with its defaults up to the depth named: choices by the validation photos, "
        "test photos read once, at the end. Mean accuracy over the seeds with Wilson's interval of "
        "the test photos; median seconds and largest resident memory. LogME compares frozen "
        "features before any training, higher is better.\n\n"
        f"{table(result)}\n\n"
        "![accuracy against seconds](results/transfer_table.png)\n\n"
        f"{made_by(result['rows'][0], result['command'])}"
    )
