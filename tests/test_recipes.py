"""Recipes run as their users run them, on a few real photos or digits."""

import contextlib
import json
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from PIL import Image

import kerascnn as kc

ROOT = Path(__file__).parents[1]


def run(tmp_path, *command, timeout=300, code=0):
    environment = os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERASCNN_CACHE": str(tmp_path / "cache"),
    }
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-3000:]
    return done.stderr if code else done.stdout


def experiments():
    """The names that `recipes/reproduce.py` knows."""
    return runpy.run_path(str(ROOT / "recipes/experiments.py"))["EXPERIMENTS"]


@pytest.fixture
def few_photos(tmp_path, shared_data):
    """Three classes of the clothing photos, a few each, in split folders."""
    for split, count in {"train": 20, "validation": 6, "test": 8}.items():
        for name in ("hat", "pants", "shoes"):
            files = sorted((shared_data("data/clothing") / split / name).iterdir())[:count]
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for file in files:
                (folder / file.name).symlink_to(file)
    return tmp_path / "photos"


@pytest.fixture
def mobilenet(shared_data):
    return shared_data("weights/mobilenet_v2_1.0_224_notop.weights.h5")


@pytest.mark.slow
def test_feature_extraction(tmp_path, few_photos, mobilenet):
    options = ("--weights", mobilenet, "--image-size", 128)
    output = run(tmp_path, ROOT / "recipes/feature_extraction.py", few_photos, *options)
    (accuracy,) = re.findall(r"logistic regression: test accuracy ([\d.]+)%", output)
    assert float(accuracy) > 60  # hats, trousers and shoes: guessing gives 33
    assert len(re.findall(r"^  0\.\d+  train/", output, re.M)) == 3


@pytest.mark.slow
def test_finetune(tmp_path, few_photos, mobilenet):
    options = ("--weights", mobilenet, "--image-size", 128, "--epochs", 1)
    output = run(tmp_path, ROOT / "recipes/finetune.py", few_photos, *options)
    (accuracy,) = re.findall(r"test accuracy ([\d.]+)%", output)
    assert float(accuracy) > 60
    assert (tmp_path / "run" / "model.keras").exists()
    again = run(tmp_path, ROOT / "recipes/finetune.py", few_photos, *options, code=2)
    assert "run holds a model already: pass another --output" in again


@pytest.mark.slow
def test_search_quick(tmp_path, mobilenet, shared_data):
    command = (ROOT / "recipes/search.py", shared_data("data/clothing"), "--weights", mobilenet)
    output = run(tmp_path, *command, "--image-size", 96, "--quick", timeout=600)
    assert re.search(r"^3 trials took \d+\.\d\d times the plain guide \(", output, re.MULTILINE)
    assert len(re.findall(r"^000\d  \d+\.\d%  +\d", output, re.MULTILINE)) == 3
    assert (tmp_path / "search_parallel.png").stat().st_size > 10_000


@pytest.mark.slow
def test_test_time_views_quick(tmp_path, few_photos, shared_data):
    weights = shared_data("weights/mobilenet_0.25_128_notop.weights.h5")
    command = (ROOT / "recipes/test_time_views.py", few_photos, "--weights", weights, "--quick")
    output = run(tmp_path, *command)
    assert len(re.findall(r"^.+: \d+\.\d%, gain [+-]\d+\.\d points$", output, re.M)) == 14


def test_transfer_table_finds_data_sets(tmp_path):
    """Several data sets of both layouts, or one of them; the longest name says whose a file is."""
    for name in ("flowers/rose/1.jpg", "tools/train/saw/2.png", "tools/test/saw/3.png"):
        (tmp_path / "sets" / name).parent.mkdir(parents=True)
        (tmp_path / "sets" / name).touch()
    (tmp_path / "sets/flowers/LICENSE.txt").touch()
    (tmp_path / "sets/notes/old").mkdir(parents=True)
    (tmp_path / "sets/notes/old/plan.txt").touch()
    (tmp_path / "weights").mkdir()
    for name, size in {
        "mobilenet_0.25_128": 20,
        "mobilenet_0.25_128_notop": 10,
        "VGG-16": 5,
    }.items():
        (tmp_path / "weights" / f"{name}.weights.h5").write_bytes(bytes(size))
    recipe = (ROOT / "recipes/transfer_table.py", "--list", "--weights", tmp_path / "weights")
    networks = ("--backbones", "VGG16", "MobileNet", "MobileNet-0.25-128")
    lines = run(tmp_path, *recipe, tmp_path / "sets", *networks).splitlines()
    found = [
        "VGG16, 224 pixels, weights VGG-16.weights.h5",
        "MobileNet, 224 pixels, not run: weights are not here",
        "MobileNet-0.25-128, 128 pixels, weights mobilenet_0.25_128_notop.weights.h5",
    ]
    sets = ("flowers (1 photos)", "tools (2 photos)")
    assert sorted(lines) == sorted(f"{data}, {row}" for data in sets for row in found)
    lines = run(tmp_path, *recipe, tmp_path / "sets/tools", *networks).splitlines()
    assert [line.split(",")[0] for line in lines] == ["tools (2 photos)"] * 3


def test_transfer_table_knows_the_names_of_keras(tmp_path):
    """Of two files that fit, the one for the row's size; without its top if there are both."""
    (tmp_path / "rose").mkdir()
    (tmp_path / "rose/1.jpg").touch()
    names = {
        "MobileNet": "mobilenet_1_0_224_tf_no_top.h5",
        "MobileNet-0.25-128": "mobilenet_2_5_128_tf_no_top.h5",
        "MobileNetV2": "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        "MobileNetV2-160": "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_160_no_top.h5",
        "ResNet50": "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "ResNet50V2": "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "EfficientNetV2B0": "efficientnetv2-b0_notop.h5",
        "MobileNetV3Small": "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
    }
    (tmp_path / "weights").mkdir()
    for name in names.values():
        (tmp_path / "weights" / name).write_bytes(b"1")
        (tmp_path / "weights" / re.sub("_no_?top", "", name)).write_bytes(b"12")
    for name in (  # smaller, of other widths
        "mobilenet_5_0_224_tf_no_top.h5",
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_160_no_top.h5",
        "weights_mobilenet_v3_small_224_0.75_float_no_top_v2.h5",
    ):
        (tmp_path / "weights" / name).write_bytes(b"")
    recipe = (ROOT / "recipes/transfer_table.py", tmp_path, "--list", "--backbones", *names)
    output = run(tmp_path, *recipe, "--weights", tmp_path / "weights")
    found = re.findall(r", ([\w.-]+), \d+ pixels, weights (\S+)", output)
    assert dict(found) == names


@pytest.mark.slow
def test_transfer_table_quick(tmp_path):
    """Stopped after its first cell, it goes on with the second."""
    command = [sys.executable, ROOT / "recipes/transfer_table.py", "--quick"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) as process:
        assert re.search(r"probe, seed 0: test \d", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert "Stopped." in process.communicate()[1]
    first = json.loads((tmp_path / "transfer_table_quick.json").read_text())["cells"]
    output = run(tmp_path, *command[1:])
    assert re.findall(r"(\w+), seed 0: test \d+\.\d%, \d+ s, [\d,]+ MB", output) == ["partial"]
    result = json.loads((tmp_path / "transfer_table_quick.json").read_text())
    assert first.items() < result["cells"].items() and len(result["cells"]) == 2
    assert [row["depth"] for row in result["rows"]] == ["probe", "partial"]
    assert result["rows"][0]["parameters"] == 218_544  # MobileNet's, alpha 0.25, without its top
    assert (tmp_path / "transfer_table_quick.png").stat().st_size > 10_000


@pytest.mark.slow
def test_pretrain_mnist_quick(tmp_path, shared_data):
    data = shared_data("data/mnist.npz")
    output = run(tmp_path, ROOT / "recipes/pretrain_mnist.py", "--data", data, "--quick")
    assert "test error" in output


@pytest.mark.slow
def test_lottery_ticket_quick(tmp_path):
    command = (ROOT / "recipes/lottery_ticket.py", "--quick", "--runs", tmp_path / "runs")
    first = run(tmp_path, *command)
    assert len(re.findall(r"seed 0: +80\.\d % of the weights, test error \d", first)) == 2
    assert (tmp_path / "runs/lottery_ticket.png").stat().st_size > 10_000
    kept = {path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()}
    assert kept == {"LeNet-300-100-digits-3-epochs-0", "LeNet-5-digits-3-epochs-0"}


@pytest.mark.slow
def test_ensembles_quick(tmp_path):
    command = (ROOT / "recipes/ensembles.py", "--quick", "--runs", tmp_path / "runs")
    output = run(tmp_path, *command)
    errors = re.findall(r"test error ([\d.]+) %, gain [+-]\d", output)
    assert len(errors) == 9 and min(map(float, errors)) < 40  # guessing gives 90
    assert (tmp_path / "runs/ensembles.png").stat().st_size > 10_000
    assert run(tmp_path, *command) == output  # from what is kept


@pytest.mark.slow
def test_small_claims_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/small_claims.py", "--quick")
    assert len(re.findall(r"^(steps to|loss after|test error).+ \[", output, re.M)) == 8


@pytest.mark.parametrize("name", ["lenet5", pytest.param("resnet20", marks=pytest.mark.thorough)])
def test_reproduce_quick(tmp_path, name):
    output = run(tmp_path, ROOT / "recipes/reproduce.py", name, "--quick")
    (line,) = re.findall(rf"^{name}, quick, .*: test error .*$", output, re.M)
    assert re.search(r"seed 0, digits of scikit-learn: .* \d+ images/s, \d+% of the", line)
    result = json.loads((tmp_path / f"reproduce_runs/{name}-quick-0.json").read_text())
    assert [row["epoch"] for row in result["curve"]] == [1, 2] and result["matmul_share"] > 0
    assert result["error"] == result["curve"][-1]["test_error"]
    shown = run(tmp_path, ROOT / "recipes/reproduce.py", "--list")
    ours = rf"^  {name} .*; in reproduce_runs: quick: {result['error']:.2f} \(1 seed\)$"
    assert re.search(ours, shown, re.M)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
@pytest.mark.parametrize("name", experiments())
def test_reproduce_every_row_quick(tmp_path, monkeypatch, name, backend):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    output = run(tmp_path, ROOT / "recipes/reproduce.py", name, "--quick")
    assert re.search(r"test error \d+\.\d\d %|two steps on drawn images of", output)


@pytest.mark.thorough
def test_mnist_regularisers_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/mnist_regularisers.py", "--quick")
    assert len(re.findall(r"^.+: test error \d+\.\d\d % \[\d", output, re.M)) == 6
    assert not [path for path in (tmp_path / "regulariser_runs").iterdir() if path.is_dir()]


@pytest.mark.slow
def test_batch_growth_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/batch_growth.py", "--quick")
    updates = [int(count) for count in re.findall(r"%, (\d+) updates", output)]
    assert updates == [80, 70, 55]  # 4 epochs of 20; the third of 10, the fourth of 5
    assert (tmp_path / "batch_growth.png").exists()
    assert run(tmp_path, ROOT / "recipes/batch_growth.py", "--quick").count("updates of") == 0


@pytest.mark.slow
def test_optimiser_race_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/optimiser_race.py", "--quick")
    lowest = dict(re.findall(r"^(\S+) +loss \S+ -> (\S+) in", output, re.MULTILINE))
    assert set(lowest) == {"SGD", "Adam", "L-BFGS-B"}
    assert float(lowest["L-BFGS-B"]) < 1.8 < float(lowest["Adam"]) < 2.302  # from log(10)
    assert (tmp_path / "optimiser_race.png").stat().st_size > 50_000
    result = json.loads((tmp_path / "optimiser_race.json").read_text())
    heights = result["surface"]["height"]
    assert all(path[-1] < 0.3 * path[0] for path in heights.values())


@pytest.mark.thorough
def test_augmentation_gain_quick(tmp_path):
    command = (ROOT / "recipes/augmentation_gain.py", "--quick")
    output = run(tmp_path, *command)
    assert len(re.findall(r"^.+: test error \d+\.\d\d ± 0.00 %, training \d", output, re.M)) == 3
    assert (tmp_path / "augmentation_gain.png").stat().st_size > 10_000
    assert "seed 0" not in run(tmp_path, *command)  # from what is kept
    file = tmp_path / "augmentation_gain.json"
    file.write_text(file.read_text().replace('"epochs": 2', '"epochs": 3'))
    refused = run(tmp_path, *command, code=1)
    assert "is of another run (epochs 3): move it away" in refused


@pytest.mark.slow
def test_small_transfer_quick(tmp_path):
    command = (ROOT / "recipes/small_transfer.py", "--quick")
    errors = re.findall(r"^5 a class, .+, seed 0: (\d+\.\d\d) %$", run(tmp_path, *command), re.M)
    assert len(errors) == 3 and min(map(float, errors)) < 60  # guessing gives 90
    assert (tmp_path / "small_transfer_runs/small_transfer.png").stat().st_size > 10_000
    assert run(tmp_path, *command).startswith("0 cells to do")  # from what is kept


@pytest.mark.thorough
def test_style_transfer_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/style_transfer.py", "--quick")
    style, evaluations = re.findall(r"style ([\d.]+) after (\d+) evaluations", output)[0]
    assert float(style) < 0.3 and int(evaluations) >= 15
    with Image.open(tmp_path / "painted.png") as picture:
        assert picture.size == (107, 72)
    assert (tmp_path / "painted_loss.png").stat().st_size > 5_000


@pytest.mark.slow
def test_benchmark_augment_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/benchmarks/augment.py", "--quick", timeout=600)
    assert re.search(r"^RandAugment +[\d,]+ photos a second$", output, re.MULTILINE)
    assert len(re.findall(r"Keras layers in `tf.data` +kerascnn is +\d", output)) == 2


@pytest.mark.slow
def test_benchmark_transfer_quick(tmp_path, mobilenet, shared_data):
    command = (ROOT / "recipes/benchmarks/transfer.py", shared_data("data/clothing"))
    options = ("--weights", mobilenet, "--quick", "--image-size", 96)
    assert "times faster" in run(tmp_path, *command, *options, timeout=600)


@pytest.mark.slow
def test_benchmark_lottery_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/benchmarks/lottery.py", "--quick", timeout=600)
    assert len(re.findall(r", batch \d+: \d\.\d{3} \(", output)) == 3


@pytest.mark.slow
def test_benchmark_batch_norm_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/benchmarks/batch_norm.py", "--quick", timeout=600)
    assert re.search(r"^ResNet-20, mixed_bfloat16: \d+\.\d\d \(", output, re.MULTILINE)


@pytest.mark.slow
def test_benchmark_memory_quick(tmp_path):
    assert "ratio" in run(tmp_path, ROOT / "recipes/benchmarks/memory.py", "--quick", timeout=600)


@pytest.mark.slow
def test_benchmark_pipeline_quick(tmp_path):
    assert "kerascnn" in run(
        tmp_path, ROOT / "recipes/benchmarks/pipeline.py", "--quick", timeout=600
    )


@pytest.mark.slow
def test_benchmark_first_epoch_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/benchmarks/first_epoch.py", "--quick")
    assert re.search(r"64 x 80, later: \d+\.\d\d times as fast as Keras \(", output)


@pytest.mark.slow
def test_benchmark_models_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/benchmarks/models.py", "--quick", timeout=600)
    assert "ResNet-20, option B, training step: " in output


@pytest.mark.slow
def test_benchmark_hooks_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/benchmarks/hooks.py", "--quick", timeout=600)
    assert re.search(r"^PlateauRollback: 0\.\d{4} of a step", output, re.MULTILINE)


@pytest.mark.slow
def test_benchmark_report_quick(tmp_path, few_photos, mobilenet):
    options = ("--weights", mobilenet, "--image-size", 128, "--quick")
    output = run(tmp_path, ROOT / "recipes/benchmarks/report.py", few_photos, *options)
    assert re.search(r"^\d+\.\d s, later \d+\.\d s, 24 test photos", output, re.MULTILINE)


@pytest.mark.slow
def test_benchmark_resume_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/benchmarks/resume.py", "--quick", timeout=600)
    assert re.search(r"^Resume and NaNWatch: \d+\.\d{3} \(", output, re.MULTILINE)


@pytest.mark.slow
def test_benchmark_reproducible_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/benchmarks/reproducible.py", "--quick", timeout=600)
    assert re.search(r"^training step, MobileNetV2: \d+\.\d\d \(", output, re.MULTILINE)


@pytest.mark.slow
def test_benchmark_scaling_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/benchmarks/scaling.py", "--quick")
    counted, formula = map(
        float, re.findall(r"exchanged ([\d.]+) MB, by formula ([\d.]+)", output)[0]
    )
    assert 0.9 * formula < counted  # others may use the loopback interface too
    assert len(re.findall(r"^ +\d+ Gbit/s: (?:\d+\.\d% *){6}$", output, re.M)) == 3


def test_serve(tmp_path, shared_data):
    """A photo is posted to the server, in whose process neither TensorFlow nor Keras can start."""
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255)])
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(3, "softmax"))
    names = ["hat", "pants", "blåbær"]
    kc.export.export(model, tmp_path / "onnx", labels=names)
    photo = next((shared_data("data/clothing") / "test" / "hat").iterdir())
    pixels = kc.data.Decoder(32).read(photo)
    expected = dict(zip(names, model.predict_on_batch(pixels[None].astype("float32"))[0]))
    with served(tmp_path / "onnx") as address:
        got = json.loads(post(address, photo))
        assert got == pytest.approx(expected, abs=1e-5) and list(got)[0] == max(got, key=got.get)
        assert json.loads(post(address, __file__)) == {"error": "not an image"}


@contextlib.contextmanager
def served(folder):
    """The address of `recipes/serve.py` in a process of its own."""
    start = (
        "import runpy, sys; sys.modules |= dict.fromkeys(('tensorflow', 'keras', 'jax')); "
        f"sys.argv = ['serve.py', {str(folder)!r}, '--port', '0']; "
        f"runpy.run_path({str(ROOT / 'recipes/serve.py')!r}, run_name='__main__')"
    )
    command = [sys.executable, "-c", start]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def post(address, file):
    """What a server answers to a file, asked by another process: this one has no network."""
    code = (
        "import sys, urllib.request, urllib.error\n"
        "try: print(urllib.request.urlopen(sys.argv[1], open(sys.argv[2], 'rb').read())"
        ".read().decode())\n"
        "except urllib.error.HTTPError as error: print(error.read().decode())"
    )
    return subprocess.check_output([sys.executable, "-c", code, address, str(file)], text=True)


@pytest.mark.slow
def test_benchmark_compute_quick(tmp_path):
    output = run(tmp_path, ROOT / "recipes/benchmarks/compute.py", "--quick", timeout=600)
    assert output.count("chosen") == 2
    assert len(re.findall(r"^\S.*: \d+\.\d\d \(.+\) times as fast$", output, re.MULTILINE)) == 2
