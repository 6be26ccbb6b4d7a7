"""Formats: what is read, and the one sentence for what is not."""

import io

import h5py
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from kerascnn import InputError
from kerascnn.weights.reading import legacy_layers, read
from tests.oracles import legacy_h5

LAYERS = {
    "b": {"b/kernel:0": np.ones((2, 3)), "b/bias:0": np.zeros(3)},
    "pool": {},
    "a": {"w": np.eye(2)},
}


@pytest.mark.parametrize("chunks", [1, 2, 3])
@pytest.mark.parametrize("inside", [None, "model_weights"])
def test_files_of_keras_1_and_2(chunks, inside, tmp_path):
    path = tmp_path / "old.h5"
    legacy_h5.write(path, LAYERS, chunks, inside)
    layers, variant = read(path, "old.h5")
    assert list(layers) == ["b", "a"] and variant is None
    assert [array.tolist() for array in layers["b"]] == [np.ones((2, 3)).tolist(), [0, 0, 0]]
    with h5py.File(path) as file:
        assert list(legacy_layers(file)) == ["b", "a"]


@pytest.mark.parametrize("dtype", ["f4", "f2", "f8", ml_dtypes.bfloat16])
def test_safetensors_become_float32(dtype, tmp_path):
    path = tmp_path / "a.safetensors"
    values = np.array([[0.5, -2.0, 3.0]]).astype(dtype)
    count = np.array(4, "i8")
    save_file(
        {
            "fc.weight": values,
            "conv1.weight": np.ones((1, 1, 1, 1), dtype),
            "bn1.num_batches_tracked": count,
        },
        path,
    )
    layers, _ = read(path, "a.safetensors")
    assert layers["output"][0].dtype == layers["stem_conv"][0].dtype == np.float32
    assert layers["output"][0].T.tolist() == [[0.5, -2.0, 3.0]]


@pytest.mark.parametrize("kept", [0, 5, 60, 0.5, 0.999])
def test_truncated_safetensors_are_refused(kept, tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"conv1.weight": np.zeros((64, 3, 7, 7), "f4")}, path)
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    with pytest.raises(InputError, match="a.safetensors is not a whole .safetensors file") as error:
        read(path, str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".h5", ".safetensors"])
def test_other_content_is_refused(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"neither HDF5 nor safetensors" * 99)
    with pytest.raises(InputError, match="not a whole .*truncated, damaged or of another format"):
        read(path, str(path))


def test_hdf5_without_layers_is_refused():
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened["data"] = 3
    with pytest.raises(InputError, match="it is not a whole Keras 3 weights file"):
        read(file, "it")


@pytest.mark.parametrize("suffix", [".h5", ".safetensors"])
def test_no_file_and_no_permission(suffix, tmp_path):
    with pytest.raises(InputError, match=r"none.*: No such file or directory\. Check the path"):
        read(tmp_path / f"none{suffix}", "it")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(InputError, match="Is a directory. Check the path"):
        read(tmp_path / f"folder{suffix}", "it")
