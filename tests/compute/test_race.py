"""Who wins: the fastest, of equals the simplest, in the largest batch that fits."""

import pytest

import kerascnn as kc
from kerascnn.compute import _race
from tests.compute.conftest import ALONE, HALF, arrays, network, on_tensorflow, settings, tried


@on_tensorflow
@pytest.mark.parametrize(
    ("rates", "chosen"),
    [
        ({}, ("float32", False, 1)),
        ({(HALF, False, 1): (150,)}, (HALF, False, 1)),
        ({(HALF, False, 1): (102,)}, ("float32", False, 1)),  # not worth it
        ({(HALF, False, 1): (140, 90, 150)}, ("float32", False, 1)),  # not in every round
        ({("float32", False, 4): (130,)}, ("float32", False, 4)),
        ({("float32", True, 1): (200,), (HALF, True, 1): (230, 190)}, ("float32", True, 1)),
        (
            {("float32", True, 1): (200,), (HALF, True, 1): (230,), (HALF, False, 1): (120,)},
            (HALF, True, 1),
        ),
        ({(HALF, False, 1): (150,), (HALF, False, 4): (300,)}, (HALF, False, 4)),
        ({("mixed_float16", False, 1): (500,)}, ("float32", False, 1)),  # not asked for
    ],
)
def test_the_fastest_is_chosen_and_of_equals_the_simplest(device, rates, chosen):
    device.update(rates)
    options = {"precisions": (HALF,), "steps_per_execution": (4,)}
    assert settings(kc.tune_compute(network(), arrays(), **options)) == chosen


@on_tensorflow
def test_what_fails_is_out_with_its_reason(device):
    device["float32", True, 1] = (RuntimeError("no such kernel\nand a long trace"),)
    device["mixed_float16", False, 1] = (MemoryError("out of memory"),)
    rows = tried(kc.tune_compute(network(), arrays(), steps_per_execution=()))
    assert rows["float32", True, 1]["note"] == "fails: no such kernel"
    assert rows["mixed_float16", False, 1]["note"] == "does not fit the memory"
    assert (HALF, True, 1) not in rows  # XLA was out already


def test_no_time_is_said(device):
    choice = kc.tune_compute(network(), arrays(), seconds=1e-9)
    assert settings(choice)[0] == "float32" and choice.rows[0]["ratio"] == 1.0
    assert {row["note"] for row in choice.rows[1:]} == {"not tried: no time"}


def test_a_batch_that_does_not_fit_is_made_of_parts(monkeypatch, device):
    def needed(race, choice):
        return 0.02 * choice.micro_batch_size * _race.psutil.virtual_memory().available

    monkeypatch.setattr(_race.Race, "_bytes", needed)
    choice = kc.tune_compute(network(), arrays(), batch_size=128, **ALONE)
    assert (choice.micro_batch_size, choice.accumulation_steps) == (32, 4)
    assert [row["micro_batch_size"] for row in choice.rows][:3] == [128, 64, 32]
    assert "estimated" in choice.rows[0]["note"] and choice.rows[0]["ratio"] is None
    assert choice.apply(network()).optimizer.gradient_accumulation_steps == 4


def test_smaller_batches_are_chosen_where_they_are_faster(device):
    device[32] = (1.5,)
    choice = kc.tune_compute(network(), arrays(), batch_size=64, **ALONE)
    assert (choice.micro_batch_size, choice.accumulation_steps) == (32, 2)
    assert "32 x 2" in str(choice)


def test_a_device_that_runs_out_of_memory_gets_smaller_batches(device):
    error = RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
    device.update(dict.fromkeys((30, 15, 32, 16), (error,)))
    choice = kc.tune_compute(network(), arrays(), batch_size=32, **ALONE)
    assert (choice.micro_batch_size, choice.accumulation_steps) == (8, 4)
    with pytest.raises(kc.InputError, match="15 images do not fit the memory"):
        kc.tune_compute(network(), arrays(), batch_size=30, **ALONE)
    with pytest.raises(RuntimeError, match="RESOURCE"):  # nobody asked for other batches
        kc.tune_compute(network(), arrays(), **ALONE)
