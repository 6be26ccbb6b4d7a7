"""A `.keras` file is looked through before Keras opens it.

Keras's safe mode refuses programs in it. It does not notice all damage (where the checksum of the
weights is wrong it tries to go on without), and it lets a file call most public functions of Keras,
downloads among them, with arguments of its own.
"""

import contextlib
import json
import tempfile
import zipfile
from pathlib import Path

from kerascnn import _hdf5
from kerascnn._errors import InputError

__all__ = ["check", "damaged", "model_file"]

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = {"metadata.json", CONFIG, WEIGHTS, "labels.json"}
MAX_TEXT_BYTES = 2**26  # of a member that is no weights
# What a model is made of; not its files, data sets, settings and downloads.
ROOMS = {
    "activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics",
    "models", "ops", "optimizers", "quantizers", "random", "regularizers", "src",
}  # fmt: skip
PROGRAMS = {"Lambda", "__lambda__", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"}


def model_file(path):
    """The `.keras` file that is meant by its path, or by that of the folder that holds it.

    Raises:
        InputError: there is none, or it is a model in an older format.

    >>> model_file("nothing")
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: No model at nothing. Pass a .keras file or a ...
    """
    path = Path(path)
    with _said(f"No model at {path}"):
        old = path.suffix in {".h5", ".hdf5"} or (path / "saved_model.pb").exists()
        if old and path.exists():
            raise InputError(
                f"{path} is a model in an older format, which can run any program when it is "
                "opened. If you trust its author, open it where it was made and call "
                'model.save("new.keras").'
            )
        path = path / "model.keras" if path.is_dir() else path
        if path.suffix != ".keras" or not path.is_file():
            raise InputError(f"No model at {path}. Pass a .keras file or a folder that holds one.")
    return path


@contextlib.contextmanager
def _said(what):
    """Turn the operating system's refusal into an `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{what}: {error.strerror}.") from error


def check(path):
    """Refuse a `.keras` file that is damaged, far larger than it looks, or holds a program.

    Args:
        path: path of a file.

    Raises:
        InputError: Keras should not open this file; the message says why.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "model.keras")
    >>> _ = path.write_text("a model, honestly")
    >>> check(path)
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: ... is damaged or no model ...: File is not a zip file.
    """
    with _said(f"Cannot read {path}"):
        file = path.open("rb")
    try:
        with file, zipfile.ZipFile(file) as archive:
            _check_members(archive, path.stat().st_size)
            _refuse_programs(json.loads(archive.read(CONFIG)), path)
            _try_weights(archive)
    except InputError:
        raise
    except Exception as error:  # a damaged archive makes zipfile and json raise almost anything
        raise damaged(path, error) from error


def damaged(path, error):
    """The `InputError` for a file, with the first line of an exception or other reason."""
    text = str(error).rpartition("Exception encountered: ")[2].strip()  # Keras's inner error
    reason = (text.splitlines() or [type(error).__name__])[0][:300].rstrip(".")
    return InputError(f"{path} is damaged or no model that Keras can open: {reason}.")


def _check_members(archive, size):
    members = archive.infolist()
    names = [member.filename for member in members]
    foreign = [name for name in names if name not in MEMBERS and not _is_asset(name)]
    if foreign:
        raise ValueError(f"it holds {foreign[0]!r}, which no model has")
    if len(set(names)) < len(names):
        raise ValueError("it holds a file twice")
    if sum(member.file_size for member in members) > _hdf5.most_bytes(size):
        raise ValueError("it claims to hold far more than its size allows")
    for member in members:
        if member.filename != WEIGHTS:
            if member.file_size > MAX_TEXT_BYTES:
                raise ValueError(f"its {member.filename} has {member.file_size:,} bytes")
            archive.read(member)  # with its checksum


def _is_asset(name):
    """Whether a name is that of a layer's file, below the archive's folder for them."""
    parts = name.split("/")
    return parts[0] == "assets" and ".." not in parts and "\\" not in name


def _refuse_programs(config, path):
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            _refuse_program(value, path)
            value = list(value.values())
        if isinstance(value, list):
            waiting += value


def _refuse_program(config, path):
    names = {config.get(key) for key in ("class_name", "registered_name", "config")
             if isinstance(config.get(key), str)}  # fmt: skip
    module = str(config.get("module")).split(".")
    found = sorted(names & PROGRAMS)
    if not found and "class_name" in config and module[0] == "keras":
        found = [".".join(module)] if len(module) > 1 and module[1] not in ROOMS else []
    if found:
        raise InputError(
            f"{path} was not opened: it holds {found[0]}, which could run any program. If you "
            "trust its author, keras.models.load_model(path, safe_mode=False) opens it."
        )


def _try_weights(archive):
    with tempfile.TemporaryFile() as copy:
        with archive.open(WEIGHTS) as member:  # read to its end, the checksum is compared
            while data := member.read(2**20):
                copy.write(data)
        copy.flush()
        copy.seek(0)
        reason = _hdf5.refusal(copy)
    if reason:
        raise ValueError(f"its {WEIGHTS} {reason}")
