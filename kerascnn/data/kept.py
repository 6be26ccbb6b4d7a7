"""Numbers about photos: computed in blocks, on all cores, and kept by content hash."""

import concurrent.futures
import os

from tqdm import tqdm

__all__ = ["BLOCK", "kept_rows", "on_all_cores"]

BLOCK = 256  # photos in memory at a time, for each core


def on_all_cores(function, count, what, progress):
    """[function(first number)] of every block of `count` things; a bar says `what` is done.

    >>> on_all_cores(lambda low: min(low + BLOCK, 600) - low, 600, "Counting", progress=False)
    [256, 256, 88]
    """
    starts = range(0, count, BLOCK)
    hidden = None if progress and count else True
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(tqdm(pool.map(function, starts), what, len(starts), disable=hidden))


def kept_rows(store, digests, compute, what, progress):
    """The numbers of the store's rows for these photos; what is missing is computed first.

    Args:
        store: `RowStore`.
        digests: strs, each once.
        compute: function (list of digests) -> array (n, *store.shape).
        what: str, for the progress bar. progress: bool.

    >>> import tempfile
    >>> from kerascnn.data import RowStore
    >>> store = RowStore(tempfile.mkdtemp(), (1,), "int64")
    >>> lengths = lambda digests: [[len(digest)] for digest in digests]
    >>> store.read(kept_rows(store, ["a", "bcd"], lengths, "Lengths", progress=False)).tolist()
    [[1], [3]]
    """
    missing = [digest for digest, row in zip(digests, store.find(digests)) if row < 0]

    def keep(low):
        part = missing[low : low + BLOCK]
        store.append(part, compute(part))

    on_all_cores(keep, len(missing), what, progress)
    return store.find(digests)
