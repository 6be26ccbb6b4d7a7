"""Photos for a command, read while Keras starts."""

import json
import sys
from pathlib import Path

from kerascnn._console import described, starting_keras
from kerascnn._errors import InputError, one_of

_FINETUNE = (
    "backbone", "weights", "strategy", "epochs", "learning_rate", "views", "class_weight", "engine",
    "precision", "seed", "recipe",
)  # fmt: skip


def refuse_inside(output, photos):
    """An output folder among the class folders would be read as a class the next time."""
    if output.resolve().is_relative_to(photos.resolve()):
        raise InputError(
            f"The output folder {output} is inside {photos}, where it would be taken for a class "
            "of photos. Choose another one with --output."
        )


def read_recipe(path, context):
    """The arguments of `finetune` that a JSON file holds, but for those that were typed."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no file {path}. `kerascnn tune` writes best.json.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} must hold a JSON object of finetune's arguments.")
    for name in found:
        one_of(name, _FINETUNE, f"argument of finetune in {path}:")
    for name in found.keys() & {"backbone", "weights"}:
        found[name] = "none" if found[name] is None else str(found[name])
    return {name: value for name, value in found.items() if not _typed(name, context)}


def _typed(name, context):
    """Whether an option was typed; `recipe` is the file itself."""
    source = context.get_parameter_source(name)
    return name != "recipe" and source is not None and source.name == "COMMANDLINE"


def read_photos(photos, backbone, weights, image_size, resize, seed, manifest, verbose):
    """(data, weights): `from_directory`, done while TensorFlow starts, for a backbone's photos."""
    decoder, weights = reading_for(backbone, weights, image_size, resize)
    return read_decoded(photos, decoder, seed, manifest, verbose), weights


def read_decoded(photos, decoder, seed, manifest, verbose):
    """`from_directory` for a `Decoder`, done while TensorFlow starts."""
    from kerascnn.data import inspect_directory

    with starting_keras():
        inventory = inspect_directory(
            photos, decoder, seed=seed, manifest=manifest, progress=verbose
        )
        if verbose:
            say_skipped(inventory.findings)
    from kerascnn.data.pipeline import ImageData, StoredPixels

    read = StoredPixels(decoder, root=photos)
    options = {"batch_size": 32, "one_hot": False, "seed": seed}
    return ImageData.assemble(read, inventory, decoder, **options)


def reading_for(backbone, weights, image_size, resize):
    """(`Decoder`, weights) for a backbone; what was not given is the backbone's own."""
    from kerascnn.data import Decoder
    from kerascnn.transfer.backbones import list_backbones

    rows = {row.name: row for row in list_backbones()}
    row = rows[one_of(backbone, rows, "backbone")]
    size = row.image_size if image_size is None else image_size
    weights = weights or row.weights[0]
    if weights.lower() == "none":
        weights = None
    elif weights not in row.weights and not Path(weights).is_file():
        raise InputError(
            f"There is no weights file {weights}. Pass the path of one, none, or a name that "
            f"{backbone} has: {', '.join(row.weights)}."
        )
    return Decoder(size, row.channels, resize), weights


def say_skipped(findings):
    """The files that were left out, on stderr."""
    for finding in findings:
        if finding.action == "skipped":
            print(described(finding, 3), file=sys.stderr)


def say_seen(findings):
    """The photos that a run knows already, on stderr: whoever measures on them should know."""
    from kerascnn.transfer.run import SEEN

    for finding in findings:
        if finding.problem == SEEN:
            print(f"Warning: {described(finding, 3)}", file=sys.stderr)
