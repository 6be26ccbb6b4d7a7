"""Make tests/golden/torch_*.json: names, shapes and outputs of torchvision's and timm's networks.

    python recipes/make_torch_goldens.py       # 3 minutes

Needs torch, torchvision and timm, which kerascnn and its tests do not: run it in an environment of
its own. Nothing is downloaded: the weights and the images are drawn from their names
(tests/oracles/drawn.py), so that a test can draw them again, write them as `.safetensors`, load
them into our network and compare every stage. Computed in float64.
"""

import json
import runpy
from pathlib import Path

import timm
import torch
import torchvision

ROOT = Path(__file__).resolve().parents[1]
DRAWN = runpy.run_path(ROOT / "tests/oracles/drawn.py")

RESNETS = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2",
    "resnext50_32x4d", "resnext101_32x4d", "resnext101_32x8d", "resnext101_64x4d",
]  # fmt: skip
VGGS = [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")]
LIBRARIES = {"torchvision": torchvision.models.get_model, "timm": timm.create_model}
# Odd and not square, so that a shifted window or a swapped axis shows.
RESNET_SHAPE, VGG_SHAPE = (1, 75, 110, 3), (1, 224, 224, 3)
FILES = {  # file: [(library, network, shape of the images)]
    "torch_resnet": [("timm", name, RESNET_SHAPE) for name in RESNETS],
    "torch_vgg": [(library, name, VGG_SHAPE) for name in VGGS for library in LIBRARIES],
    "torch_alexnet": [("torchvision", "alexnet", VGG_SHAPE)],
}


def stages(network):
    """The modules after which outputs are compared, by name."""
    if hasattr(network, "layer1"):
        return {
            name: getattr(network, name)
            for name in ("maxpool", *map("layer{}".format, range(1, 5)))
        }
    pools = [m for m in network.features if isinstance(m, torch.nn.MaxPool2d)]
    return {f"pool{i}": pool for i, pool in enumerate(pools, start=1)}


def channels_last(x):
    return x.numpy() if x.ndim == 2 else x.permute(0, 2, 3, 1).numpy()


def golden(library, name, shape):
    network = LIBRARIES[library](name).eval()
    state = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    drawn = {key: torch.tensor(DRAWN["tensor"](key, shape)) for key, shape in state.items()}
    network.load_state_dict(drawn)
    network.double()
    outputs = {}
    for stage, module in stages(network).items():
        module.register_forward_hook(
            lambda _, __, y, stage=stage: outputs.update({stage: channels_last(y)})
        )
    with torch.inference_mode():
        images = torch.tensor(DRAWN["images"](shape)).double().permute(0, 3, 1, 2)
        outputs["logits"] = channels_last(network(images))
    return {
        "library": library,
        "name": name,
        "images": shape,
        "tensors": state,
        "outputs": {stage: DRAWN["probe"](stage, y) for stage, y in outputs.items()},
    }


def check_both_libraries(row):
    """torchvision's network of the same name, where it has one, is timm's."""
    if row["library"] == "timm" and row["name"] in torchvision.models.list_models():
        other = golden("torchvision", row["name"], row["images"])
        assert other | {"library": "timm"} == row, row["name"]


if __name__ == "__main__":
    for file, networks in FILES.items():
        rows = [golden(*network) for network in networks]
        for row in rows if file == "torch_resnet" else []:
            check_both_libraries(row)
        lines = ",\n".join("  " + json.dumps(row) for row in rows)
        (ROOT / f"tests/golden/{file}.json").write_text(f"[\n{lines}\n]\n", "utf-8")
