"""The public names: they exist, explain themselves, and cost nothing until they are used."""

import importlib
import inspect
import os
import subprocess
import sys

import pytest

import kerascnn as kc

PACKAGES = ["kerascnn", *(f"kerascnn.{name}" for name in kc._SUBPACKAGES)]


def public():
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            yield pytest.param(module, name, id=f"{package}.{name}")


@pytest.mark.parametrize(("module", "name"), list(public()))
def test_public_name_exists_and_is_documented(module, name):
    thing = getattr(module, name)
    assert inspect.getdoc(thing), f"{name} has no docstring"
    # Twice: a submodule of the same name must not take the place of the function.
    assert getattr(module, name) is thing
    assert inspect.ismodule(thing) == (f"{module.__name__}.{name}" in PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_unknown_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match="nonsense"):
        _ = importlib.import_module(package).nonsense


LIGHT = ["kerascnn", "kerascnn.cli", "kerascnn.report", "kerascnn.data", "kerascnn.transfer"]
LIGHT += ["kerascnn.doctor.runs", "kerascnn.overview", "kerascnn.weights"]


def test_importing_starts_no_backend():
    heavy = "{'tensorflow', 'keras', 'jax'}"
    code = f"import sys, {', '.join(LIGHT)}; print({heavy} & set(sys.modules))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("name", "ours", "users"),
    [
        ("TF_FORCE_GPU_ALLOW_GROWTH", "true", "false"),
        ("XLA_PYTHON_CLIENT_PREALLOCATE", "false", "true"),
    ],
)
def test_memory_of_gpus_grows_unless_the_user_says_otherwise(name, ours, users):
    code = f"import kerascnn, os; print(os.environ[{name!r}])"
    plain = {key: value for key, value in os.environ.items() if key != name}
    for environment, expected in ((plain, ours), (plain | {name: users}, users)):
        command = [sys.executable, "-c", code]
        assert subprocess.check_output(command, env=environment, text=True).strip() == expected


def test_load_model_says_what_is_missing(tmp_path):
    with pytest.raises(kc.InputError, match="No model at .*nothing.keras"):
        kc.load_model(tmp_path / "nothing.keras")


def test_load_model_opens_layers_of_ours(tmp_path):
    model = kc.models.LeNet5()
    model.save(tmp_path / "model.keras")
    assert kc.load_model(tmp_path).count_params() == 60_850
