"""The table of experiments against the papers, and what `reproduce.py` makes of it."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import kerascnn as kc

ROOT = Path(__file__).parents[1]
with pytest.MonkeyPatch.context() as patch:  # the recipes import each other by name
    patch.syspath_prepend(ROOT / "recipes")
    experiments, reproduce, report, on_device = (
        importlib.import_module(name)
        for name in ("experiments", "reproduce", "experiment_report", "on_device")
    )
EXPERIMENTS = experiments.EXPERIMENTS
QUICK_TO_BUILD = ("lenet5", "resnet20-tiny-imagenet32", "wrn16x2-tiny-imagenet32")


def multiply_adds(row):
    return kc.arithmetic.analyze(getattr(kc.models, row.builder)(**row.options)).multiply_adds


@pytest.mark.parametrize("name", QUICK_TO_BUILD)
def test_options_build_the_network_that_the_row_counts(name):
    assert multiply_adds(EXPERIMENTS[name]) == EXPERIMENTS[name].multiply_adds


def test_rows_without_options_are_the_networks_of_the_overview():
    counted = {row.name: row.multiply_adds for row in kc.overview.overview()}
    plain = {row.builder: row.multiply_adds for row in EXPERIMENTS.values() if not row.options}
    assert plain == {name: counted[name] for name in plain} and len(plain) >= 14


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_network_has_the_multiply_adds_of_its_row(name):
    assert multiply_adds(EXPERIMENTS[name]) == EXPERIMENTS[name].multiply_adds


@pytest.mark.parametrize(
    "name, rates",
    [
        # He et al. 2016, Sec. 4.2: a tenth after 32,000 and 48,000 steps, the end at 64,000
        ("resnet20", {0: 0.1, 32_291: 0.1, 32_292: 0.01, 48_086: 0.01, 48_087: 1e-3, 64_000: 1e-3}),
        ("resnet110", {0: 0.01, 399: 0.01, 400: 0.1, 31_999: 0.1, 32_760: 0.01}),
        # Zagoruyko and Komodakis 2016, Sec. 3; 390 steps of 128
        ("wrn28x10", {23_399: 0.1, 23_400: 0.02, 46_800: 0.004, 62_399: 0.004, 62_400: 8e-4}),
        # Xie et al. 2017, Sec. 5.3
        ("resnext29", {58_499: 0.1, 58_500: 0.01, 87_750: 1e-3}),
        # Huang et al. 2016, Sec. 4; 351 steps of 128
        ("stochastic110", {87_749: 0.1, 87_750: 0.01, 131_625: 1e-3}),
        # Larsson et al. 2017, Sec. 4: 200, 100, 50 and 25 of 400 epochs are left
        (
            "fractalnet20",
            {99_999: 0.02, 100_000: 2e-3, 150_000: 2e-4, 175_000: 2e-5, 187_500: 2e-6},
        ),
        # LeCun et al. 1998, Sec. III-B: 5e-5, and 1e-5 after twelve passes; see the row
        ("lenet5", {0: 5e-5, 719_999: 5e-5, 720_000: 1e-5, 1_199_999: 1e-5}),
    ],
)
def test_rates_fall_where_the_papers_let_them(name, rates):
    row = EXPERIMENTS[name]
    steps = (report.IMAGES[row.data] - row.full.held_out) // row.full.batch_size
    rate = reproduce.rates(row.full, steps)
    assert {step: float(rate(step)) for step in rates} == pytest.approx(rates, rel=1e-6)
    assert max(rates) < steps * row.full.epochs


def test_every_row_says_where_it_is_from_and_how_it_trains():
    for name, row in EXPERIMENTS.items():
        assert re.search(r"(19|20)\d\d,.* (Table|Fig\.|Sec\.) |^ours", row.source), name
        assert row.published or name.startswith("plain") or "tiny" in name, name
        if row.data == "ImageNet":
            assert set(row.settings) == {"rate", "input", "start", "dropout", "test"}
            assert row.short is None and row.augmentation
        else:
            assert row.data in reproduce.LOADERS and not row.settings
            assert row.augmentation in (None, "distortions", *reproduce.PADDING)
            assert row.differs or "tiny" in name


def test_result_files_have_the_schedule_of_a_row():
    for file in (ROOT / "recipes/results/reproduce").glob("*.json"):
        result = json.loads(file.read_text())
        told = experiments.Schedule(**result["schedule"])
        short = None if result["length"] == "full" else told.epochs
        asked = Namespace(name=result["name"], quick=False, short=short)
        _, now, length = reproduce.chosen(asked)
        assert json.dumps(asdict(told)) == json.dumps(asdict(now)), file.name
        assert length == result["length"]
        assert file.stem == f"{result['name']}-{length.replace(' ', '')}-{result['seed']}"


# --- on the device -----------------------------------------------------------------------------


@pytest.mark.parametrize("augmentation", ["crop and flip", "crop of reflections and flip"])
def test_each_augmented_image_is_a_window_or_its_mirror_image_and_all_occur(augmentation):
    mode = reproduce.PADDING[augmentation]
    image = np.random.default_rng(0).integers(256, size=(1, 16, 16, 3), dtype="uint8")
    color = image.mean((0, 1, 2))
    (wide,) = on_device.padded(image, color, mode)
    for channel in range(3):
        fill = {} if mode == "reflect" else {"constant_values": round(color[channel])}
        expected = np.pad(image[0, ..., channel], 4, mode, **fill)
        np.testing.assert_array_equal(wide[..., channel], expected)
    windows = {
        window.tobytes()
        for top in range(9)
        for left in range(9)
        for own in [wide[top : top + 16, left : left + 16]]
        for window in (own, own[:, ::-1])
    }
    row = experiments.replace(EXPERIMENTS["resnet20"], augmentation=augmentation)
    x = np.repeat(wide[None], 3000, axis=0)
    for layer in reproduce.augmentation(row, 16, color=100.0, seed=0):
        x = layer(x, training=True)
    found = {one.tobytes() for one in keras.ops.convert_to_numpy(x).astype("uint8")}
    assert found == windows and len(windows) == 162


def test_half_of_the_images_lose_a_rectangle_to_the_mean_grey():
    assert EXPERIMENTS["resnet20-erasing"].augmentation in reproduce.PADDING
    *moved, erase = reproduce.augmentation(EXPERIMENTS["resnet20-erasing"], 16, 100.0, seed=0)
    assert len(moved) == 2
    images = np.full((2000, 16, 16, 3), 200, "uint8")
    changed = keras.ops.convert_to_numpy(erase(images, training=True)).astype("float32")
    np.testing.assert_array_equal(np.unique(changed), [100, 200])
    grey = changed[..., 0] == 100
    lost = grey[grey.any((1, 2))]
    assert 0.45 < len(lost) / len(images) < 0.55
    sides = lost.any(2).sum(1) * lost.any(1).sum(1)
    np.testing.assert_array_equal(sides, lost.sum((1, 2)))  # whole rectangles
    np.testing.assert_array_equal(erase(images, training=False), images)


def test_an_image_by_its_number_is_the_image_normalised():
    images = np.random.default_rng(0).integers(256, size=(6, 8, 8, 3), dtype="uint8")
    row = EXPERIMENTS["resnet20"]
    scale, offset = reproduce.normalization(row, images)
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Identity()])
    layers = reproduce.augmentation(row, 8, color=100.0, seed=0)
    wide = on_device.padded(images, images.mean((0, 1, 2)))
    model = on_device.model_of_numbers(network, wide, layers, scale, offset)
    seen = model.predict(np.array([4, 0, 5, 1, 2, 3], "int32"), verbose=0)
    sample = images.reshape(-1, 3)
    expected = (images - sample.mean(0)) / sample.std(0)
    np.testing.assert_allclose(seen[[1, 3, 4, 5, 0, 2]], expected, atol=1e-5)
    np.testing.assert_allclose(seen.reshape(-1, 3).mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.reshape(-1, 3).std(0), 1, atol=1e-5)


def test_an_epoch_reads_each_image_once_in_an_order_of_its_own():
    labels = np.arange(100) % 7
    order = on_device.Order(np.arange(10, 50), labels, 8, seed=3)
    epochs = [
        np.concatenate([order.batch(epoch, i)[0] for i in range(order.num_batches)])
        for epoch in (0, 1, 0)
    ]
    assert all(sorted(epoch) == list(range(10, 50)) for epoch in epochs)
    assert (epochs[0] == epochs[2]).all() and (epochs[0] != epochs[1]).any()
    numbers, found = order.batch(1, 3)
    np.testing.assert_array_equal(found, labels[numbers])


# --- what a user meets -------------------------------------------------------------------------


def test_the_wrong_data_is_one_sentence(tmp_path, shared_data):
    mnist = shared_data("data/mnist.npz")
    for name, path, said in [
        ("resnet20", mnist, "must be a copy of CIFAR-10.*train_jpeg"),
        ("resnet20", tmp_path / "none.npz", "must be a copy of CIFAR-10.*No such file"),
        ("lenet5", shared_data("data/cifar10_jpegbytes.npz"), "must be a copy of MNIST.*x_train"),
    ]:
        with pytest.raises(SystemExit, match=said):
            reproduce.read(EXPERIMENTS[name], path)
    few = tmp_path / "few.npz"
    with np.load(mnist) as file:
        np.savez(few, **{key: file[key][:9] for key in file})
    with pytest.raises(SystemExit, match=r"MNIST has 10 classes, and .*few.npz has \d"):
        reproduce.read(EXPERIMENTS["lenet5"], few)


def test_a_result_of_another_run_is_not_taken_for_this_one(tmp_path, capsys):
    file = tmp_path / "lenet5-short18-0.json"
    asked = {
        "data": "MNIST",
        "schedule": asdict(EXPERIMENTS["lenet5"].full),
        "precision": "float32",
    }
    file.write_text(json.dumps({**asked, "error": 1.25}))
    args = Namespace(weights=None)
    reproduce.done(file, asked, args)
    assert "lenet5-short18-0 is done: test error 1.25 %" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"another run \(precision float32\): move it away"):
        reproduce.done(file, asked | {"precision": "mixed_bfloat16"}, args)
    with pytest.raises(SystemExit, match="weights were not kept"):
        reproduce.done(file, asked, Namespace(weights=tmp_path / "none.weights.h5"))


@pytest.mark.parametrize(
    "line, said",
    [
        ("lenet5 --seeds 0", "1 or more"),
        ("lenet5 --seeds 2 --weights x.weights.h5", "leave out --seeds"),
        ("lenet5 --weights x.h5", "ends in .weights.h5"),
        ("lenet5 --weights none/x.weights.h5", "in a folder that is there"),
        ("lenet5 --short 1", "2 epochs or more"),
        ("vgg16 --short", "vgg16 is not trained here"),
        ("vgg16 --seeds 3", "only --quick goes with it"),
        ("", "which experiment"),
    ],
)
def test_wrong_options_are_said_before_anything_runs(line, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["reproduce.py", *line.split()])
    with pytest.raises(SystemExit):
        reproduce.arguments()
    assert said in capsys.readouterr().err


def test_seconds_of_an_epoch_that_was_stopped_count(monkeypatch):
    clock = iter([10.0, 17.0, 100.0, 105.0, 105.0, 109.0])
    monkeypatch.setattr(report.time, "perf_counter", lambda: next(clock))
    first, second = report.Log(), report.Log()
    first.on_epoch_begin(0)
    state = json.loads(json.dumps(first.get_state()))
    second.set_state(state)
    second.on_epoch_begin(0)
    second.set_state(state)  # as `Resume` does: what the epoch's begin changed
    second.on_epoch_end(0, {"accuracy": 0.5})
    second.on_epoch_begin(1)
    second.on_epoch_end(1, {"accuracy": 0.5})
    assert [row["seconds"] for row in second.rows] == [12.0, 4.0]
    assert second.get_state()["before"] == 0


def test_a_network_too_large_for_a_short_run_says_how_long_it_would_take():
    with pytest.raises(SystemExit, match="wrn28x10 has no short schedule: .* about 87 hours"):
        reproduce.chosen(Namespace(name="wrn28x10", quick=False, short=0))
    args = Namespace(name="wrn28x10", quick=False, short=3)
    assert reproduce.chosen(args)[1:] == (
        experiments.replace(experiments.SHORT, epochs=3),
        "short 3",
    )
    assert "wrn28x10 --short 3 " in report.command(
        Namespace(**vars(args), data="x.npz", precision="float32", weights=None), seed=0
    )
    with pytest.raises(SystemExit, match="one schedule, of 12 epochs: leave out --short"):
        args = Namespace(name="resnet20-tiny-imagenet32", quick=False, short=0)
        reproduce.chosen(args)


def test_the_list_shows_every_row_and_what_was_reached(tmp_path):
    for seed, error in enumerate((9.0, 10.0)):
        result = {"name": "resnet20", "length": "short 40", "error": error}
        result |= {"data": "CIFAR-10"}
        (tmp_path / f"resnet20-short40-{seed}.json").write_text(json.dumps(result))
    lines = report.listed(EXPERIMENTS, tmp_path, tmp_path / "none").splitlines()
    assert max(map(len, lines)) <= 100
    (line,) = [line for line in lines if re.match(r"  resnet20\s", line)]
    # 3 x 40.55 M multiply-adds x 45,000 images x 183 passes
    assert line.split(maxsplit=5)[1:] == ["ResNet-20", "8.75", "1", "P", "short 40: 9.50 (2 seeds)"]
    assert all(any(line.startswith(f"  {name} ") for line in lines) for name in EXPERIMENTS)


def test_an_imagenet_row_prints_what_the_paper_did():
    text = report.about(EXPERIMENTS["vgg16"])
    assert "weight decay  0.0005" in text and "27.0 % (top-1 error, dense)" in text
    assert "Not run: " in text and max(map(len, text.splitlines())) <= 100


# --- killed and continued ----------------------------------------------------------------------

# `--quick` with more epochs, so that there is something to kill
LONGER = "import sys, reproduce; reproduce.QUICK['epochs'] = 12; reproduce.main()"


def command(runs, backend):
    line = [sys.executable, "-c", LONGER, "resnet20", "--quick", "--runs", str(runs)]
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = f"{ROOT / 'recipes'}{os.pathsep}{ROOT}"
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [*line, "--weights", str(runs / "x.weights.h5")], env=environment, **pipes
    )


def finish(process):
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors[-3000:]


def end(runs):
    """Error and curve, and all weights, of a finished run."""
    result = json.loads((runs / "resnet20-quick-0.json").read_text())
    values = []
    with h5py.File(runs / "x.weights.h5") as file:
        file.visititems(
            lambda name, one: values.append((name, one)) if hasattr(one, "shape") else 0
        )
        return result["error"], result["curve"], {name: one[()].tobytes() for name, one in values}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path, backend):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    finish(command(tmp_path / "whole", backend))
    folder = tmp_path / "killed/resnet20-quick-0"
    for after, how in ((3, signal.SIGKILL), (7, signal.SIGINT)):
        process = command(tmp_path / "killed", backend)
        while process.poll() is None and not list(folder.glob(f"epoch-{after:04}-*")):
            time.sleep(0.01)
        process.send_signal(how)
        process.communicate(timeout=120)
        assert process.returncode
    assert not list((tmp_path / "killed").glob("*.json"))
    finish(command(tmp_path / "killed", backend))
    assert end(tmp_path / "killed") == end(tmp_path / "whole")
