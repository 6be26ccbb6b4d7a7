"""Run folders under damage: a model that predicts what it predicted before, or one sentence."""

import collections
import contextlib
import io
import json
import sys
import zipfile

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kerascnn import cli
from kerascnn.transfer import load_run
from kerascnn.transfer.run import save_model
from tests.faults.corruption import JSON, altered, damaged, examples

pytestmark = pytest.mark.thorough

EXAMPLES = [8, pytest.param(500, marks=pytest.mark.slow)]
LABELS = {"class_names": ["cat", "dog"], "image_size": [8, 8], "channels": 3, "resize": "pad"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The bytes of a run's model.keras."""
    path = tmp_path_factory.mktemp("run") / "model.keras"
    photos = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 255)(photos)
    x = keras.layers.Conv2D(4, 3, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    save_model(keras.Model(photos, keras.layers.Dense(2, "softmax")(x)), path, LABELS)
    return path.read_bytes()


def predicted(path):
    """What the run in a folder says of a photo."""
    photo = np.linspace(0, 255, 192, dtype="float32").reshape(1, 8, 8, 3)
    return np.asarray(load_run(path).model(photo))


@pytest.mark.parametrize("count", EXAMPLES)
def test_damaged_archives(archive, count, elsewhere, tmp_path):
    """Checksums notice all damage of what matters, so what is opened is what was saved."""
    (tmp_path / "model.keras").write_bytes(archive)
    _, whole = elsewhere(predicted, tmp_path)
    seen = collections.Counter()

    @examples(count)
    @given(damaged(archive))
    def check(data):
        (tmp_path / "model.keras").write_bytes(data)
        kind, value = elsewhere(predicted, tmp_path)
        assert kind == "refused" or np.array_equal(value, whole)
        seen[kind] += 1

    check()
    assert seen["refused"]


def members(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def pack(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "labels.json"])
@pytest.mark.parametrize("count", EXAMPLES)
def test_damage_with_right_checksums(archive, name, count, elsewhere, tmp_path):
    """As a hostile author would write it."""
    parts = members(archive)

    @examples(count)
    @given(damaged(parts[name]))
    def check(data):
        pack(tmp_path / "model.keras", parts | {name: data})
        elsewhere(predicted, tmp_path)

    check()


@pytest.mark.parametrize("name", ["config.json", "labels.json"])
@pytest.mark.parametrize("count", EXAMPLES)
def test_other_values(archive, name, count, elsewhere, tmp_path):
    parts = members(archive)

    @examples(count)
    @given(altered(json.loads(parts[name])))
    def check(value):
        pack(tmp_path / "model.keras", parts | {name: json.dumps(value)})
        elsewhere(predicted, tmp_path)

    check()


@pytest.mark.parametrize("count", EXAMPLES)
def test_invented_labels(archive, count, elsewhere, tmp_path):
    parts = members(archive)

    @examples(count)
    @given(JSON | st.fixed_dictionaries(dict.fromkeys(LABELS, JSON)))
    def check(value):
        pack(tmp_path / "model.keras", parts | {"labels.json": json.dumps(value)})
        assert elsewhere(predicted, tmp_path)[0] == "refused"

    check()


def command(*arguments):
    """(exit code, stderr) of `kerascnn`."""
    out, err = (io.TextIOWrapper(io.BytesIO()) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.argv = ["kerascnn", *map(str, arguments)]
        try:
            cli.main()
        except SystemExit as ended:
            err.seek(0)
            return ended.code, err.read()


@pytest.mark.parametrize("count", EXAMPLES)
def test_predict_of_a_damaged_run(archive, count, elsewhere, tmp_path):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "photo.png")
    (tmp_path / "run").mkdir()
    seen = collections.Counter()

    @examples(count)
    @given(damaged(archive))
    def check(data):
        (tmp_path / "run/model.keras").write_bytes(data)
        _, (code, err) = elsewhere(command, "predict", tmp_path / "run", tmp_path / "photo.png")
        assert code in (0, 2) and "Traceback" not in err and "defect" not in err
        assert (code == 2) == err.startswith("kerascnn: ")
        seen[code] += 1

    check()
    assert seen[2]
