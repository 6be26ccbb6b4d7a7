"""Networks of torchvision and timm and ours give the same, from the same `.safetensors` file.

What theirs give is in tests/golden, made by recipes/make_torch_goldens.py; PyTorch is not needed.
"""

import json
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from kerascnn import InputError, models
from kerascnn.weights import from_torch, load
from tests.oracles import drawn

FOLDER = Path(__file__).parents[1] / "golden"
GOLDENS = [
    row
    for file in ("torch_resnet", "torch_vgg", "torch_alexnet")
    for row in json.loads((FOLDER / f"{file}.json").read_text("utf-8"))
]
QUICK = ("timm-resnet18", "timm-resnext50_32x4d", "torchvision-alexnet")
OURS = {
    "resnet18": models.ResNet18,
    "resnet34": models.ResNet34,
    "resnet50": models.ResNet50,
    "resnet101": models.ResNet101,
    "resnet152": models.ResNet152,
    "wide_resnet50_2": models.WideResNet50x2,
    "resnext50_32x4d": models.ResNeXt50,
    "resnext101_32x4d": models.ResNeXt101,
    "resnext101_32x8d": lambda **common: models.ResNeXt(depth=101, width=8, **common),
    "resnext101_64x4d": lambda **common: models.ResNeXt(depth=101, cardinality=64, **common),
    "alexnet": lambda **common: models.AlexNet(variant="one-weird-trick", **common),
}
VGG_POOLS = {f"pool{i}": f"stage{i}_pool" for i in range(1, 6)}


def build(row, **options):
    shape = tuple(row["images"][1:])
    common = {"classifier_activation": None, "input_shape": shape} | options
    if row["name"] in OURS:
        return OURS[row["name"]](**common)
    vgg, _, norm = row["name"].upper().partition("_")
    return getattr(models, vgg)(batch_norm=bool(norm), **common)


def stage_of(model, name):
    """Our layer at the end of what the golden calls `name`."""
    if name in ("maxpool", "logits"):
        return {"maxpool": "stem_pool", "logits": "output"}[name]
    if name.startswith("layer"):
        stage = f"stage{int(name[5:]) + 1}_block"
        return [x.name for x in model.layers if re.fullmatch(rf"{stage}\d+_out", x.name)][-1]
    names = {"pool1": "pool1", "pool2": "pool2", "pool3": "pool5"}  # AlexNet
    return names[name] if has(model, "conv5") else VGG_POOLS[name]


def has(model, name):
    return any(layer.name == name for layer in model.layers)


def checkpoint(row, prefix=""):
    tensors = {name: shape for name, shape in row["tensors"].items() if name.startswith(prefix)}
    return {name: drawn.tensor(name, shape) for name, shape in tensors.items()}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    yield path
    path.unlink(missing_ok=True)  # up to half a gigabyte


def identity(row):
    return f"{row['library']}-{row['name']}"


GOLDEN = {identity(row): row for row in GOLDENS}


def cases():
    return [
        pytest.param(
            row, id=identity(row), marks=[] if identity(row) in QUICK else pytest.mark.slow
        )
        for row in GOLDENS
    ]


def compare(row, model):
    """The outputs that `model` has are those of the golden."""
    ends = {name: stage_of(model, name) for name in row["outputs"]}
    ends = {name: model.get_layer(end).output for name, end in ends.items() if has(model, end)}
    assert len(ends) >= 4
    for name, output in keras.Model(model.input, ends)(drawn.images(row["images"])).items():
        golden, probe = row["outputs"][name], drawn.probe(name, np.asarray(output))
        assert probe["shape"] == golden["shape"], name
        error = np.abs(np.subtract(probe["values"], golden["values"])).max()
        assert error / golden["maximum"] <= 1e-4, name
        assert probe["norm"] == pytest.approx(golden["norm"], rel=1e-4), name
        assert probe["maximum"] == pytest.approx(golden["maximum"], rel=1e-4), name


@pytest.mark.thorough
@pytest.mark.parametrize("row", cases())
def test_every_stage_is_the_same(row, path):
    save_file(checkpoint(row), path)
    model = build(row)
    report = load(model, path)
    assert (report.new, report.skipped, report.adapted) == ((), (), ())
    assert has(model, "output")
    compare(row, model)


@pytest.mark.parametrize("name", ["timm-vgg11", "torchvision-vgg16_bn"])
def test_stages_of_vgg_without_its_dense_layers(name, path):
    row = GOLDEN[name]
    save_file(checkpoint(row, "features."), path)
    model = build(row, include_top=False)
    load(model, path)
    compare(row, model)


def test_goldens_are_of_all_that_can_be_converted():
    names = {(row["library"], row["name"]) for row in GOLDENS}
    vggs = {f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")}
    assert {name for _, name in names} == {*OURS, *vggs}
    assert all((library, name) in names for name in vggs for library in ("timm", "torchvision"))


@pytest.mark.parametrize("row", GOLDENS, ids=identity)
def test_each_layer_gets_its_own_name(row):
    zeros = {name: np.zeros([min(n, 3) for n in s]) for name, s in row["tensors"].items()}
    if row["name"] == "alexnet":
        zeros["features.0.weight"] = np.zeros((3, 3, 11, 11))
    layers, variant = from_torch.convert(zeros, "a.safetensors")
    modules = {name.rpartition(".")[0] for name in row["tensors"]}
    assert len(layers) == len(modules)
    assert "output" in layers and ("fc6" in layers) == ("resne" not in row["name"])
    bottlenecks = re.search(r"resnet(50|101|152)|resnext", row["name"])
    assert variant == ("v1.5" if bottlenecks else None)


def test_weights_of_the_builder(path):
    row = GOLDEN["timm-resnet18"]
    save_file(checkpoint(row), path)
    by_path, by_load = build(row, weights=path), build(row)
    load(by_load, path)
    assert all(np.array_equal(a, b) for a, b in zip(by_path.get_weights(), by_load.get_weights()))
    features = build(row, weights=str(path), include_top=False)
    assert all(np.array_equal(a, b) for a, b in zip(features.get_weights(), by_load.get_weights()))


def test_v1_is_refused_though_the_shapes_fit(path):
    row = GOLDEN["timm-resnet50"]
    save_file(checkpoint(row), path)
    with pytest.raises(InputError, match=r'variant="v1\.5"\. Build the model with it'):
        build(row, variant="v1", weights=path)


def test_first_dense_layer_reads_rows_then_columns_then_channels():
    kernel = np.arange(2 * 3 * 4).reshape(2, 12)  # 2 units read 3 channels of 2 x 2, or 1 x 4
    tensors = {
        "features.0.weight": np.zeros((3, 1, 3, 3)),
        "classifier.0.weight": kernel,
        "classifier.3.weight": np.arange(4).reshape(2, 2),
    }
    layers, _ = from_torch.convert(tensors, "a.safetensors")
    expected = [
        [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11],
        [*range(12, 24, 4), *range(13, 24, 4), *range(14, 24, 4), *range(15, 24, 4)],
    ]
    assert layers["fc6"][0].T.tolist() == expected
    assert layers["fc7"][0].T.tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["conv1.0.weight"], r"timm: conv1\.0\. Only"),
        (["conv1.weight", "layer1.0.se.fc1.weight"], r"timm: layer1\.0\.se\.fc1\. Only"),
        (["conv1.weight", "bn1.weight", "bn1.gamma"], r"timm: bn1\. Only"),
        (["features.0.weight", "head.fc2.weight"], r"timm: head\.fc2\. Only"),
        (["blocks.0.attn.qkv.weight"], "does not have the names of a ResNet"),
        ([], "it is empty"),
    ],
)
def test_other_networks_are_named(names, message, path):
    save_file({name: np.zeros((1, 1, 3, 3), "f4") for name in names}, path)
    with pytest.raises(InputError, match=message) as error:
        load(models.ResNet18(include_top=False), path)
    assert "\n" not in str(error.value)
