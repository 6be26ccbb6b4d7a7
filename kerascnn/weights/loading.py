"""Loading: all that fits, or nothing and one sentence that says why and what mends it."""

import fnmatch
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from kerascnn._errors import InputError, one_of
from kerascnn.weights import _fit
from kerascnn.weights.download import fetch
from kerascnn.weights.manifest import FOLDER, entry, forms, names
from kerascnn.weights.reading import read

__all__ = ["Report", "load"]

FILES = (".h5", ".hdf5", ".safetensors")
UNOPENED = {  # why a file is refused by its name
    (".pth", ".pt", ".bin", ".ckpt", ".pkl", ".tar"): (
        "is a pickle, which could run any program. Convert it where PyTorch is installed: "
        "`safetensors.torch.save_file(torch.load(file, weights_only=True), 'new.safetensors')`."
    ),
    (".keras",): (
        "is a whole model. Open it with kerascnn.load_model, or write its weights with "
        "`model.save_weights('new.weights.h5')`."
    ),
}


@dataclass(frozen=True)
class Report:
    """What `load` did; `print` says it in a few words.

    Attributes:
        source: str, the file or the name of the weights.
        loaded: tuple of str, layers that have the file's weights now.
        adapted: tuple of str, those among them whose kernel was fitted to another channel count.
        new: tuple of str, layers of the model that kept their start.
        skipped: tuple of str, layers of the file that were not used.
        sha256: str, hexadecimal: of the file's bytes. Weights that have a name had to have the
            hash that their publisher states; a file of your own had none to be compared with.

    >>> print(Report("a.weights.h5", loaded=("conv1", "fc6"), new=("output",)))
    2 layers loaded from a.weights.h5; new: output
    """

    source: str
    loaded: tuple = ()
    adapted: tuple = ()
    new: tuple = ()
    skipped: tuple = ()
    sha256: str = ""

    def __str__(self):
        parts = {"adapted": self.adapted, "new": self.new, "skipped": self.skipped}
        told = "".join(f"; {part}: {', '.join(names)}" for part, names in parts.items() if names)
        return f"{len(self.loaded)} layers loaded from {self.source}{told}"


def load(model, weights, *, builder=None, new=(), skip=(), adapt_input=False):
    """Load weights into a flat model, by layer name, completely or not at all.

    Everything is read and compared before the first weight is set. What may differ must be said:
    `new` layers of the model, layers of the file to `skip`, another number of channels
    (`adapt_input`).

    Formats: what Keras 3 writes (`.weights.h5`); the published files of `keras.applications` for
    VGG16, VGG19 and ResNet v1 and v2 (`.h5`); `.safetensors` with the names of torchvision or timm
    for ResNet, Wide ResNet, ResNeXt, VGG and AlexNet. Published weights are kept in Keras's cache;
    their hash, like that of packaged ones, is verified each time. Pickles are never opened, and
    HDF5 is tried in a process of its own first, because damage can crash its library.

    Args:
        model: a built `keras.Model` without nested models.
        weights: None (nothing happens), a name (`kerascnn.weights.names`), or a path that ends in
            `.weights.h5`, `.h5` or `.safetensors`.
        builder: str or None. Name of the model's form, for which names are looked up; None is the
            model's own name.
        new: names of layers that keep their start, whatever the file holds for them: `["output"]`
            for other classes.
        skip: names or patterns (`"aux*"`) of layers that the file may hold and the model lacks.
        adapt_input: bool. Whether the first convolution, which reads RGB in the file, is fitted to
            the model's channels: one channel reads the sum of the three kernels; C channels read
            them repeated, times 3 / C (timm's rule).

    Returns:
        A `Report`.

    Raises:
        InputError: there are no such weights, they are damaged or could not be downloaded, or they
            do not fit the model, which then keeps its weights.

    >>> import os, tempfile, kerascnn as kc
    >>> print(load(kc.models.LeNet5(), "mnist", builder="LeNet5"))
    7 layers loaded from 'mnist'
    >>> path = os.path.join(tempfile.mkdtemp(), "digits.weights.h5")
    >>> kc.models.LeNet5(weights="mnist").save_weights(path)
    >>> report = load(kc.models.LeNet5(classes=3), path, new=["output"])
    >>> report.new, len(report.loaded)
    (('output',), 6)
    """
    from kerascnn._state import set_weights

    if weights is None:
        return Report("None")
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    new, skip = ((value,) if isinstance(value, str) else value for value in (new, skip))
    new = tuple(one_of(name, layers, "layer in `new`:") for name in new)
    wanted = {name: layer for name, layer in layers.items() if name not in new}
    builder = builder or model.name
    file, source = _file(weights, builder, wanted)
    found, variant = read(file, source)
    digest = _sha256(file)
    adapted = _fit.adapted_input(wanted, found)
    arrays = found | adapted if adapt_input else found
    unused = [name for name in found if name not in wanted]
    spare = {*new, *(name for pattern in skip for name in fnmatch.filter(unused, pattern))}
    wrong = _fit.differences(wanted, {n: a for n, a in arrays.items() if n not in spare})
    if wrong or not _fit.same_variant(layers, variant):
        passed = {"builder": builder, "new": new, "skip": skip, "adapt_input": adapt_input}
        mend = _fit.mend(wrong, adapted, variant, weights, passed)
        raise InputError(f"The weights {source} do not fit {model.name}: {_fit.told(wrong)}{mend}")
    for name, layer in wanted.items():
        set_weights(layer, arrays[name])
    used = tuple(adapted) if adapt_input else ()
    return Report(source, tuple(wanted), used, new, tuple(unused), digest)


def _file(weights, builder, wanted):
    """The path of the file, or its bytes if it is packaged, and words that name it in messages."""
    for suffixes, reason in UNOPENED.items():
        if str(weights).endswith(suffixes):
            raise InputError(f"The weights file {weights} {reason}")
    if str(weights).endswith(FILES):
        path = Path(weights).expanduser()
        return path, str(path)
    if weights not in names(builder):
        raise InputError(_unknown(weights, builder))
    row = entry(builder, weights)
    if "url" not in row:
        return _packaged(row), repr(weights)
    whole = any(name in _fit.HEAD for name in wanted)
    return fetch(builder, row if whole else row.get("notop", row)), repr(weights)


def _sha256(file):
    if isinstance(file, io.BytesIO):
        return hashlib.sha256(file.getbuffer()).hexdigest()
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _unknown(weights, builder):
    possible = [
        "None",
        *map(repr, names(builder)),
        "a path that ends in .weights.h5, .h5 or .safetensors",
    ]
    elsewhere = [
        f"{row.get('build', row['model'] + '()')} (builder={row['model']!r})"
        for row in forms(builder)
        if row["name"] == weights
    ]
    return f"Unknown weights {weights!r} for {builder}. Possible: {', '.join(possible)}." + (
        f" {weights!r} exists for {' and '.join(elsewhere)}." if elsewhere else ""
    )


def _packaged(row):
    data = (FOLDER / row["file"]).read_bytes()
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise InputError(
            f"The packaged weights {row['file']} are damaged: their SHA-256 is not the manifest's. "
            "Install kerascnn again."
        )
    return io.BytesIO(data)
