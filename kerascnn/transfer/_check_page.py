"""What the page of a check shows: problems with what to do about them, pictures, tables."""

import collections
import datetime

import kerascnn
from kerascnn import report
from kerascnn._errors import InputError
from kerascnn.data import Decoder

_GROUPS, _IN_GROUP, _LABELS = 30, 6, 48  # pictures that a page shows at most
_SIDE = 160  # pixels of a picture
_NOT_ASKED = " No network was asked about wrong labels: --features does."
_ADVICE = [  # (part of a problem, what to do)
    ("empty file", "Copy or download them again, or delete them."),
    ("damaged", "Copy or download them again, or delete them."),
    ("not an image", "Delete them, or save them as JPEG or PNG."),
    ("unreadable", "Mend the links or the permissions."),
    ("huge", "Save them smaller: a photo needs no more pixels than the network sees."),
    ("animated", "The first frame is used. Save the frame you mean as a photo."),
    ("rotated by EXIF", "They are turned upright here and in predictions; other programs may not."),
    ("not RGB", "They are converted, in predictions too: transparency to white, 16 bits to 8."),
    ("does not fit its format", "They are read by what they hold. Rename them for other programs."),
    ("same photo in two classes", "Decide which class is right and delete the other copy."),
    ("same photo twice", "They stay in one split. Delete the copies: they only count twice."),
    ("also in a held-out split", "They are left out, so that the score stays honest. Delete them."),
    ("in another split", "Move or delete one of each: they make held-out scores too good."),
    ("of another class", "Decide which class is right."),
    ("another photo of its class", "They stay in one split, unless folders part them."),
    ("fewer than 3 photos", "Add photos, or join the class with another: it cannot be tested."),
    ("has no training photo", "Add training photos of the class."),
    ("empty class folder", "Add photos, or delete the folder."),
    ("folder inside a class folder", "Move its photos up: they are not looked at."),
    ("photo outside", "Move them into a class folder: they are not used."),
    ("folder beside", "Name it train, validation or test, or move it away: it is not used."),
]


def write(path, check):
    """Write the page of a `PhotoCheck`."""
    report.write(path, _page(check))


def _page(check):
    inventory = check.inventory
    asked = "" if check.suspicious is not None else _NOT_ASKED
    return {
        "title": f"{inventory.root.resolve().name or inventory.root}: what is in the folder",
        "created": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        "subtitle": "Nothing was changed. Files that are not used are listed in quarantine.csv, "
        f"everything else in check.json.{asked}",
        "summary": _tiles(check),
        "findings": [_finding(finding) for finding in inventory.findings],
        "galleries": [*_similar(check), *_suspicious(check)],
        "splits": inventory.counts(),
        "tables": [*_shift(check), *_statistics(check.statistics)],
        "versions": {"kerascnn": kerascnn.__version__},
    }


def _tiles(check):
    inventory = check.inventory
    sizes = collections.Counter(photo.label for photo in inventory.photos).most_common()
    (largest, most), (smallest, least) = sizes[0], sizes[-1]
    crossing = sum(len({photo.split for photo in group}) > 1 for group in check.similar)
    tiles = [
        ("Photos", len(inventory.photos), f"in {len(inventory.class_names)} classes"),
        ("Not used", len(inventory.quarantine), "files; quarantine.csv says why"),
        ("Look the same", len(check.similar), f"groups of photos, {crossing} across splits"),
        (
            "Imbalance",
            f"{check.imbalance():.1f}",
            f"times: {largest} {most:,}, {smallest} {least:,}",
        ),
    ]
    if check.suspicious is not None:
        tiles.append(("Suspicious labels", len(check.suspicious), "the network doubts them"))
    return tiles


def _finding(finding):
    return {
        "problem": finding.problem,
        "action": finding.action,
        "count": len(finding.paths),
        "examples": finding.paths[:10],
        "advice": next((text for part, text in _ADVICE if part in finding.problem), None),
    }


def _similar(check):
    if not check.similar:
        return []

    def gravity(group):
        return -len({photo.label for photo in group}), -len({photo.split for photo in group})

    shown = sorted(check.similar, key=gravity)[:_GROUPS]
    groups = [[_picture(check, photo) for photo in group[:_IN_GROUP]] for group in shown]
    what = f"{len(check.similar):,} groups" if len(check.similar) > 1 else "1 group"
    note = (
        f"{what} of copies: compressed again, resized, brightened, cropped or mirrored. First "
        "those of several classes (which is right?), then those of several splits (move or delete "
        "one)."
    )
    return [{"title": "Photos that look the same", "note": note, "groups": groups}]


def _suspicious(check):
    if not check.suspicious:
        return []
    pictures = [
        _picture(check, row["photo"], ("looks like", row["suggested"]))
        for row in check.suspicious[:_LABELS]
    ]
    note = (
        f"The {len(pictures)} worst of {len(check.suspicious)}, the worst first. A linear "
        "classifier that had not seen the photo was surer of another class than it is on average "
        "of photos with that label. Look at each: mend the label, or leave it if the photo is only "
        "unusual."
    )
    return [{"title": "Suspicious labels", "note": note, "groups": [pictures]}]


def _picture(check, photo, *lines):
    given = [("class", photo.label), *lines, ("split", photo.split)]
    return {"path": photo.path, "thumbnail": _thumbnail(check, photo), "lines": given}


def _thumbnail(check, photo):
    """The photo in its own proportions; None if it is gone meanwhile."""
    width, height = dict(note.split(" ", 1) for note in photo.notes if " " in note)["size"].split(
        "x"
    )
    scale = _SIDE / max(int(width), int(height))
    size = [max(1, round(int(side) * scale)) for side in (height, width)]
    try:
        return report.thumbnail(Decoder(size).read(check.inventory.root / photo.path), _SIDE)
    except InputError:
        return None


def _shift(check):
    """[one table: do the other splits resemble the training photos?], or [] without others."""
    if not check.class_shift:
        return []
    columns = ["Split", "Class shares differ by", "p-value"]
    rows = [
        [split, report.percent(shares["total_variation"]), _p(shares["p_value"])]
        for split, shares in check.class_shift.items()
    ]
    if check.feature_shift is not None:
        columns += ["Told apart by features (AUC)", "p-value"]
        for row in rows:
            found = check.feature_shift.get(row[0], {"auc": None, "p_value": None})
            row += [found["auc"] and f"{found['auc']:.2f}", _p(found["p_value"])]
    verdict = "They do: no difference is more than chance."
    if said := check.differences():
        verdict = f"Not quite ({'; '.join(said)}): held-out scores may not be those of new photos."
    note = (
        f"{verdict} Shares differ by half the sum of their differences; an AUC of 0.5 is a guess."
    )
    title = "Do the other splits resemble the training photos?"
    return [{"title": title, "note": note, "columns": columns, "rows": rows}]


def _p(value):
    if value is None:
        return None
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _statistics(found):
    rows = [
        [name, *(f"{value / scale:,.{digits}f}" for value in found[key].values())]
        for name, key, scale, digits in (
            ("Width (pixels)", "width", 1, 0),
            ("Height (pixels)", "height", 1, 0),
            ("Width / height", "aspect", 1, 2),
            ("File size (kB)", "bytes", 1000, 1),
        )
    ]
    kinds = [
        ["Format", _listed(found["formats"])],
        ["Mode", _listed(found["modes"])],
        ["Grey photos among RGB", f"{len(found['grey']):,}"],
        ["Mean of the channels (0-255)", ", ".join(f"{m:.1f}" for m in found["mean"])],
        ["Standard deviation", ", ".join(f"{s:.1f}" for s in found["std"])],
    ]
    return [
        {"title": "Sizes", "columns": ["", "Smallest", "Median", "Largest"], "rows": rows},
        {"title": "Formats and colours", "columns": ["", "Photos"], "rows": kinds},
    ]


def _listed(counts):
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
