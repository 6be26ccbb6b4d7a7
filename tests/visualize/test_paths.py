"""Which calls read which, on graphs small enough to see."""

import keras
import pytest

from kerascnn import InputError
from kerascnn._calls import calls
from kerascnn.layers import FractalJoin, FractalPath
from kerascnn.visualize._paths import between, inputs, makers, named, sources_of


@pytest.fixture
def found():
    """image -> a -> b -> sum(a, b) -> c, a second output d of a, and a path that only steers."""
    image = keras.Input((4,), name="image")
    path = FractalPath(2, name="path")(image)
    a = keras.layers.Dense(4, name="a")(image)
    b = keras.layers.Dense(4, name="b")(a)
    joined = FractalJoin([0, 1], name="join")([a, b, path])
    c, d = keras.layers.Dense(2, name="c")(joined), keras.layers.Dense(2, name="d")(a)
    return calls(keras.Model(image, [c, d]))


def edges(found):
    names = [call.name for call in found]
    return {(names[s], names[t]) for t, read in enumerate(sources_of(found)) for s in read}


def test_sources_without_what_only_steers(found):
    signals = {("image", "a"), ("a", "b"), ("a", "join"), ("b", "join"), ("join", "c"), ("a", "d")}
    assert edges(found[0]) == signals | {("image", "path")}


def test_a_tensor_read_twice_is_one_source():
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Add(name="twice")([x, x]))
    assert sources_of(calls(model)[0]) == [[], [0]]


def test_inputs_makers_and_names(found):
    found, outputs = found
    position = {call.name: i for i, call in enumerate(found)}
    assert inputs(found) == {position["image"]}
    assert makers(found, outputs) == {position["c"], position["d"]}
    assert named(found, "a", None) == {position["a"]}
    assert named(found, None, {7}) == {7}
    with pytest.raises(InputError, match="Did you mean 'join'"):
        named(found, "joim", None)


def test_between(found):
    found, _ = found
    names = [call.name for call in found]
    sources = sources_of(found)

    def kept(start, end):
        return {names[i] for i in between(sources, {names.index(start)}, {names.index(end)})}

    assert kept("a", "join") == {"a", "b", "join"}
    assert kept("b", "c") == {"b", "join", "c"}
    assert kept("image", "d") == {"image", "a", "d"}
    assert kept("a", "a") == {"a"}
    assert not kept("join", "b")
    assert not kept("b", "d")
