"""Weights that a recipe trains get into the package, and load by their name."""

import io
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from kerascnn import InputError, models, weights
from kerascnn.transfer import backbone
from kerascnn.weights import loading, manifest

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
NAME = "tiny-imagenet32"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """(folder of a package, its new row, the network): ResNet-20, two steps on drawn images."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "manifest.json").write_bytes((manifest.FOLDER / "manifest.json").read_bytes())
    network = models.CifarResNet20(classes=200)
    network.compile("sgd", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(16, 32, 32, 3))
    network.fit(x, np.arange(16), batch_size=8, verbose=0)
    network.save_weights(folder / "new.weights.h5")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "recipes")
        import pack_weights
    result = {"name": f"resnet20-{NAME}", "error": 0.0}
    data = drawn_data(folder)
    with pytest.raises(
        SystemExit, match="are not the weights of run.json: they leave 9"
    ) as refused:
        pack_weights.pack(written(folder, result), folder / "new.weights.h5", data, folder)
    assert len(json.loads((folder / "manifest.json").read_text())) == len(manifest.entries())
    result["error"] = float(str(refused.value).split("leave ")[1].split(" %")[0])
    row = pack_weights.pack(written(folder, result), folder / "new.weights.h5", data, folder)
    return folder, row, network


def written(folder, result):
    (folder / "run.json").write_text(json.dumps(result))
    return folder / "run.json"


def drawn_data(folder):
    """A data set in the form of Tiny-ImageNet's: 200 classes, an image for each, then another."""
    rng, parts = np.random.default_rng(1), {}
    for part in ("train", "val"):
        files = []
        for colour in rng.integers(256, size=(200, 3)):
            file = io.BytesIO()
            Image.new("RGB", (32, 32), tuple(map(int, colour))).save(file, "jpeg")
            files.append(np.frombuffer(file.getvalue(), "uint8"))
        parts[f"{part}_jpeg"] = np.concatenate(files)
        parts[f"{part}_offset"] = np.cumsum([0, *map(len, files)])
        parts[f"y_{part}"] = np.arange(200)
    names = [f"thing {i}, Res {i}" for i in range(200)]
    np.savez(folder / "drawn.npz", **parts, class_names=names, wnids=[f"n{i}" for i in range(200)])
    return folder / "drawn.npz"


@pytest.fixture
def installed(packed, monkeypatch):
    """The package as it is with the new weights."""
    for module in (manifest, loading):
        monkeypatch.setattr(module, "FOLDER", packed[0])
    manifest.entries.cache_clear()
    yield packed
    manifest.entries.cache_clear()


def test_the_row_says_what_the_weights_need(packed):
    folder, row, _ = packed
    rows = json.loads((folder / "manifest.json").read_text())
    assert row in rows and len({(r["model"], r["name"]) for r in rows}) == len(rows)
    assert (row["model"], row["name"], row["image_size"]) == ("CifarResNet20", NAME, 32)
    assert row["class_names"][7] == "thing 7" and row["wnids"][7] == "n7"
    with np.load(folder / "drawn.npz") as file:
        cuts = zip(file["train_offset"], file["train_offset"][1:])
        data = file["train_jpeg"]
        images = [np.asarray(Image.open(io.BytesIO(data[a:b].tobytes()))) for a, b in cuts]
    scale, offset = row["preprocessing"]["scale"], row["preprocessing"]["offset"]
    prepared = np.stack(images) * np.array(scale) + offset
    np.testing.assert_allclose(prepared.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(prepared.std((0, 1, 2)), 1, atol=1e-5)


def test_the_manifest_keeps_its_form(packed):
    """Without the new row it is the old one to the byte."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "recipes")
        from pack_weights import told
    text = (manifest.FOLDER / "manifest.json").read_text("utf-8")
    assert "[\n" + ",\n".join(map(told, json.loads(text))) + "\n]\n" == text


def test_the_network_loads_them_by_name(installed):
    _, row, trained = installed
    loaded = models.CifarResNet20(weights=NAME, classes=200)
    assert all(map(np.array_equal, loaded.get_weights(), trained.get_weights()))
    report = weights.load(models.CifarResNet20(classes=200), NAME, builder="CifarResNet20")
    assert report.sha256 == row["sha256"]


def test_ten_classes_are_refused_with_the_call_that_mends(installed):
    with pytest.raises(InputError, match=r"\(64, 200\) .* file and \(64, 10\)") as error:
        models.CifarResNet20(weights=NAME)
    call = (
        "kerascnn.weights.load(model, 'tiny-imagenet32', builder='CifarResNet20', new=['output'])."
    )
    assert str(error.value).endswith(call) and "\n" not in str(error.value)
    model = models.CifarResNet20()
    assert weights.load(model, NAME, builder="CifarResNet20", new=["output"]).new == ("output",)


@pytest.mark.parametrize("options", [{"variant": "v2"}, {"shortcut": "B"}])
def test_other_forms_have_none(options, installed):
    message = r"Unknown weights .* 'tiny-imagenet32' exists for CifarResNet20\(\)"
    with pytest.raises(InputError, match=message):
        models.CifarResNet20(weights=NAME, **options)


def test_features_of_any_size(installed):
    trained = installed[2]
    bare = models.CifarResNet20(False, NAME, input_shape=(None, None, 3), pooling="avg")
    x = np.random.default_rng(2).normal(size=(2, 32, 32, 3)).astype("float32")
    expected = keras.Model(trained.input, trained.layers[-2].output)(x)
    np.testing.assert_allclose(bare(x), expected, rtol=1e-5, atol=1e-5)
    assert bare(np.zeros((1, 48, 64, 3))).shape == (1, 64)


def test_backbones_take_photos_as_they_are(installed, monkeypatch):
    from kerascnn.transfer import backbones

    row = backbones.Backbone(
        "CifarResNet20", "cifar_resnet", "kerascnn", 32, 3, 0, "rescaling", (NAME,)
    )
    monkeypatch.setattr(backbones, "_table", lambda: {row.name: row})
    given = installed[1]["preprocessing"]
    photos = np.random.default_rng(3).integers(256, size=(2, 32, 32, 3)).astype("uint8")
    whole = backbone("CifarResNet20", NAME, include_top=True)
    prepared = (photos * np.array(given["scale"]) + given["offset"]).astype("float32")
    np.testing.assert_allclose(
        whole.predict(photos, verbose=0), installed[2](prepared), rtol=1e-4, atol=1e-5
    )
    assert backbone("CifarResNet20", NAME, image_size=48).output_shape == (None, 64)
