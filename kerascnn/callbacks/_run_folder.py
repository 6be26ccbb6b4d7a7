"""The folder of a training run: one owner, the newest whole checkpoint, saving that may fail."""

import contextlib
import logging
import weakref
from pathlib import Path

from kerascnn._errors import InputError
from kerascnn._runs import is_writer, lock
from kerascnn.callbacks import _checkpoint, _together

__all__ = ["RunFolder"]

_log = logging.getLogger("kerascnn")
_owners = weakref.WeakValueDictionary()  # path -> the `RunFolder` of this process that holds it


class RunFolder:
    """Checkpoints in one folder. Of several processes that train one model, the first writes them.

    Attributes:
        path: of the folder.
        found: `Checkpoint`, the newest one that is whole, or None, as `look` saw it.
        newest: path of the newest one that is known to be whole, or None.
        looked: bool. Whether `found` holds: not once `fit` began.

    >>> import tempfile
    >>> folder = RunFolder(Path(tempfile.mkdtemp(), "run"))
    >>> folder.look(), folder.take()
    (None, None)
    >>> folder.save(_checkpoint.Checkpoint(3, 120, {}, {}))
    True
    >>> folder.newest.name[:23]
    'epoch-0003-step-000120-'
    """

    def __init__(self, path):
        self.path = Path(path)
        self._open = contextlib.ExitStack()
        self._paused = self.looked = False

    def look(self):
        """Find the newest checkpoint that is whole.

        Raises:
            InputError: there are checkpoints, and none of them can be read.
        """
        self._seen, self.found, self.newest = _checkpoint.listed(self.path), None, None
        self.looked = True
        for path in self._seen:
            try:
                self.found, self.newest = _checkpoint.load(path), path
                return
            except InputError as error:
                _log.warning("%s The one before is tried.", error)
        if self._seen:
            raise InputError(
                f"None of the {len(self._seen)} checkpoints in {self.path} can be read. Choose "
                "another folder to begin anew, or mend or delete them."
            )

    def take(self):
        """Hold the folder until `release`; return what `look` found.

        Raises:
            InputError: another process holds it, it cannot be made, or others wrote in it since
                `look`.
        """
        folder = self.path.resolve()
        before = _owners.get(folder)
        if before is not None:
            before.release()  # of a fit in this process that ended by an error
        if is_writer():
            with _checkpoint.said_in_words(folder):
                folder.mkdir(parents=True, exist_ok=True)
                self._open.enter_context(lock(folder))
        _owners[folder] = self
        if not self.looked:
            self.look()
        if _checkpoint.listed(self.path) != self._seen:
            raise InputError(
                f"The checkpoints in {self.path} are not those that Resume found: they were "
                "changed meanwhile. Make a new Resume, and call fit again."
            )
        if is_writer():
            _checkpoint.sweep(folder)
        _together.agree(self.found, folder)
        found, self.found = self.found, None  # its memory is not held for all of the training
        self._paused = self.looked = False
        return found

    def save(self, checkpoint):
        """Write a checkpoint; whether it worked. A trouble is told once, and its end."""
        if not is_writer():
            return False
        try:
            self.newest = _checkpoint.save(self.path, checkpoint, before=self.newest)
        except InputError as error:
            if not self._paused:
                _log.warning(
                    "No checkpoint could be saved. %s Training goes on, the last one is kept, and "
                    "saving is tried again when the next is due.",
                    error,
                )
            self._paused = True
            return False
        if self._paused:
            _log.warning("Checkpoints are saved again.")
        self._paused = False
        return True

    def release(self):
        """Let others have the folder."""
        self._open.close()
        self.looked = False
