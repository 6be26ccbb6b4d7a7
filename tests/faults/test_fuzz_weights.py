"""Weights files under damage: loaded whole and finite, or refused in one sentence."""

import collections
import functools
import json
import struct

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from kerascnn import weights
from tests.faults.corruption import altered, damaged, examples, outcome
from tests.oracles import legacy_h5

pytestmark = pytest.mark.thorough

HDF5_EXAMPLES = [15, pytest.param(500, marks=pytest.mark.slow)]  # a process each
EXAMPLES = [150, pytest.param(10_000, marks=pytest.mark.slow)]


@functools.cache
def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(4, 3, name="stem_conv", use_bias=False)(inputs)
    x = keras.layers.BatchNormalization(name="stem_bn")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="output")(x), name="small")


def load(path):
    """Whatever happens, the weights of the network are all old or all the file's."""
    model = network()
    before = [np.full(w.shape, 7, w.dtype) for w in model.weights]
    model.set_weights(before)
    kind, value = outcome(weights.load, model, str(path))
    after = model.get_weights()
    if kind == "refused":
        assert all(np.array_equal(a, b) for a, b in zip(before, after))
    else:
        assert all(np.isfinite(w).all() for w in after) and len(value.sha256) == 64
        assert not any(np.array_equal(a, b) for a, b in zip(before, after))
    return kind


def current(path):
    network().save_weights(path)


def compressed(path):
    """What other programs write: newer structures, chunks, compression, checksums."""
    with h5py.File(path, "w", libver="latest") as file:
        for layer in network().layers:
            group = file.create_group(f"layers/{layer.name}/vars")
            group.attrs["name"] = layer.name
            for i, array in enumerate(layer.get_weights()):
                options = {"compression": "gzip", "fletcher32": True, "shuffle": True}
                group.create_dataset(str(i), data=array, chunks=array.shape, **options)


def older(path):
    legacy_h5.write(path, legacy_h5.of_model(network()))


@pytest.mark.parametrize("count", HDF5_EXAMPLES)
@pytest.mark.parametrize("write", [current, compressed, older])
def test_damaged_hdf5(write, count, elsewhere, tmp_path):
    path = tmp_path / "a.weights.h5"
    write(path)
    whole, seen = path.read_bytes(), collections.Counter()
    assert elsewhere(load, path) == ("loaded", "loaded")

    @examples(count)
    @given(damaged(whole))
    def check(data):
        path.unlink()
        path.write_bytes(data)
        seen[elsewhere(load, path)[1]] += 1

    check()
    assert seen["refused"] and seen["loaded"] and sum(seen.values()) >= count


def tensors():
    """The network's weights under the names and in the layout of PyTorch."""
    kernel, gamma, beta, mean, variance, dense, bias = network().get_weights()
    return {
        "conv1.weight": kernel.transpose(3, 2, 0, 1).copy(),
        **{f"bn1.{n}": a for n, a in zip(("weight", "bias"), (gamma, beta))},
        **{f"bn1.running_{n}": a for n, a in zip(("mean", "var"), (mean, variance))},
        "bn1.num_batches_tracked": np.array(9),
        "fc.weight": dense.T.copy(),
        "fc.bias": bias,
    }


@pytest.mark.parametrize("count", EXAMPLES)
def test_damaged_safetensors(count, elsewhere, tmp_path):
    path, seen = tmp_path / "a.safetensors", collections.Counter()

    @examples(count)
    @given(damaged(save(tensors())))
    def check(data):
        path.write_bytes(data)
        seen[elsewhere(load, path)[1]] += 1

    check()
    assert seen["refused"] and seen["loaded"]


@pytest.mark.parametrize("count", EXAMPLES)
def test_safetensors_with_another_header(count, elsewhere, tmp_path):
    path, data = tmp_path / "a.safetensors", save(tensors())
    (length,) = struct.unpack_from("<Q", data)
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]

    @examples(count)
    @given(altered(header))
    def check(header):
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + body)
        elsewhere(load, path)

    check()


MODULES = st.sampled_from(
    ["conv1", "bn1", "layer1.0.conv3", "layer1.0.downsample.0", "features.0", "features.1"]
    + [
        "features.3",
        "features.x",
        "classifier.0",
        "classifier.1",
        "pre_logits.fc1",
        "head.fc",
        "fc",
    ]
)
LEAVES = st.sampled_from(["weight", "weight", "bias", "running_mean", "running_var"])
NAMES = st.builds("{}.{}".format, MODULES, LEAVES)
SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 11]), max_size=5)
TYPES = st.sampled_from(["f2", "f4", "f8", "i1", "u8", "?", "c8"])
VALUES = st.sampled_from([0.5, np.nan, np.inf, 1e300])


@st.composite
def array(draw):
    with np.errstate(all="ignore"):
        return np.array(np.full(draw(SHAPES), draw(VALUES)).astype(draw(TYPES)))


@pytest.mark.parametrize("count", EXAMPLES)
def test_safetensors_of_any_shapes(count, elsewhere, tmp_path):
    path = tmp_path / "a.safetensors"

    @examples(count)
    @given(st.dictionaries(NAMES, array(), min_size=1))
    def check(made):
        path.write_bytes(save(made))
        assert elsewhere(load, path)[1] == "refused"

    check()


OLD_NAMES = st.sampled_from(
    ["conv1_conv", "conv1_bn", "block1_conv1", "block1_conv2", "fc1", "predictions", "post_bn"]
    + ["conv2_block1_1_conv", "conv2_block1_1_bn", "conv2_block1_0_bn", "output", "stem_conv"]
)


@pytest.mark.parametrize("count", HDF5_EXAMPLES)
def test_older_files_of_any_arrays(count, elsewhere, tmp_path):
    path = tmp_path / "a.weights.h5"
    arrays = st.builds(np.full, SHAPES, VALUES)

    @examples(count)
    @given(st.dictionaries(OLD_NAMES, st.lists(arrays, max_size=5), min_size=1))
    def check(layers):
        named = {n: {f"{i}:0": a for i, a in enumerate(arrays)} for n, arrays in layers.items()}
        legacy_h5.write(path, named)
        assert elsewhere(load, path)[1] == "refused"

    check()
