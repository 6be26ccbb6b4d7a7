"""What is refused before Keras opens a `.keras` file, and that nothing else is."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import kerascnn
from kerascnn import InputError
from tests.test_runs import without_root

ROOT = Path(__file__).parents[1]
LAYER = {"module": "keras.layers", "registered_name": None}


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """{name: bytes} of a small model's archive."""
    path = tmp_path_factory.mktemp("model") / "a.keras"
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(3, name="dense")(inputs)).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def write(tmp_path, members):
    """Writes the archive with other members; None leaves one out."""

    def write(changes=(), compression=zipfile.ZIP_STORED):
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in (members | dict(changes)).items():
                if data is not None:
                    archive.writestr(name, data)
        return path

    return write


def refused(path, reason):
    with pytest.raises(InputError, match=reason) as caught:
        kerascnn.load_model(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_ordinary_archives_are_opened(write, tmp_path):
    for path in (
        write(),
        write(compression=zipfile.ZIP_DEFLATED),
        write({"labels.json": "{}", "assets/": "", "assets/layers/words.txt": "a"}),
    ):
        assert kerascnn.load_model(path).count_params() == 15
        assert kerascnn.load_model(path.parent).count_params() == 15
        assert kerascnn.load_model(str(path), compile=False).count_params() == 15


@pytest.mark.parametrize("name", ["model.weights.h5", "config.json", "metadata.json"])
def test_one_bit_is_noticed(name, write, members):
    path = write()
    data = bytearray(path.read_bytes())
    at = data.index(members[name]) + len(members[name]) // 2
    data[at] ^= 4
    path.write_bytes(data)
    refused(path, f"is damaged or no model .*: Bad CRC-32 for file '{name}'")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"config.json": None}, "There is no item named 'config.json'"),
        ({"model.weights.h5": None}, "There is no item named 'model.weights.h5'"),
        ({"config.json": "{"}, "Expecting property name"),
        ({"config.json": "[" * 200_000}, "maximum recursion depth"),
        ({"config.json": "[1, 2]"}, "Expected object to be an instance of `KerasSaveable`"),
        (
            {"config.json": json.dumps({**LAYER, "class_name": "Dense", "config": {"units": 3}})},
            "it holds a Dense",
        ),
        ({"config.json": b"\xff\xfe\xfd"}, "can't decode"),
        ({"run.py": "import os"}, "holds 'run.py', which no model has"),
        ({"../up.txt": "up"}, r"holds '\.\./up\.txt', which no model has"),
        ({"assets/../../up.txt": "up"}, "which no model has"),
        ({"assets/..\\up.txt": "up"}, "which no model has"),
        ({"/etc/up.txt": "up"}, "which no model has"),
        ({"model.weights.npz": "pickles"}, "which no model has"),
        ({"labels.json": bytes(2**26 + 1)}, "far more than its size|67,108,865 bytes"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_in_no_model_is_refused(changes, reason, write):
    refused(write(changes), reason)


def test_bombs_are_refused_unpacked(write):
    path = write({"labels.json": bytes(5 * 10**7)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**5
    refused(path, "claims to hold far more than its size allows")


def test_a_member_may_not_stand_twice(write, members):
    path = write()
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", members["config.json"])
    refused(path, "it holds a file twice")


def with_layer(members, layer):
    """The configuration with another layer instead of `dense`."""
    config = json.loads(members["config.json"])
    config["config"]["layers"][1] |= layer
    return {"config.json": json.dumps(config)}


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        ({"class_name": "Lambda", "config": {"name": "a", "function": "relu"}}, "Lambda"),
        ({"class_name": "Dense", "registered_name": "Lambda"}, "Lambda"),
        ({"config": {"units": 3, "activation": {"class_name": "__lambda__"}}}, "__lambda__"),
        ({"class_name": "TFSMLayer", "config": {"filepath": "/tmp/saved"}}, "TFSMLayer"),
        ({"class_name": "TorchModuleWrapper", "config": {}}, "TorchModuleWrapper"),
        ({"module": "keras.utils", "class_name": "get_file"}, "keras.utils"),
        ({"module": "keras.datasets.cifar10", "class_name": "load_data"}, "keras.datasets.cifar10"),
        ({"module": "keras.config", "class_name": "disable_traceback_filtering"}, "keras.config"),
        (
            {"module": "keras.saving", "class_name": "function", "config": "load_model"},
            "keras.saving",
        ),
        (
            {"class_name": "TimeDistributed", "config": {"layer": {"class_name": "Lambda"}}},
            "Lambda",
        ),
    ],
    ids=str,
)
def test_programs_are_refused(layer, found, write, members):
    refused(write(with_layer(members, layer)), f"was not opened: it holds {found}, which could run")


@pytest.mark.thorough
def test_no_program_runs_even_where_keras_was_told_to_run_them(tmp_path):
    harm = eval(f"lambda x: [x, __import__('os').mkdir({str(tmp_path / 'ran')!r})][0]")
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Lambda(harm)(inputs)).save(tmp_path / "a.keras")
    (tmp_path / "ran").rmdir()
    code = f"""
import os, keras, kerascnn
keras.config.enable_unsafe_deserialization()
try:
    kerascnn.load_model({str(tmp_path / "a.keras")!r})
except kerascnn.InputError:
    assert not os.path.exists({str(tmp_path / "ran")!r})
    keras.models.load_model({str(tmp_path / "a.keras")!r}, safe_mode=False)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    assert (tmp_path / "ran").exists()  # so the file is harmful: Keras alone runs it


def test_files_of_the_machine_are_not_read_into_a_model(write, members, tmp_path):
    (tmp_path / "secret.txt").write_text("secret\nwords\n")
    config = {"name": "dense", "vocabulary": str(tmp_path / "secret.txt"), "dtype": "string"}
    path = write(with_layer(members, {"class_name": "StringLookup", "config": config}))
    refused(path, "is damaged or no model that Keras can open: .*vocabulary")


def test_weights_in_another_file_are_not_read(write, members):
    file = io.BytesIO(members["model.weights.h5"])
    with h5py.File(file, "a") as weights:
        group = weights["layers/dense/vars"]
        del group["1"]
        raw = [("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
        group.create_dataset("1", shape=(3,), dtype="uint8", external=raw)
    refused(
        write({"model.weights.h5": file.getvalue()}),
        r"its model\.weights\.h5 holds an array that lies in another file",
    )


def test_a_layer_for_which_there_is_no_memory(write, members):
    path = write(with_layer(members, {"config": {"name": "dense", "units": 2**62}}))
    refused(path, "is damaged or no model that Keras can open")


def test_classes_of_the_user_are_used_when_named(tmp_path):
    class Twice(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    inputs = keras.Input((4,))
    keras.Model(inputs, Twice(name="twice")(inputs)).save(tmp_path / "own.keras")
    refused(tmp_path / "own.keras", "Could not locate class 'Twice'")
    model = kerascnn.load_model(tmp_path / "own.keras", custom_objects={"Twice": Twice})
    assert model.predict(np.ones((1, 4)), verbose=0).tolist() == [[2, 2, 2, 2]]


def test_older_formats_are_refused_unopened(tmp_path):
    for name in ("a.h5", "a.hdf5", "saved/saved_model.pb"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
        path = path.parent if path.name == "saved_model.pb" else path
        refused(path, r"is a model in an older format, .* call model\.save\(\"new\.keras\"\)")
    (tmp_path / "a.zip").write_bytes(b"")
    for name in ("none.h5", "a.zip", "no\0name", "x" * 300, "x" * 5000):
        with pytest.raises(
            InputError, match=r"(?s)No model at .*(Pass a \.keras file or a folder|name too long)"
        ):
            kerascnn.load_model(tmp_path / name)


def test_a_file_that_may_not_be_read_is_said(write):
    path = write()
    path.chmod(0o200)
    with without_root(path.parent):
        refused(path, r"Cannot read .*model\.keras: Permission denied\.")
