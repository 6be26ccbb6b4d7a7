"""A model written for another program, and compared with Keras on real photos before it is kept."""

import contextlib
import dataclasses
from pathlib import Path

import numpy as np

from kerascnn import _archive
from kerascnn._errors import InputError, in_order
from kerascnn._runs import run_folder, write_json
from kerascnn.data import ImageData
from kerascnn.export._network import check_backend, exportable, graph, in_batches, keras_outputs
from kerascnn.export._photos import photos_for
from kerascnn.export.formats import format_named
from kerascnn.transfer import Run, load_run

__all__ = ["Exported", "export"]


@dataclasses.dataclass(frozen=True)
class Exported:
    """What `export` wrote, and how it compares with Keras.

    Attributes:
        path: `Path`, the folder. file: `Path`, what the other program opens.
        to: str, the format. quantize: "int8" or None.
        num_bytes: int, of all files in the folder.
        compared_on: str, which photos. num_photos: int, how many.
        max_difference: float, the largest between two probabilities.
        agreement: float in [0, 1], the share of photos with the same most probable class.
        accuracy_before, accuracy: floats in [0, 1], of Keras and of the file; None where the
            classes of the photos are not known.
    """

    path: Path
    file: Path
    to: str
    quantize: str | None
    num_bytes: int
    compared_on: str
    num_photos: int
    max_difference: float
    agreement: float
    accuracy_before: float | None
    accuracy: float | None


def export(
    model,
    path,
    to="onnx",
    *,
    labels=None,
    photos=None,
    quantize=None,
    tolerance=1e-4,
    max_accuracy_drop=0.02,
):
    """Write a model for programs without Keras, its preprocessing and labels inside.

    The file takes raw uint8 photos (N, H, W, C), 0-255, any number of them, as "images" and gives
    float32 "probabilities" (N, classes). The format's own runtime runs it on real photos, and it is
    kept only if it agrees with Keras. Mixed precision becomes float32.

    `path` becomes a folder, whole or not at all: the model, `labels.json` (class names, image size,
    how photos are resized) and `check.json` (the figures of `Exported`). By format:

    - "saved_model": `saved_model.pb`. TensorFlow Serving looks for NAME/VERSION/saved_model.pb, so
      export to the path "served/clothing/1".
    - "onnx": `model.onnx`, for ONNX Runtime; `recipes/serve.py` is a small server of it.
    - "litert": `model.tflite`, for phones.
    - "openvino": `model.xml` and `model.bin`. OpenVINO computes in bfloat16 where the CPU can; with
      INFERENCE_PRECISION_HINT "f32" it is as exact as in the comparison.

    "int8" quantises after training: weights to 8 bits, with a scale for each channel, activations
    to 8 bits by their range on up to 200 training photos. What it costs is measured on up to 1,000
    validation photos. SavedModel has no such form.
    Source: Jacob et al. 2018, arXiv:1712.05877; a scale for each channel: Krishnamoorthi 2018,
    arXiv:1806.08342, Sec. 3.

    Args:
        model: run folder or its `model.keras`, `Run`, or `keras.Model` over raw photos 0-255.
        path: str or path of a folder that does not exist yet, or is empty.
        to: "saved_model", "onnx", "litert" or "openvino".
        labels: list of class names of a `keras.Model`; default: those of `photos`, if that is an
            `ImageData`. A run has its own.
        photos: `ImageData`, or folder of class folders or of photos; default: the run's own, where
            they still are. Otherwise the comparison is on noise.
        quantize: None or "int8", which needs photos of known classes.
        tolerance: float > 0. How far two probabilities may differ where nothing is quantised.
        max_accuracy_drop: float >= 0. How much accuracy "int8" may cost: 0.02 is two points.

    Returns:
        `Exported`.

    Raises:
        InputError: the model or an option cannot be used, a package is missing, or the file does
            not agree with Keras; then nothing is left at `path`.

    >>> import tempfile
    >>> import kerascnn as kc
    >>> folder = Path(tempfile.mkdtemp(), "digits", "1")
    >>> done = export(kc.models.LeNet5(), folder, "saved_model", labels=list("0123456789"))
    >>> done.file.name, done.agreement, done.max_difference < 1e-4
    ('saved_model.pb', 1.0, True)
    """
    check_backend()
    kind = format_named(to, quantize)
    model, run, about = _described(model, labels, photos)
    model = exportable(model)
    sample = photos_for(photos, run, about, model.inputs[0].shape[1:])
    if quantize and (sample.truth is None or sample.calibration is None):
        raise InputError(
            f"quantize={quantize!r} needs photos of known classes, and there is only "
            f"{sample.source}. Pass photos=, a folder of class folders."
        )
    with run_folder(path) as folder:
        write_json(folder / "labels.json", about)
        with _said_shortly(to):
            calibration = sample.calibration if quantize else None
            kind.write(graph(model), folder, folder / "labels.json", calibration)
            outputs = in_batches(kind.runner(folder / kind.FILE), sample.images)
        figures = _compared(keras_outputs(model, sample.images), outputs, sample)
        _refuse(figures, quantize, tolerance, max_accuracy_drop)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        figures = {"to": to, "quantize": quantize, "num_bytes": size} | figures
        write_json(folder / "check.json", figures)
    return Exported(Path(path), Path(path, kind.FILE), **figures)


def _described(model, names, photos):
    """(`keras.Model` in float32, path of the run folder or None, dict as in labels.json)."""
    run = None
    if isinstance(model, str | Path):
        run, model = _archive.model_file(model).parent, load_run(model)
    decoder = model.decoder if isinstance(model, Run) else getattr(photos, "decoder", None)
    if isinstance(model, Run):
        names, model = model.class_names, model.model
    elif isinstance(photos, ImageData):
        names = photos.class_names if names is None else names
    model = exportable(model)
    *size, channels = model.inputs[0].shape[1:]
    names = in_order(names, "labels") if names is not None else None
    if names is not None and len(names) != model.outputs[0].shape[-1]:
        raise InputError(
            f"The model gives {model.outputs[0].shape[-1]} probabilities, and there are "
            f"{len(names)} labels. Pass one for each, in their order."
        )
    about = {
        "class_names": names,
        "image_size": decoder.image_size if decoder else None if None in size else size,
        "channels": channels,
        "resize": decoder.resize if decoder else "stretch",
    }
    return model, run, about


@contextlib.contextmanager
def _said_shortly(to):
    """What a converter or runtime has against a network, in one sentence."""
    try:
        yield
    except (InputError, OSError):
        raise
    except Exception as error:  # each has exceptions of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise InputError(f"This network cannot be exported to {to}: {reason}") from error


def _compared(expected, outputs, sample):
    """The figures of `Exported` that compare two arrays (N, ..., classes) of probabilities."""
    classes = [array.argmax(-1) for array in (expected, outputs)]
    known = sample.truth is not None and outputs.ndim == 2
    right = [float((guess == sample.truth).mean()) if known else None for guess in classes]
    return {
        "compared_on": sample.source,
        "num_photos": len(sample.images),
        "max_difference": float(np.abs(expected - outputs).max()),
        "agreement": float((classes[0] == classes[1]).mean()),
        "accuracy_before": right[0],
        "accuracy": right[1],
    }


def _refuse(figures, quantize, tolerance, max_accuracy_drop):
    """An `InputError` where the file is not as good as it must be."""
    before, after = figures["accuracy_before"], figures["accuracy"]
    if quantize and not before - after <= max_accuracy_drop:
        raise InputError(
            f"Nothing was exported: {quantize} takes the accuracy on {figures['compared_on']} from "
            f"{before:.1%} to {after:.1%}, and may cost {max_accuracy_drop:.1%}. Export without "
            "it, or allow more with max_accuracy_drop."
        )
    if not quantize and not figures["max_difference"] <= tolerance:
        raise InputError(
            f"Nothing was exported: on {figures['compared_on']} its probabilities differ from "
            f"Keras's by up to {figures['max_difference']:.2g}, and may by {tolerance:.2g}. "
            "Allow more with tolerance."
        )
