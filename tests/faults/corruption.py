"""Damage as Hypothesis draws it, and a process of its own in which a loader meets it."""

import multiprocessing
import traceback

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from kerascnn import InputError

_HEADER = 4096  # bytes at the beginning of a file, where most of its structure is
_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


def examples(count):
    """The same `count` examples every time, however long each takes."""
    return settings(
        max_examples=count, derandomize=True, deadline=None, suppress_health_check=_SLOW
    )


@st.composite
def damaged(draw, whole):
    """The bytes of a file after one to six accidents."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        if data:
            draw(st.sampled_from(_ACCIDENTS))(draw, data, _place(draw, data))
    return bytes(data)


def _place(draw, data):
    end = draw(st.sampled_from([min(len(data), 64), min(len(data), _HEADER), len(data)]))
    return draw(st.integers(0, end - 1))


def _flip(draw, data, at):
    data[at] ^= 1 << draw(st.integers(0, 7))


def _put(draw, data, at):
    value = draw(st.sampled_from([b"\0", b"\xff", b"\0" * 8, b"\xff" * 8, b"\x7f" * 4, b"\0" * 64]))
    data[at : at + len(value)] = value


def _number(draw, data, at):
    size = draw(st.sampled_from([2, 4, 8]))
    value = draw(st.integers(0, 256**size - 1))
    data[at : at + size] = value.to_bytes(size, draw(st.sampled_from(["little", "big"])))


def _insert(draw, data, at):
    data[at:at] = draw(st.binary(min_size=1, max_size=40))


def _remove(draw, data, at):
    del data[at : at + draw(st.integers(1, 40))]


def _splice(draw, data, at):
    other, size = _place(draw, data), draw(st.integers(1, 256))
    data[at : at + size] = data[other : other + size]


def _cut(draw, data, at):
    del data[at:]


_ACCIDENTS = (_flip, _flip, _put, _number, _number, _insert, _remove, _splice, _cut)


@st.composite
def altered(draw, value):
    """A JSON value with one leaf or branch replaced, removed or repeated."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 4)):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key, copy = draw(st.sampled_from(keys)), value.copy()
        if draw(st.integers(0, 9)):
            copy[key] = draw(altered(value[key]))
        else:
            del copy[key]
        return copy
    return draw(st.one_of(JSON, st.sampled_from([-1, 0, 2**31, 2**63, "", "x" * 10**4, [value]])))


class Elsewhere:
    """Calls functions in a process of its own, where a crash or a hang is seen and reported.

    `elsewhere(function, *args)`: ("loaded", what it returned) or ("refused", its `InputError`).
    """

    def __init__(self, seconds=300):
        self._seconds = seconds
        self._process = None

    def __call__(self, function, *args):
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        self._pipe.send((function, args))
        if not self._pipe.poll(self._seconds):
            self.close()
            raise AssertionError(f"{function.__name__} hangs")
        try:
            kind, value = self._pipe.recv()
        except EOFError:
            self.close()
            raise AssertionError(f"{function.__name__} crashed its process") from None
        assert kind != "escaped", value
        return kind, value

    def close(self):
        if self._process:
            self._process.kill()
            self._process.join()
            self._process = None


def _serve(pipe):
    while True:
        try:
            function, args = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(outcome(function, *args))
        except BaseException:
            pipe.send(("escaped", traceback.format_exc()))


def outcome(function, *args):
    """("loaded", result) or ("refused", the one sentence); any other exception is a defect."""
    try:
        return "loaded", function(*args)
    except InputError as error:
        assert str(error) and "\n" not in str(error), error
        return "refused", str(error)
