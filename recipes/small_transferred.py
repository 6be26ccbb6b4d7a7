"""What the cells of small_transfer.py say: rows, the picture, a section of RESULTS.md."""

import statistics

from benchmarks.tables import HERE, load, made_by, markdown  # beside this file
from matplotlib.figure import Figure

from kerascnn._runs import atomic_path

METHODS = ("from scratch", "frozen features", "fine-tuned")
COLORS = ("#888888", "#d08a2e", "#2f6fb0")


def rows(cells):
    """A row for each network, number of labelled images and method over its seeds."""
    groups = {}
    for cell in cells:
        groups.setdefault((cell["network"], cell["images"], cell["method"]), []).append(cell)
    ordered = sorted(groups, key=lambda key: (*key[:2], METHODS.index(key[2])))
    return [
        dict(zip(("network", "images", "method"), key))
        | {
            "error": statistics.mean(cell["error"] for cell in groups[key]),
            "errors": [cell["error"] for cell in groups[key]],
            "seconds": statistics.median(cell["seconds"] for cell in groups[key]),
        }
        for key in ordered
    ]


def picture(rows, data):
    """Test error against labelled images a class, a panel for each network."""
    networks = sorted({row["network"] for row in rows})
    figure = Figure(figsize=(4 * len(networks) + 0.5, 3.6), layout="constrained")
    panels = figure.subplots(1, len(networks), squeeze=False, sharex=True, sharey=True)[0]
    for axes, network in zip(panels, networks):
        of_it = [row for row in rows if row["network"] == network]
        for method, color in zip(METHODS, COLORS):
            draw(axes, [row for row in of_it if row["method"] == method], method, color)
        ticks = sorted({row["images"] for row in rows})
        axes.set_xscale("log")
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.minorticks_off()
        axes.set(title=network, xlabel="labelled images a class", ylim=(0, None))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel(f"test error (%), {data}")
    panels[0].legend(frameon=False, fontsize=9)
    return figure


def draw_result():
    """The picture of the published result, beside it."""
    result = load("small_transfer")
    with atomic_path(HERE / "results" / "small_transfer.png") as partial:
        picture(result["rows"], result["data"]).savefig(partial, dpi=120)


def draw(axes, rows, method, color):
    """The means as a line, the lowest and highest as a band."""
    images = [row["images"] for row in rows]
    axes.plot(images, [row["error"] for row in rows], "o-", color=color, label=method)
    low, high = [min(row["errors"]) for row in rows], [max(row["errors"]) for row in rows]
    axes.fill_between(images, low, high, color=color, alpha=0.2, linewidth=0)


def table(rows):
    """A line for each network and number of labelled images, a column for each method."""
    found = {(row["network"], row["images"], row["method"]): row for row in rows}
    lines = [
        [network, f"{images:,}", *(told(found.get((network, images, name))) for name in METHODS)]
        for network, images in dict.fromkeys((row["network"], row["images"]) for row in rows)
    ]
    return markdown(["network", "labelled images a class", *METHODS], lines)


def told(row):
    """The mean error, its range and how many seeds and minutes it took."""
    if row is None:
        return "not run"
    error, errors, minutes = f"{row['error']:.1f}", row["errors"], f"{row['seconds'] / 60:.0f} min"
    if len(errors) == 1:
        return f"{error} (1 seed, {minutes})"
    spread = f"[{min(errors):.1f}..{max(errors):.1f}]"
    return f"{error} {spread} ({len(errors)} seeds, {minutes})"


def section():
    """The section of RESULTS.md."""
    result = load("small_transfer")
    devices = sorted({f"{cell['device']}, {cell['precision']}" for cell in result["cells"]})
    return (
        f"Test error in % on the 10,000 test images of {result['data']}, mean [lowest..highest] of "
        "the seeds, and the minutes that one learned. Packaged weights from Tiny-ImageNet 32x32 "
        "(kerascnn/weights/CARDS.md) against the same network from scratch, with the same labelled "
        "images, steps and augmentation; frozen features under logistic regression. Nothing in "
        f"these trainings was chosen by the test images. On {' and '.join(devices)}.\n\n"
        f"{table(result['rows'])}\n\n![errors](results/small_transfer.png)\n\n"
        f"{made_by(result, command(result))}"
    )


def command(result):
    """What makes these cells."""
    parts = ["python recipes/small_transfer.py"]
    parts += ["--data cifar10_jpegbytes.npz"] * result["data"].endswith("(JPEG copy)")
    precisions = {cell["precision"] for cell in result["cells"]}
    assert len(precisions) == 1, precisions  # `made_by` tells one command
    parts += [f"--precision {name}" for name in precisions - {"float32"}]
    return " ".join([*parts, "--results recipes/results"])
