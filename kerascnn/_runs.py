"""Files that are whole or absent: atomic writes, and a run folder that appears when it is done."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import threading
from pathlib import Path

from kerascnn._errors import InputError

CHECKPOINTS = "checkpoints"  # what a run folder keeps when it is not finished
_PARTIAL = ".partial"  # behind the name of a run folder that is not finished

# Variables by which Keras tells the processes apart that train one model together.
WORKER, WORKERS = "KERAS_DISTRIBUTION_PROCESS_ID", "KERAS_DISTRIBUTION_NUM_PROCESSES"


def is_writer():
    """Whether checkpoints are this process's to write: of several that train together, the first.

    >>> is_writer()
    True
    """
    return int(os.environ.get(WORKER, 0)) == 0


@contextlib.contextmanager
def atomic_path(path):
    """Yield a temporary path beside `path`; on success it becomes `path`, on failure it goes.

    Args:
        path: str or path of a file. Its folder is made if it is missing.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as partial:
    ...     _ = partial.write_text("whole")
    >>> (folder / "a.txt").read_text(), len(list(folder.iterdir()))
    ('whole', 1)
    """
    path = Path(path)
    with said_simply(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays last: Keras and NumPy choose the format by it.
        writer = f"{os.getpid()}-{threading.get_native_id()}"
        partial = path.with_name(f".{path.stem}.{writer}.partial{path.suffix}")
        try:
            yield partial
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def write_json(path, value):
    """Write `value` as indented JSON, atomically.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.json")
    >>> write_json(path, {"classes": ["blåbær"]})
    >>> json.loads(path.read_text("utf-8"))
    {'classes': ['blåbær']}
    """
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with atomic_path(path) as partial:  # a file name that is no UTF-8 becomes JSON's \udcXX
        partial.write_text(text, "utf-8", "backslashreplace")


_SIMPLE = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: "permission is denied; choose another folder or change its permissions",
    errno.EPERM: "the operation is not permitted; choose another folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOLCK: "the file system cannot lock it; choose a folder on another one",
    errno.EOPNOTSUPP: "the file system cannot lock it; choose a folder on another one",
    errno.ENOSYS: "the file system cannot lock it; choose a folder on another one",
}


@contextlib.contextmanager
def said_simply(path):
    """Turn the operating system's refusals about `path` into an `InputError` of one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in _SIMPLE:
            raise
        raise InputError(f"Cannot write {path}: {_SIMPLE[error.errno]}.") from error


@contextlib.contextmanager
def run_folder(path):
    """Yield an empty folder to fill; when the block ends without error it becomes `path`.

    So a run folder is complete or it is not there. What a run that was stopped left behind
    (`<path>.partial`) is replaced, but for the folder `checkpoints` in it, from which the next run
    may continue, and which goes at the end; one that another process still fills is refused.

    Args:
        path: str or path of a folder that does not exist yet, or is empty. Of a link, the folder it
            points to is made.

    Raises:
        InputError: `path` already holds something, cannot be written, is a mount point, or is in
            use.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "run")
    >>> with run_folder(path) as partial:
    ...     _ = (partial / "a.txt").write_text("done")
    ...     path.exists()
    False
    >>> [file.name for file in path.iterdir()]
    ['a.txt']
    """
    path = Path(path)
    with said_simply(path):
        if not path.name or path.is_symlink():  # "." has no name, and no folder replaces a link
            path = Path(os.path.realpath(path))
        partial = path.with_name(path.name + _PARTIAL)
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise InputError(
                f"{path} already exists and nothing in it was changed. "
                "Choose another output folder, or move the old one away."
            )
        if path.is_mount():
            raise InputError(
                f"{path} is a mount point, which a finished folder cannot replace: pass a folder "
                f"in it, such as {path / 'run'}."
            )
        try:
            partial.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError:  # its parent exists and takes no folders, such as /proc
            raise InputError(f"No folder can be made at {path}. Choose another one.") from None
    with said_simply(path), lock(partial):
        _empty(partial, keep=CHECKPOINTS)
        try:
            yield partial
        except BaseException:
            with contextlib.suppress(OSError):
                _empty(partial, keep=CHECKPOINTS)
                partial.rmdir()  # unless there are checkpoints
            raise
        shutil.rmtree(partial / CHECKPOINTS, ignore_errors=True)
        try:
            partial.replace(path)
        except OSError as error:  # hours of work: never thrown away for a name
            raise InputError(
                f"Cannot make {path}: something else was put there meanwhile. "
                f"The finished run is in {partial}."
            ) from error


def finished(folder):
    """The absolute path that a folder of `run_folder` has when it is done.

    >>> finished("/photos/run.partial").name, finished("/photos/run").name
    ('run', 'run')
    """
    folder = Path(folder).absolute()
    return folder.with_name(folder.name.removesuffix(_PARTIAL))


def _empty(folder, keep=None):
    for old in folder.iterdir():
        if old.name != keep:
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()


@contextlib.contextmanager
def lock(folder):
    """Hold `folder` for this process; the lock of a dead process does not count.

    On NFS only processes of this machine are kept out.

    Raises:
        InputError: another living process holds it, or the file system has no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            with said_simply(folder):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"Another kerascnn process is working on {folder}. "
                "Wait for it, or choose another folder."
            ) from None
        yield
    finally:
        os.close(descriptor)
