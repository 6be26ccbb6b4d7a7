"""Stages that train as was measured: what is saved, and what a continued run keeps."""

import json

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.compute import ComputeChoice
from kerascnn.transfer import _compute, _training
from kerascnn.transfer._options import check_compute
from tests.transfer.conftest import equal, tiny_network, tune

pytestmark = pytest.mark.thorough

HALF = {
    "precision": "mixed_bfloat16",
    "jit_compile": keras.backend.backend() == "jax",
    "steps_per_execution": 2,
    "micro_batch_size": 32,
    "accumulation_steps": 1,
}
ROW = {"ratio": 1.2, "lowest": 1.1, "highest": 1.3, "images_per_second": 9.0, "loss": 1.0}


@pytest.fixture
def measured(monkeypatch):
    """The models that are measured; half precision and two steps at once are always best."""
    models = []

    def fastest(model, data, seconds):
        models.append((model, data[0][0].shape, seconds))
        return ComputeChoice(**HALF, rows=({**HALF, **ROW, "note": ""},))

    monkeypatch.setattr(_compute, "tune_compute", fastest)
    return models


def test_the_saved_model_is_float32_and_the_report_says_what_was_chosen(shapes, measured, tmp_path):
    before = tiny_network()
    result = tune(shapes, before, "partial", compute="auto", output=tmp_path / "run")
    ((model, shape, seconds),) = measured
    assert model.compiled and shape[0] == 32 and seconds == 30
    assert {layer.compute_dtype for layer in result.model.layers} == {"float32"}
    for layer in before.layers:  # normalisation and what is frozen: to the bit
        same = equal(layer, result.model.get_layer(layer.name))
        assert same == (layer.name != "stage3_conv")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["compute"] == "auto" and config["compute_chosen"] == {"partial": HALF}
    assert (
        "How the stage &#39;partial&#39; was computed" in (tmp_path / "run/report.html").read_text()
    )
    plain = tune(shapes, tiny_network(), "partial")
    assert not equal(plain.model, result.model)
    np.testing.assert_allclose(
        plain.validation_probabilities, result.validation_probabilities, atol=0.1
    )


def test_a_continued_run_keeps_the_choice(shapes, measured, monkeypatch, tmp_path):
    options = {"compute": "auto", "epochs": 3}
    whole = tune(shapes, tiny_network(), "partial", **options)
    said = _training._Epochs.on_epoch_end

    def interrupt(self, epoch, logs=None):
        said(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_training._Epochs, "on_epoch_end", interrupt)
        tune(shapes, tiny_network(), "partial", output=tmp_path / "run", **options)
    monkeypatch.setattr(_compute, "tune_compute", lambda *a, **k: pytest.fail("measured again"))
    again = tune(shapes, tiny_network(), "partial", output=tmp_path / "run", **options)
    assert equal(again.model, whole.model)


def test_measured_for_real(shapes, monkeypatch):
    monkeypatch.setattr(_compute, "_SECONDS", 2)
    result = tune(shapes, tiny_network(), "partial", compute="auto", epochs=1)
    (table,) = [x for x in result.tables if x["title"].startswith("How the stage")]
    assert sum("chosen" in row[-1] for row in table["rows"]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compute": "fast"}, "Unknown compute 'fast'"),
        ({"compute": "auto", "distribute": "mirrored"}, "measures one device"),
    ],
)
def test_what_cannot_be(shapes, options, message):
    with pytest.raises(kc.InputError, match=message):
        tune(shapes, tiny_network(), "partial", **options)


def test_a_reproducible_run_is_not_chosen_by_time():
    with pytest.raises(kc.InputError, match="no two runs share"):
        check_compute("auto", is_reproducible=True)
