"""The degradation figure of He et al. 2016 (Fig. 6), from the runs of reproduce.py."""

import hashlib
import json
from pathlib import Path

from experiments import EXPERIMENTS  # beside this file
from matplotlib.figure import Figure
from PIL import Image

FIGURE = Path(__file__).parent / "results" / "degradation.png"
PANELS = (("plain20", "plain56"), ("resnet20", "resnet56"))


def comparable(found):
    """The figure's runs, of one schedule and data: (length, data), {name: runs}; or None, {}.

    Of several schedules the one with the most networks, then the longest.
    """
    groups = {}
    for (name, *kind), runs in sorted(found.items(), key=lambda item: item[0][1:]):
        if name in (*PANELS[0], *PANELS[1]):
            groups.setdefault(tuple(kind), {})[name] = runs
    groups = {kind: runs for kind, runs in groups.items() if {"plain20", "resnet20"} <= set(runs)}
    kind = max(groups, key=lambda kind: (len(groups[kind]), epochs(groups[kind])), default=None)
    return kind, groups.get(kind, {})


def epochs(chosen):
    return chosen["plain20"][0]["schedule"]["epochs"]


def picture(found):
    """The figure as Markdown with its caption, or ""."""
    kind, chosen = comparable(found)
    if not chosen:
        return ""
    length, data = kind
    schedule = "paper's schedule" if length == "full" else "short schedule"
    absent = [EXPERIMENTS[name].title for pair in PANELS for name in pair if name not in chosen]
    return (
        f"![degradation](results/{FIGURE.name})\n\nPlain networks (left) and residual ones (right) "
        f"on {data}, the {schedule} of {epochs(chosen)} epochs; bold: test error, dashed: training "
        "error, with augmentation and while the weights change (He et al. 2016, Fig. 6)."
        + (f" Not run: {', '.join(absent)}." if absent else "")
    )


def digest(chosen):
    """Of the curves that are drawn: the picture holds it, so that an old one is recognised."""
    curves = {name: [run["curve"] for run in runs] for name, runs in chosen.items()}
    return hashlib.sha256(json.dumps(curves, sort_keys=True).encode()).hexdigest()


def is_current(found, path=FIGURE):
    """Whether the picture shows these runs, or none is needed."""
    _, chosen = comparable(found)
    if not (chosen and path.exists()):
        return not chosen
    with Image.open(path) as file:
        return file.text.get("Description") == digest(chosen)


def draw(found, path=FIGURE):
    """Write the picture, where there are runs for it."""
    _, chosen = comparable(found)
    if not chosen:
        return
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    both = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, names in zip(both, PANELS):
        for name, colour in zip(names, ("#c8553d", "#1f4e79")):
            for number, run in enumerate(chosen.get(name, [])):
                line(axes, run["curve"], colour, EXPERIMENTS[name].title if not number else None)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set(xlabel="epoch")
        axes.legend(frameon=False, loc="upper right")
    highest = max(run["curve"][-1]["test_error"] for runs in chosen.values() for run in runs)
    both[0].set(ylim=(0, 2.5 * highest), ylabel="error, % (bold: test, dashed: training)")
    figure.savefig(path, dpi=120, metadata={"Software": None, "Description": digest(chosen)})


def line(axes, curve, colour, label):
    epochs = [point["epoch"] for point in curve]
    for key, style in {
        "train_error": {"linewidth": 1, "linestyle": "--"},
        "test_error": {"linewidth": 2.2, "label": label},
    }.items():
        axes.plot(epochs, [point[key] for point in curve], color=colour, **style)
