"""The formats that a model can be exported to, and what travels in their files."""

import importlib.util
import json
from pathlib import Path

from kerascnn._errors import InputError, one_of
from kerascnn.export import _litert, _onnx, _openvino, _saved_model

__all__ = ["labels"]

FORMATS = {
    "saved_model": _saved_model,
    "onnx": _onnx,
    "litert": _litert,
    "openvino": _openvino,
}


def format_named(to, quantize=None):
    """The module of a format, if what it needs is installed and it can quantise as asked."""
    kind = FORMATS[one_of(to, FORMATS, "format")]
    if quantize is not None:
        one_of(quantize, ["int8"], "quantisation")
        if not kind.INT8:
            raise InputError(f"{to} has no {quantize} form. Use onnx, litert or openvino.")
    _needed(kind.NEEDS + (_onnx.NEEDS if quantize and kind is _openvino else ()))
    return kind


def _needed(packages):
    for package in packages:
        if importlib.util.find_spec(package) is None:
            extra = "openvino" if package == "openvino" else "export"
            raise InputError(f'{package} is not installed: pip install "kerascnn[{extra}]".')


def labels(path):
    """What travels with an exported model: the names of its classes and the form of its photos.

    It is read from the model's own file, wherever that was moved, not from the `labels.json` beside
    it.

    Args:
        path: str or path of a folder that `export` made, or of the model's file.

    Returns:
        dict: class_names (list of str, or None), image_size ([height, width], or None: any),
        channels, resize. `kc.data.Decoder(image_size, channels, resize)` reads photos so.

    Raises:
        InputError: there is no exported model, it holds no labels, or a package is missing.

    >>> labels("nothing")
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: No exported model at nothing. Pass the folder ...
    """
    path = Path(path)
    for kind in FORMATS.values():
        file = path / kind.FILE if path.is_dir() else path
        if file.is_file() and file.suffix == Path(kind.FILE).suffix:
            break
    else:
        raise InputError(
            f"No exported model at {path}. Pass the folder that kerascnn export made, or the "
            f"file in it: {', '.join(kind.FILE for kind in FORMATS.values())}."
        )
    _needed(kind.NEEDS)
    try:
        return json.loads(kind.labels_in(file))
    except Exception as error:  # the four programs say in their own ways that there is nothing
        raise InputError(f"{file} is damaged, or was not made by kerascnn export.") from error
