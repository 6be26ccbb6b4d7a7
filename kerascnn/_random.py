"""Stateless randomness: every draw is a pure function of its key, never of a generator's history.

A run that is killed and continued, or that reads its photos in another order, draws the same.
"""

import contextlib
import hashlib
import os
import random
import threading

import numpy as np

from kerascnn._errors import InputError

_GOLDEN = 0x9E3779B9  # 2**32 / golden ratio: neighbouring counters start far apart
_CHILD = 1 << 30  # counters above belong to the layers that a layer holds

_asked = threading.Event()  # of this process, as the switches that `reproducible` sets


def generator(*key):
    """A NumPy generator that depends on `key` alone, equal on every machine and in every process.

    Args:
        *key: ints, strs or bytes that name the draw, e.g. `(seed, "order", epoch)`.

    Returns:
        A `numpy.random.Generator`.

    >>> generator(0, "order", 1).random() == generator(0, "order", 1).random()
    True
    """
    # The repr of NumPy's scalars depends on its version: 3, not np.int64(3).
    plain = tuple(part.item() if isinstance(part, np.generic) else part for part in key)
    if not all(isinstance(part, int | str | bytes) for part in plain):
        raise TypeError(f"A draw is named by ints, strs and bytes. Received: {key!r}.")
    digest = hashlib.sha256(repr(plain).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def permutation(n, *key):
    """The order of `n` things under `key`: int64 array (n,), each of 0 .. n - 1 once.

    >>> permutation(4, 0, "order", 0).tolist() == permutation(4, 0, "order", 0).tolist()
    True
    """
    return generator(*key).permutation(n)


def image_seeds(seed, epoch, indices):
    """The seeds of images, from the run's seed, the epoch and the images' numbers.

    Give them to `augment` of an augmentation layer: an image then looks the same whenever and
    wherever it is made, in any order, in any number of threads.

    Args:
        seed: int.
        epoch: int.
        indices: ints from 0 to 2**32 - 1, as an int, list, NumPy array or tensor of any shape. What
            tells the images apart: their numbers in the data set.

    Returns:
        uint32 array, or tensor where `indices` is one, of shape (*indices.shape, 2).

    >>> import kerascnn as kc
    >>> kc.augment.seeds(0, epoch=3, indices=[7, 8]).shape
    (2, 2)
    """
    digest = hashlib.sha256(repr((int(seed), "augment", int(epoch))).encode()).digest()
    run = np.frombuffer(digest[:8], "<u4").astype(np.uint32)
    xp = np
    if not isinstance(indices, int | list | tuple | range | np.ndarray | np.integer):
        from keras import ops as xp

    numbers = np.asarray(indices, np.uint32) if xp is np else xp.cast(indices, "uint32")
    spread = mix_bits(xp.reshape(numbers, (-1, 1)) * np.array([_GOLDEN], np.uint32), xp)
    return xp.reshape(mix_bits(xp.bitwise_xor(spread, run[None]), xp), (*numbers.shape, 2))


def child_seeds(seeds, number, xp=np):
    """Seeds of the same images for the layer `number` of several: uint32 (N, 2) of (N, 2).

    >>> child_seeds(np.zeros((3, 2), "uint32"), 0).shape
    (3, 2)
    """
    return hash_bits(seeds, _CHILD + 2 * number + np.arange(2), xp)


def hash_bits(seeds, counters, xp=np):
    """Bits as a function of (seed, counter): uint32 (N, M) of uint32 (N, 2) and ints (M,).

    Made of operations that NumPy and `keras.ops` (`xp`) share, so that all backends agree.
    """
    places = np.asarray(counters, np.uint64) * _GOLDEN & 0xFFFFFFFF
    first = mix_bits(seeds[:, :1] + places.astype(np.uint32)[None], xp)
    return mix_bits(xp.bitwise_xor(first, seeds[:, 1:]), xp)


def field_bits(keys, size, number, xp=np):
    """uint32 (N, size) of keys, uint32 (N,): the field `number` (0 or 1) of each image."""
    places = (np.arange(size, dtype=np.uint32) * 2 + number) * np.uint32(_GOLDEN)
    return mix_bits(xp.reshape(keys, (-1, 1)) + places[None], xp)


def mix_bits(h, xp=np):
    """uint32 -> uint32 of which each bit depends on all: MurmurHash3's finaliser (Appleby 2011)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = xp.bitwise_xor(h, xp.right_shift(h, np.array([shift], np.uint32)))
        h = h * np.array([factor], np.uint32)
    return xp.bitwise_xor(h, xp.right_shift(h, np.array([16], np.uint32)))


@contextlib.contextmanager
def random_state_kept():
    """Leave Python's and NumPy's generators as they were.

    Copies of layers draw weights that are thrown away: what is drawn later must not change.

    >>> before = np.random.get_state()[1].tolist()
    >>> with random_state_kept():
    ...     _ = np.random.random(1000)
    >>> np.random.get_state()[1].tolist() == before
    True
    """
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def reproducible(seed):
    """Make this process repeat itself to the bit. Call it first, before anything is built.

    It seeds Python, NumPy and the backend (`keras.utils.set_random_seed`) and allows only
    deterministic operations: on TensorFlow those of `tf.data` too, whose maps keep their order and
    whose shuffles repeat; on JAX those of a GPU. `finetune` and `extract_features` no longer choose
    their engine by its speed: "auto" is "tensorflow" on a CPU, "keras" elsewhere. It cannot be
    switched off again.

    Two runs of a script are then equal to the bit if they have the same versions, kind of machine,
    number of threads and backend: with one thread less the sums are added up in another order. On
    TensorFlow that holds with `num_parallel_calls`, `prefetch`, seeded Keras layers in a `map`,
    and `workers`. It costs time: on a GPU XLA is off, and a `map` with random layers, or any other
    state, runs one element at a time (recipes/benchmarks/reproducible.py measures training steps).

    Not covered: generators of your own without a seed; threads and processes of your own that race;
    on JAX `workers` > 1, since Keras 3.15 reads ahead before the first epoch and puts what it read
    into that epoch; on a GPU features that were in the cache before, in other batches.

    Args:
        seed: int from 0 to 2**32 - 1.

    Raises:
        InputError: the seed is no such int, or JAX has started a GPU already.

    >>> import kerascnn as kc
    >>> kc.reproducible(0)  # doctest: +SKIP
    >>> kc.reproducible(-1)
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: seed must be an int from 0 to 2**32 - 1. Received: -1.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise InputError(f"seed must be an int from 0 to 2**32 - 1. Received: {seed!r}.")
    import keras

    if keras.backend.backend() == "jax":
        _deterministic_jax()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    _asked.set()


def is_reproducible():
    """Whether `reproducible` was called in this process."""
    return _asked.is_set()


def _deterministic_jax():
    """Set the flag that JAX reads when its devices start."""
    import jax

    flag = "--xla_gpu_deterministic_ops=true"
    flags = os.environ.get("XLA_FLAGS", "").split()
    if flag in flags:
        return
    if _jax_has_started() and jax.default_backend() == "gpu":
        raise InputError(
            "JAX has started its GPU already, so that its operations cannot be made deterministic "
            "any more. Call kerascnn.reproducible before anything is computed."
        )
    os.environ["XLA_FLAGS"] = " ".join([*flags, flag])


def _jax_has_started():
    """Whether JAX's devices are there: it refuses this setting then, and says it nowhere else."""
    import jax

    count = jax.config.jax_num_cpu_devices
    try:
        jax.config.update("jax_num_cpu_devices", count + 1)
    except RuntimeError:
        return True
    jax.config.update("jax_num_cpu_devices", count)
    return False
