"""Published weights, downloaded once into Keras's cache: the whole file with its hash, or none."""

import errno
import hashlib
import os
import tempfile
from pathlib import Path

from kerascnn._errors import InputError

__all__ = ["cache_folder", "download_failed", "fetch"]

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)


def cache_folder():
    """Where Keras looks for downloaded weights."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser()
    return (home if os.access(home, os.W_OK) else Path("/tmp/.keras")) / "models"


def download_failed(name, url, file):
    """The sentence for a download that did not come about.

    Args:
        name: str, the network.
        url: str, what could not be downloaded.
        file: str, its name in the cache.
    """
    return (
        f"The {name} weights could not be downloaded from {url}. Connect to the internet, or "
        f"put the file at {cache_folder() / file}, or pass weights=None or the path of a file."
    )


def fetch(name, row):
    """The path of published weights in Keras's cache, downloaded if they are not there.

    A file that is there already, by whichever program, is used if its hash fits and removed if
    not. A download gets its name only once it is complete and its hash fits.

    Args:
        name: str, the network, for messages.
        row: dict with "file" (name in the cache), "url" and "sha256" or "md5".

    Raises:
        InputError: there is no connection, or the file at the url is not the published one.
    """
    path = cache_folder() / row["file"]
    try:
        if path.is_file():
            if _fits(path, row):
                return path
            path.unlink()
        _download(name, row, path)
    except OSError as error:
        raise InputError(
            f"The {name} weights cannot be kept at {path}: {error.strerror}. "
            "Free some space or set the environment variable KERAS_HOME to another folder."
        ) from error
    return path


def _download(name, row, path):
    import keras

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=path.parent) as folder:
        try:
            # Keras itself downloads to the final name and leaves a file there whose hash is wrong.
            keras.utils.get_file(path.name, row["url"], cache_dir=folder, cache_subdir="")
        except Exception as error:  # Keras raises a bare Exception for a failed download
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise
            raise InputError(download_failed(name, row["url"], path.name)) from error
        arrived = Path(folder) / path.name
        if not _fits(arrived, row):
            raise InputError(
                f"What {row['url']} sent is truncated or altered: it has another hash than the "
                f"{name} weights. It was removed. Try again, or pass the path of a file you trust."
            )
        arrived.replace(path)


def _fits(path, row):
    algorithm = "sha256" if "sha256" in row else "md5"
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == row[algorithm]
