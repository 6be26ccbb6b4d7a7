"""The overview: its file is what the networks have, and that is what the papers say."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import kerascnn as kc
from kerascnn import InputError
from kerascnn.overview import overview
from tests import facts

ROOT = Path(__file__).parents[2]
RECIPE = runpy.run_path(ROOT / "recipes/make_goldens.py")
BUILDERS = RECIPE["all_builders"]()
ROWS = {(row.source, row.name): row for row in overview()}
OWN = {name: row for (source, name), row in ROWS.items() if source == "kerascnn"}
ANY = {name: row for (_, name), row in ROWS.items()} | OWN
COUNTED = {
    (row["source"], row["name"]): row
    for row in json.loads((ROOT / "kerascnn/overview/counts.json").read_text("utf-8"))
}
QUICK = {  # one of each family, of those that are built in a second or two
    *("LeNet5", "AlexNet", "ZFNet", "VGG11", "GoogLeNet", "ResNet18", "CifarResNet20"),
    *("WideResNet16x4", "CifarResNeXt29x8x64d", "FractalNet20", "MobileNetV3Small"),
}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "key",
    [pytest.param(k, marks=[] if k[1] in QUICK else pytest.mark.slow, id=k[1]) for k in BUILDERS],
)
def test_file_is_what_the_networks_have(key):
    row = RECIPE["count_row"](*key, BUILDERS[key])
    assert json.loads(json.dumps(row)) == COUNTED[key]


def test_every_network_has_a_row():
    assert list(ROWS) == list(BUILDERS)
    families = {"ResNet", "VGG", "WideResNet", "CifarResNet", "FractalNet"}
    assert not families & {name for _, name in ROWS}
    assert {"VGG11LRN", "VGG16C", "WideResNet50x2", "ResNeXt101"} <= set(OWN)


def test_parameters_are_the_facts():
    expected = {"LeNet5": facts.LENET5_SOFTMAX, "AlexNet": facts.ALEXNET_PARAMETERS["two-tower"]}
    expected |= {"ZFNet": facts.ZFNET_PARAMETERS, "GoogLeNet": facts.GOOGLENET_PARAMETERS}
    expected |= {name: counts[0] for name, counts in facts.VGG_COUNTS.items()}
    expected |= facts.RESNET_PARAMETERS | facts.CIFAR_PARAMETERS
    assert {name: OWN[name].parameters for name in expected} == expected
    assert set(OWN) - set(expected) == {"FractalNet34"}


def test_multiply_adds_are_the_facts():
    expected = {"AlexNet": facts.ALEXNET_MULTIPLY_ADDS["two-tower"]}
    expected |= {"ZFNet": facts.ZFNET_MULTIPLY_ADDS, "GoogLeNet": facts.GOOGLENET_MULTIPLY_ADDS}
    expected |= {name: counts[2] for name, counts in facts.VGG_COUNTS.items()}
    assert {name: OWN[name].multiply_adds for name in expected} == expected
    rounded = {name: round(OWN[name].multiply_adds / 1e9, 3) for name in facts.MULTIPLY_ADDS}
    assert rounded == facts.MULTIPLY_ADDS
    for kind in ("CifarPlainNet", "StochasticDepthResNet"):  # cost what the residual ones cost
        for name in (name for name in OWN if name.startswith(kind)):
            residual = OWN[name.replace(kind, "CifarResNet")]
            assert OWN[name].multiply_adds == residual.multiply_adds


def test_what_papers_print_is_met_within_3_percent_with_the_stated_exceptions():
    printed = [(n, v, ANY[n].multiply_adds) for n, v in facts.PRINTED_MULTIPLY_ADDS.items()]
    printed += [(n, v, ANY[n].parameters) for n, v in facts.PRINTED_PARAMETERS.items()]
    off = {name for name, value, ours in printed if abs(ours / value - 1) > 0.03}
    assert off == set(facts.PRINTED_OTHERWISE)
    for name in off:
        assert name in overview.__doc__


def test_depths_and_activations_are_the_facts():
    depths = {name: (ANY[name].depth, ANY[name].shortest_path) for name in facts.DEPTHS}
    assert depths == facts.DEPTHS
    assert OWN["VGG16"].activations == facts.VGG16_ACTIVATIONS
    assert OWN["VGG16"].activation_bytes == 4 * facts.VGG16_ACTIVATIONS


def test_errors_are_the_published_ones():
    assert {n: (ANY[n].top1_error, ANY[n].top5_error) for n in facts.TEST_ERRORS} == (
        facts.TEST_ERRORS
    )
    for row in ROWS.values():
        known = (row.top1_error, row.data, row.published_in)
        assert all(known) or not any((*known, row.top5_error)), row.name
        assert row.top5_error is None or row.top5_error < row.top1_error
    without = {name for _, name in ROWS if ANY[name].data is None}
    plain = {f"CifarPlainNet{depth}" for depth in (20, 32, 44, 56, 110)}
    assert without == {*plain, "WideResNet16x2"}
    keys = json.loads((ROOT / "kerascnn/overview/published.json").read_text("utf-8"))
    assert {(row["source"], row["name"]) for row in keys} <= set(ROWS)  # no name is misspelt


def test_weights_are_those_that_the_builders_take():
    """The default form's first; "(...)" are the options of a form that has some of its own."""
    assert OWN["LeNet5"].weights == ["mnist"]
    assert OWN["AlexNet"].weights == OWN["CifarResNet32"].weights == []
    assert OWN["VGG13"].weights == ["imagenet (batch_norm=True)"]
    assert OWN["VGG16"].weights == ["imagenet", "imagenet (batch_norm=True)"]
    assert OWN["ResNet50"].weights[:2] == ["imagenet", 'imagenet (variant="v1")']
    assert OWN["ResNeXt101"].weights == ["imagenet"]  # not those of 64x4d and 32x8d
    assert ROWS["keras.applications", "Xception"].weights == ["imagenet"]


def test_models_of_yours():
    lenet = kc.models.LeNet5()
    (row,) = overview([lenet])
    own = OWN["LeNet5"]
    assert (row.name, row.source, row.weights) == ("lenet5", "model", [])
    assert (row.parameters, row.multiply_adds, row.activations, row.depth) == (
        own.parameters, own.multiply_adds, own.activations, own.depth
    )  # fmt: skip
    assert (row.data, row.top1_error) == (None, None)


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        (keras.Sequential(), "`models` must be a list of Keras models"),
        (["VGG16"], "Received: str 'VGG16'"),
    ],
)
def test_what_is_no_list_of_models_is_said(models, sentence):
    with pytest.raises(InputError) as error:
        overview(models)
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_no_backend_is_started_and_no_state_of_pyplot_made():
    code = (
        "import sys, kerascnn.overview as o; o.plot_overview(o.overview()); "
        "print({'keras', 'tensorflow', 'jax', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "set()", done.stderr
