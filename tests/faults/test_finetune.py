"""`kerascnn finetune`, killed in the middle of training and called again, ends the same."""

import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Three digits as photos of 16x16, 40 of each."""
    root = tmp_path_factory.mktemp("digits")
    data = load_digits()
    for label in range(3):
        (root / "photos" / f"digit {label}").mkdir(parents=True)
        for i in np.flatnonzero(data.target == label)[:40]:
            image = np.kron(data.images[i] * 15, np.ones((2, 2))).astype("uint8")
            Image.fromarray(image).save(root / "photos" / f"digit {label}" / f"{i}.png")
    return root


def command(digits, output, cache, epochs=4):
    options = f"--backbone LeNet5 --strategy full --epochs {epochs} --engine keras --reproducible"
    return subprocess.Popen(
        [sys.executable, "-m", "kerascnn", "finetune", digits / "photos", *options.split(),
         "--output", output],
        env={**os.environ, "KERASCNN_CACHE": str(cache)},
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return err


@pytest.fixture(scope="module")
def whole(digits):
    """The run that nobody stopped."""
    finish(command(digits, digits / "whole", digits / "cache"))
    return digits / "whole"


def weights(run):
    with zipfile.ZipFile(run / "model.keras") as archive:
        return archive.read("model.weights.h5")


def without_seconds(run):
    return (run / "history.csv").read_text(), (run / "predictions.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGKILL, id="kill"), signal.SIGTERM],
)
def test_a_stopped_command_continues(digits, whole, tmp_path, number):
    process = command(digits, tmp_path / "run", tmp_path / "cache")
    assert any("full: epoch 2/4" in line for line in iter(process.stderr.readline, ""))
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode in (-number, 128 + number)
    assert not (tmp_path / "run").exists()
    err = finish(command(digits, tmp_path / "run", tmp_path / "cache"))
    assert "Continuing" in err and "full: epoch 1/4" not in err and "full: epoch 4/4" in err
    assert weights(tmp_path / "run") == weights(whole)
    assert without_seconds(tmp_path / "run") == without_seconds(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "run"]


@pytest.mark.slow
def test_another_command_begins_anew(digits, tmp_path):
    process = command(digits, tmp_path / "run", tmp_path / "cache", epochs=5)
    assert any("full: epoch 2/5" in line for line in iter(process.stderr.readline, ""))
    process.kill()
    process.communicate()
    err = finish(command(digits, tmp_path / "run", tmp_path / "cache", epochs=3))
    assert "Continuing" not in err and "full: epoch 1/3" in err
