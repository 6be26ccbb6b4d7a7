import hashlib
import json
import re
from pathlib import Path

import keras
import pytest

from kerascnn import InputError, models
from kerascnn.models import _builder
from kerascnn.weights import entry, names
from kerascnn.weights.manifest import FOLDER

# What the networks of each source read: keras.applications.imagenet_utils' "caffe" and "tf", and
# torchvision's mean and standard deviation of ImageNet, for images in 0-255.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PREPROCESSING = {
    "caffe": {"channel_order": "BGR", "scale": 1.0, "offset": [-103.939, -116.779, -123.68]},
    "tf": {"channel_order": "RGB", "scale": pytest.approx(1 / 127.5), "offset": -1.0},
    "torch": {
        "channel_order": "RGB",
        "scale": pytest.approx([1 / (255 * s) for s in STD]),
        "offset": pytest.approx([-m / s for m, s in zip(MEAN, STD)]),
    },
}
TAIL = "_weights_tf_dim_ordering_tf_kernels.h5"
ACCURACY = {  # top-1, top-5: the table of keras.io/api/applications; torchvision's model pages
    f"vgg16{TAIL}": (0.713, 0.901),
    f"vgg19{TAIL}": (0.713, 0.900),
    f"resnet50{TAIL}": (0.749, 0.921),
    f"resnet50v2{TAIL}": (0.760, 0.930),
    f"resnet101{TAIL}": (0.764, 0.928),
    f"resnet101v2{TAIL}": (0.772, 0.938),
    f"resnet152{TAIL}": (0.766, 0.931),
    f"resnet152v2{TAIL}": (0.780, 0.942),
    "resnet18.tv_in1k.safetensors": (0.69758, 0.89078),
    "resnet50.tv_in1k.safetensors": (0.7613, 0.92862),
    "resnet152.tv_in1k.safetensors": (0.78312, 0.94046),
    "wide_resnet50_2.tv_in1k.safetensors": (0.78468, 0.94086),
    "resnext50_32x4d.tv_in1k.safetensors": (0.77618, 0.93698),
    "resnext101_32x4d.gluon_in1k.safetensors": (None, None),
    "resnext101_32x8d.tv_in1k.safetensors": (0.79312, 0.94526),
    "resnext101_64x4d.tv_in1k.safetensors": (0.83246, 0.96454),
    "vgg11.tv_in1k.safetensors": (0.6902, 0.88628),
    "vgg13_bn.tv_in1k.safetensors": (0.71586, 0.90374),
    "vgg16_bn.tv_in1k.safetensors": (0.7336, 0.91516),
    "vgg19_bn.tv_in1k.safetensors": (0.74218, 0.91842),
}

ROOT = Path(__file__).parents[2]
ROWS = json.loads((FOLDER / "manifest.json").read_text("utf-8"))
PACKAGED = [row for row in ROWS if "url" not in row]
PUBLISHED = [row for row in ROWS if "url" in row]


@pytest.mark.parametrize("row", PACKAGED, ids=lambda row: f"{row['model']}-{row['name']}")
def test_each_file_is_the_one_that_its_recipe_wrote(row):
    data = (FOLDER / row["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == row["sha256"]
    recipe = ROOT / row["recipe"]
    assert recipe.is_file()
    assert len(set(row["class_names"])) == row["classes"]
    if "result" in row:  # of recipes/pack_weights.py, which has measured the weights again
        result = json.loads((ROOT / row["result"]).read_text("utf-8"))
        assert 100 * (1 - row["test_accuracy"]) == pytest.approx(result["error"], abs=0.3)
        return
    result = json.loads((ROOT / "recipes/results" / f"{recipe.stem}.json").read_text("utf-8"))
    assert result["weights_sha256"] == row["sha256"]
    assert 1 - row["test_accuracy"] == pytest.approx(result["test_error_percent"] / 100)


def test_packaged_weights_are_small():
    assert sum((FOLDER / row["file"]).stat().st_size for row in PACKAGED) <= 5e6


def test_lenet_preprocessing_is_the_papers():
    preprocessing = entry("LeNet5", "mnist")["preprocessing"]
    black, white = (value * preprocessing["scale"] + preprocessing["offset"] for value in (255, 0))
    assert (black, white) == pytest.approx((1.175, -0.1))  # Sec. II-B


def test_an_entry_is_a_copy():
    entry("LeNet5", "mnist")["preprocessing"]["scale"] = 1.0
    assert entry("LeNet5", "mnist")["preprocessing"]["scale"] == 0.005


def test_unknown_weights_are_named():
    assert names("AlexNet") == []
    with pytest.raises(InputError, match="No weights are packaged for AlexNet"):
        entry("AlexNet", "imagenet")
    with pytest.raises(InputError, match="Did you mean 'mnist'"):
        entry("LeNet5", "MNIST")
    with pytest.raises(
        InputError, match="There are some for ResNet50-v1, ResNet50-v2-keras, ResNe"
    ):
        entry("ResNet50", "imagenet")


def keras_hashes():
    """{file name: its MD5} as the installed keras.applications state them."""
    folder = Path(keras.applications.resnet.ResNet50.__code__.co_filename).parent
    vgg = {}
    for name in ("vgg16", "vgg19"):
        text = (folder / f"{name}.py").read_text("utf-8")
        vgg |= dict(re.findall(r'get_file\(\s*"(\S+\.h5)".*?file_hash="(\w+)"', text, re.DOTALL))
    text = (folder / "resnet.py").read_text("utf-8")
    pairs = re.findall(r'"(resnet\w+)": \(\s*"(\w+)",\s*"(\w+)"', text)
    stem = "{}_weights_tf_dim_ordering_tf_kernels{}.h5"
    return vgg | {
        stem.format(name, tail): hash_
        for name, *hashes in pairs
        for tail, hash_ in zip(("", "_notop"), hashes)
    }


def regime(row):
    """Keras's v2 files read RGB in [-1, 1], its others BGR minus the mean."""
    return "tf" if "v2" in row["file"] else "caffe"


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row["model"])
def test_each_published_row(row):
    files = [row, row["notop"]] if "notop" in row else [row]
    if "md5" in row:
        assert [f["md5"] for f in files] == [keras_hashes()[f["file"]] for f in files]
        assert all(f["url"].endswith(f["file"]) for f in files)
        base = "https://storage.googleapis.com/tensorflow/keras-applications/"
        assert all(f["url"].startswith(base) for f in files)
    else:
        assert re.fullmatch("[0-9a-f]{64}", row["sha256"])
        repository = row["file"].removesuffix(".safetensors")
        url = f"https://huggingface.co/timm/{repository}/resolve/main/model.safetensors"
        assert row["url"] == url
    assert row["preprocessing"] == PREPROCESSING["torch" if "sha256" in row else regime(row)]
    assert (row["image_size"], row["channels"], row["classes"]) == (224, 3, 1000)
    assert (row["test_accuracy"], row["top5_accuracy"]) == ACCURACY[row["file"]]
    assert bool(row["accuracy_source"]) == bool(row["test_accuracy"])


def build_cases():
    quick = ("ResNet18-v1.5", "VGG13-bn")
    for row in PUBLISHED:
        marks = [] if row["model"] in quick else pytest.mark.slow
        yield pytest.param(row["model"], row["build"], id=row["model"], marks=marks)


@pytest.mark.parametrize(("model", "build"), list(build_cases()))
def test_the_network_is_built_as_said(model, build, monkeypatch):
    built = []
    monkeypatch.setattr(_builder, "load", lambda *_, builder, **__: built.append(builder))
    name, options = re.fullmatch(r"(\w+)\((.*)\)", build).groups()
    getattr(models, name)(include_top=False, input_shape=(32, 32, 3), **eval(f"dict({options})"))
    assert built == [model]


def test_no_two_rows_are_of_one_network():
    assert len({(row["model"], row["name"]) for row in ROWS}) == len(ROWS)
    files = [row["file"] for row in ROWS] + [r["notop"]["file"] for r in ROWS if "notop" in r]
    assert len(set(files)) == len(files)
