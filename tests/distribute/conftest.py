"""The training of `task` on one device, with which the others are compared."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.distribute import task

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def alone(tmp_path_factory):
    """(weights, history) after 21 steps on TensorFlow, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASCNN_CACHE", str(tmp_path_factory.mktemp("cache")))
        model, data = task.network(), task.data()
        folder = tmp_path_factory.mktemp("alone") / "run"
        history = task.train(model, data.train, data.validation, folder)
    return model.get_weights(), history


@pytest.fixture(scope="session")
def run_python(tmp_path_factory):
    """Runs Python with arguments and variables: a `CompletedProcess`."""
    cache = tmp_path_factory.mktemp("cache")

    def run(*arguments, cwd=None, **variables):
        env = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "KERASCNN_CACHE": str(cache)}
        env |= {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", **variables}
        command = [sys.executable, *map(str, arguments)]
        pipes = {"capture_output": True, "text": True, "timeout": 600}
        return subprocess.run(command, cwd=cwd, env=env, **pipes)

    return run


def weights(path):
    with np.load(path) as found:
        return [found[f"arr_{i}"] for i in range(len(found.files))]


def largest_difference(some, others):
    return max(np.abs(a - b).max() for a, b in zip(some, others, strict=True))


def assert_same_validation(history, expected):
    for name in ("val_loss", "val_accuracy"):
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-4)
    assert {len(values) for values in history.values()} == {task.EPOCHS}
