"""What several processes that train one model together must do at the same moment."""

import os

import numpy as np

from kerascnn._errors import InputError
from kerascnn._runs import WORKERS

__all__ = ["agree", "wait"]


def agree(checkpoint, folder):
    """Refuse a folder in which the processes do not all see the same newest checkpoint.

    >>> agree(None, "run/")  # one process agrees with itself
    """
    if _alone():
        return
    from jax.experimental import multihost_utils

    seen = (checkpoint.epoch, checkpoint.step) if checkpoint else (-1, -1)
    everywhere = np.asarray(multihost_utils.process_allgather(np.array(seen, np.int32)))
    if (everywhere != everywhere[0]).any():
        raise InputError(
            f"The workers do not see the same checkpoints in {folder}. It must be on a disk that "
            "all machines share, under the same path."
        )


def wait():
    """Wait until all processes are here, so that what the first wrote is there for all.

    >>> wait()
    """
    if not _alone():
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("kerascnn")


def _alone():
    return int(os.environ.get(WORKERS, 1)) == 1
