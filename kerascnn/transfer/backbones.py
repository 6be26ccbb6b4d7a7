"""Pretrained networks that take raw photos: a builder, its weights and its preprocessing in one.

The rows of `list_backbones` are in backbones.json, which recipes/make_goldens.py makes by building
every model once.
"""

import functools
import inspect
import io
import json
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

from kerascnn._errors import InputError, one_of

__all__ = ["Backbone", "backbone", "list_backbones"]


@dataclass(frozen=True)
class Backbone:
    """What is known of a backbone without building it.

    Attributes:
        name: str, the builder, e.g. "MobileNetV2".
        family: str, the module it is in, e.g. "mobilenet_v2".
        source: "keras.applications" or "kerascnn".
        image_size: int, height and width in pixels its weights were trained for.
        channels: int, 3 for RGB, 1 for grey.
        num_parameters: int, of the default variant without its classification top.
        preprocessing: "tf" (x / 127.5 - 1), "torch" (x / 255, mean, std), "caffe" (BGR, mean),
            "none" (in the network itself) or "rescaling" (scale and offset of the weights' entry
            in `kerascnn.weights`).
        weights: tuple of str, names for the argument `weights`.

    >>> next(row.image_size for row in list_backbones() if row.name == "InceptionV3")
    299
    """

    name: str
    family: str
    source: str
    image_size: int
    channels: int
    num_parameters: int
    preprocessing: str
    weights: tuple


def list_backbones():
    """All networks that `backbone` builds, each family together, its smallest member first.

    Reads a file: neither Keras nor TensorFlow is imported.

    Returns:
        List of `Backbone`, families ordered by their smallest member.

    >>> [row.name for row in list_backbones() if row.family == "mobilenet_v3"]
    ['MobileNetV3Small', 'MobileNetV3Large']
    """
    return list(_table().values())


@functools.cache
def _table():
    rows = json.loads(Path(__file__).with_name("backbones.json").read_text("utf-8"))
    return {row["name"]: Backbone(**row | {"weights": tuple(row["weights"])}) for row in rows}


def backbone(
    name,
    weights="imagenet",
    *,
    image_size=None,
    channels=None,
    pooling="avg",
    include_top=False,
    **options,
):
    """A pretrained network that takes photos as they are: RGB, 0-255, preprocessing inside.

    The preprocessing equals the family's `preprocess_input` to the bit (on JAX but for rounding),
    is made of plain Keras layers, and stays float32 under a mixed precision policy. So a network
    of `keras.applications` opens with plain Keras where kerascnn is not installed.

    Source: builders, weights and preprocessing of `keras.applications`. Differs from them: raw
    pixels go in, ConvNeXt is flat, and published EfficientNetB0-B7 files are scaled right from a
    path too.

    Input: float32 (N, H, W, C), 0-255 (uint8 arrays are cast). Output: features (N, F) with
    pooling, a feature map (N, H', W', F) without, class scores with the top.

    Args:
        name: str, a builder of `keras.applications` or `kerascnn.models` (`list_backbones`).
        weights: "imagenet" (downloaded once to Keras's cache), the name of packaged ones ("mnist"
            for LeNet5), None (random) or the path of a .weights.h5, .h5 or .keras file of this
            network, with or without its top.
        image_size: int or (height, width) in pixels; None is the family's own, e.g. 224.
        channels: int; None is the family's own: 3 in `keras.applications`, which take no other.
        pooling: "avg", "max" or None (feature map).
        include_top: bool. Whether to end with the classifier the weights were trained for.
        **options: passed to the builder, e.g. `alpha=0.25` for MobileNet, `classes=10`,
            `classifier_activation=None` for logits.

    Returns:
        A flat functional `keras.Model`.

    Raises:
        InputError: unknown name or option, an image size the network cannot take, weights that
            are missing, damaged or of another network, or a download that failed.

    >>> model = backbone("MobileNet", weights=None, image_size=96, alpha=0.25)
    >>> model.input_shape, model.output_shape
    ((None, 96, 96, 3), (None, 256))
    """
    row = _table()[one_of(name, _table(), "backbone")]
    one_of(pooling, ["avg", "max", None], "pooling")
    builder = _builder(row, options)
    named = isinstance(weights, str) and weights in row.weights
    path = None if named or weights is None else _weights_file(weights, row)
    images = _images(row, image_size, channels)
    if include_top and named and row.source == "kerascnn":
        options = {"classes": _entry(row, weights)["classes"]} | options
    arguments = {
        "weights": weights if named else None,
        "include_top": include_top,
        "input_shape": images.shape[1:],
        "input_tensor": _preprocessed(images, row, weights if named else row.weights[0]),
        "pooling": None if include_top else pooling,
    }
    network = _build(builder, row, arguments | options)
    import keras

    from kerascnn._graph import flatten

    # Built on a tensor, keras.applications gives a model of a list of inputs, which warns when
    # it is called with an array.
    model = keras.Model(images, network.output, name=network.name)
    return flatten(_load(model, path, row) if path else model)


def _builder(row, options):
    import keras

    from kerascnn import models

    builder = getattr(models if row.source == "kerascnn" else keras.applications, row.name)
    ours = {"weights", "include_top", "input_shape", "input_tensor", "pooling"}
    allowed = [option for option in inspect.signature(builder).parameters if option not in ours]
    for option in options:
        one_of(option, allowed, f"option of {row.name}:")
    return builder


def _images(row, image_size, channels):
    import keras

    if row.source == "keras.applications" and channels not in {None, 3}:
        raise InputError(
            f"{row.name} takes images of 3 channels, not {channels}. "
            "Repeat the grey channel or drop the fourth one."
        )
    if image_size is None:
        image_size = row.image_size
    sizes = (image_size, image_size) if hasattr(image_size, "__index__") else image_size
    try:
        height, width = (int(size) for size in sizes)
    except (TypeError, ValueError):
        raise InputError(
            f"`image_size` must be an int or (height, width). Received: image_size={image_size!r}."
        ) from None
    return keras.Input((height, width, channels or row.channels), name="images")


def _preprocessed(images, row, weights_name):
    if row.preprocessing != "rescaling":
        return _preprocess(images, row.preprocessing)
    import keras

    given = _entry(row, weights_name)["preprocessing"]
    return keras.layers.Rescaling(given["scale"], given["offset"], dtype="float32")(images)


def _entry(row, weights_name):
    from kerascnn.weights import entry

    return entry(row.name, weights_name)


def _preprocess(x, regime):
    """`preprocess_input` of `keras.applications.imagenet_utils`, to the bit, in plain layers.

    `Rescaling(1 / 127.5)` multiplies, which is one unit in the last place off for 111 of the 256
    byte values, and so is `x / 127.5` once a graph compiler has turned it into a multiplication.
    `Normalization` divides by sqrt(variance): that division stays, and sqrt(s * s) is exactly s.
    """
    from keras import layers, ops

    def divide(x, divisors, mean):
        squares = [_float32(s) ** 2 for s in divisors]
        return layers.Normalization(mean=mean, variance=squares, dtype="float32")(x)

    if regime == "tf":
        x = divide(x, [127.5] * x.shape[-1], [0.0] * x.shape[-1])
        return layers.Rescaling(1.0, offset=-1.0, dtype="float32")(x)
    if regime == "torch":
        x = divide(x, [255.0] * 3, [0.0] * 3)
        return divide(x, [0.229, 0.224, 0.225], [0.485, 0.456, 0.406])
    if regime == "caffe":
        offset = [-103.939, -116.779, -123.68]
        return layers.Rescaling(1.0, offset=offset, dtype="float32")(ops.flip(x, axis=-1))
    return x


def _float32(value):
    import numpy as np

    return float(np.float32(value))


def _build(builder, row, arguments):
    from kerascnn.weights.download import cache_folder

    try:
        with warnings.catch_warnings():
            # Said of a size that none of the files was trained at; the nearest file is right.
            warnings.filterwarnings("ignore", ".*`input_shape` is undefined or non-square")
            return builder(**arguments)
    except InputError:
        raise
    except Exception as error:
        # Keras raises a bare Exception for a failed download.
        failed = re.search(r"URL fetch failure on (\S+):", str(error))
        if failed or isinstance(error, ConnectionError | TimeoutError):
            raise InputError(_download_failed(row, failed and failed[1])) from error
        if isinstance(error, OSError):
            raise InputError(
                f"A weights file of {row.name} in {cache_folder()} is damaged. "
                "Delete it so that it is downloaded again."
            ) from error
        if isinstance(error, ValueError | TypeError):
            raise InputError(f"{row.name} cannot be built: {_sentence(error)}") from error
        raise


def _download_failed(row, url):
    from kerascnn.weights import download

    if url is None:
        return f"The download of the {row.name} weights broke off. Try again."
    # The files of NASNet are named otherwise in the cache than at their source.
    file = url.rsplit("/", 1)[-1]
    if file.startswith("NASNet"):
        file = file.lower().replace("-", "_")
    return download.download_failed(row.name, url, file)


def _sentence(error):
    return " ".join(str(error).split())


def _weights_file(weights, row):
    path = Path(weights).expanduser()
    if path.suffix not in {".h5", ".hdf5", ".keras"}:
        if not path.exists():
            one_of(weights, [*row.weights, "a file"], f"weights of {row.name}:")
        raise InputError(f"`weights` must be a .weights.h5, .h5 or .keras file, not {path}.")
    if not path.is_file():
        raise InputError(f"There is no weights file at {path}.")
    return path


def _load(model, path, row):
    """`model` with the weights of a file of this network, all of them or an `InputError`.

    A file with the classification top fits a model without.
    """
    from kerascnn.weights.reading import DAMAGED, not_finite

    try:
        with _open(path) as file:
            in_order = _arrays_in_order(file)
            total = len(in_order) if in_order else _count(file)
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(
            f"{path} is damaged or not a weights file of Keras. Copy or download it again."
        ) from error
    # A top leaves a normalisation and a kernel over at most, two arrays each.
    if not 0 <= total - len(model.weights) <= 4:
        raise InputError(
            f"{path} does not fit this {row.name}: it holds {total} arrays and the model has "
            f"{len(model.weights)}. Check the name and its options, and whether the file includes "
            "the top."
        )
    try:
        model = _set_in_order(model, in_order) if in_order else _set_by_structure(model, path)
    except DAMAGED as error:
        raise InputError(
            f"{path} does not fit this {row.name}: its arrays have other shapes. Check the name "
            "and its options, such as alpha and classes."
        ) from error
    _fix_efficientnet(model)
    if bad := not_finite(model):
        raise InputError(f"{path} holds NaN or infinity in {bad}. Take weights of another epoch.")
    return model


def _open(path):
    import h5py

    from kerascnn import _archive
    from kerascnn.weights.reading import hdf5_refusal

    if path.suffix != ".keras":
        if reason := hdf5_refusal(path):
            raise ValueError(reason)
        return h5py.File(path)
    _archive.check(path)
    with zipfile.ZipFile(path) as archive:
        return h5py.File(io.BytesIO(archive.read("model.weights.h5")))


def _arrays_in_order(file):
    """All arrays of the older HDF5 format, in which Keras publishes, or None of the newer one."""
    from kerascnn.weights.reading import legacy_layers

    layers = legacy_layers(file)
    if "layers" in file and not layers:
        return None
    return [array for arrays in layers.values() for array in arrays]


def _count(file):
    """How many weights the newer format holds; the states of random generators are none."""
    paths = []
    file["layers"].visit(paths.append)
    return sum("/vars/" in path and "seed_generator" not in path for path in paths)


def _set_in_order(model, arrays):
    from kerascnn._state import finalize

    variables = [
        (layer, variable)
        for layer in model.layers
        for variable in layer.trainable_weights + layer.non_trainable_weights
    ]
    for (_, variable), array in zip(variables, arrays):
        if tuple(variable.shape) != array.shape:
            raise ValueError(f"{variable.path} is {tuple(variable.shape)}, not {array.shape}")
    for (layer, variable), array in zip(variables, arrays):
        variable.assign(array)
        finalize(layer)
    return model


def _set_by_structure(model, path):
    """Nested or flat (ConvNeXt), whichever the file was saved from."""
    from kerascnn._graph import flatten

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what does not fit is an error anyway
        try:
            model.load_weights(path)
        except ValueError:
            flat = flatten(model)
            if flat is model:
                raise
            model = flat
            model.load_weights(path)
    return model


def _fix_efficientnet(model):
    """Divide by the deviation, as weights="imagenet" does with a layer that Keras adds only then.

    The published files of EfficientNetB0-B7 hold the deviation where the variance belongs.
    """
    import keras
    import numpy as np

    deviation = np.array([0.229, 0.224, 0.225], "float32")
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            mean, variance, *count = layer.get_weights()
            if np.allclose(variance, deviation, atol=1e-4):
                layer.set_weights([mean, variance**2, *count])
                layer.finalize_state()
