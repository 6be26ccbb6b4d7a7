"""The command line: every wrong input is one sentence and exit code 2, every right one works."""

import contextlib
import csv
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import kerascnn
from kerascnn import cli
from kerascnn.cli import searching
from kerascnn.cli._options import print_json
from kerascnn.transfer import list_backbones, load_run
from kerascnn.transfer._scores import scores
from tests.transfer.conftest import SHAPES, draw_photos, draw_shape
from tests.transfer.test_run import mount_tmpfs

ROOT = Path(__file__).parents[1]
LENET = ("--backbone", "LeNet5")
SHORT = (*LENET, "--strategy", "probe", "--engine", "keras")

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def kerascnn_command(monkeypatch, capsys):
    """Runs the command in this process: (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    level = logging.getLogger("kerascnn").level

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["kerascnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    yield run
    logging.getLogger("kerascnn").setLevel(level)


def refused(outcome):
    """The one sentence of a command that ended with exit code 2."""
    code, out, err = outcome
    assert (code, out) == (2, ""), err
    (line,) = err.splitlines()
    assert line.startswith("kerascnn: ") and "Traceback" not in line
    return line.removeprefix("kerascnn: ")


def process(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-m", "kerascnn", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, **pipes | options)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("cli") / "photos", dict.fromkeys(SHAPES, 8))


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    """A run folder made by the command, in a process of its own, and what it printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASCNN_CACHE", str(tmp_path_factory.mktemp("cache")))
        folder = photos.parent / "run"
        command = process("finetune", photos, *SHORT, "--json", "--output", folder)
        out, err = command.communicate()
    assert command.returncode == 0, err
    return folder, out, err


# Without TensorFlow


def test_launch_gives_a_script_its_own_options(kerascnn_command, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import sys\nprint(sys.argv[1:])\nsys.exit('--bad' in sys.argv)")
    options = ("launch", "--logs", tmp_path / "logs", script, "--workers", "9", "-v")
    code, _, err = kerascnn_command(*options)
    assert (code, err) == (0, "")
    assert (tmp_path / "logs/worker-1.txt").read_text() == "['--workers', '9', '-v']\n"
    code, _, err = kerascnn_command("launch", script, "--bad")
    assert code == 2 and "so all were stopped. If the script uses Resume" in err
    assert refused(kerascnn_command("launch", "no.py")) == "There is no script no.py."


def test_help_check_models_and_doctor_start_no_backend(photos, run):
    code = f"""
import sys
from kerascnn.cli import main
helps = [[name, "--help"] for name in ("finetune", "tune")]
others = [["check", {str(photos)!r}], ["models"], ["doctor", {str(run[0])!r}]]
for arguments in (["--help"], *others, *helps):
    sys.argv = ["kerascnn", *arguments]
    try:
        main()
    except SystemExit as ended:
        assert ended.code == 0
assert not {{"tensorflow", "keras", "jax"}} & set(sys.modules)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)


def test_help_teaches(kerascnn_command):
    code, out, _ = kerascnn_command("--help")
    assert code == 0
    commands = ["check", "finetune", "extract", "evaluate", "predict", "doctor", "report"]
    commands += ["tune", "models", "demo"]
    assert all(re.search(rf"^  {name} ", out, re.MULTILINE) for name in commands)
    for name in commands:
        code, out, _ = kerascnn_command(name, "--help")
        assert code == 0 and (f"kerascnn {name}" in out or name in ("models", "demo"))
    _, out, _ = kerascnn_command("finetune", "--help")
    for option in ("--backbone", "--weights", "--image-size", "--strategy", "--epochs", "--seed"):
        assert option in out


def test_nothing_asked_shows_the_help(kerascnn_command):
    code, out, err = kerascnn_command()
    assert (code, err) == (2, "") and "finetune" in out


def test_version(kerascnn_command):
    assert kerascnn_command("--version") == (0, f"kerascnn {kerascnn.__version__}\n", "")


def test_models_lists_every_builder_and_backbone(kerascnn_command):
    code, out, _ = kerascnn_command("models")
    assert code == 0 and max(map(len, out.splitlines())) <= 100
    builders, backbones = (
        {row.split()[0]: row.split()[1:] for row in part.split("\n\n")[1].splitlines()[2:]}
        for part in out.split("Backbones:")
    )
    assert builders["VGG16"] == (
        ["224", "138M", "15.5G", "61.0M", "16", "ImageNet", "25.6", "8.1", "imagenet"]
    )
    assert builders["VGG13"][-1] == "imagenet*"  # with batch_norm=True only
    assert backbones["MobileNetV2"][:3] == ["224", "3.50M", "301M"]
    assert backbones["MobileNetV2"][-3:] == ["28.7", "9.9", "imagenet"]
    code, out, _ = kerascnn_command("models", "--json")
    listed = {(row["source"], row["name"]): row for row in json.loads(out)}
    assert code == 0
    assert {name for source, name in listed if source == "kerascnn"} == set(builders)
    assert {name for (_, name), row in listed.items() if row["backbone"]} == set(backbones)
    assert set(backbones) == {row.name for row in list_backbones()}
    assert listed["kerascnn", "VGG13"]["weights"] == ["imagenet (batch_norm=True)"]
    mobilenet = listed["keras.applications", "MobileNetV2"]
    assert mobilenet["backbone"]["num_parameters"] == 2_257_984  # without its top


def test_models_into_a_closed_pipe_says_nothing():
    """`kerascnn models | head`: no traceback, no sentence."""
    with process("models") as command:
        command.stdout.close()
        assert command.stderr.read() == ""


# A run


def test_finetune_writes_a_run_and_only_json_on_stdout(run):
    folder, out, err = run
    printed = json.loads(out)
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert printed == {**metrics, "output": str(folder)}
    assert "read photos, start TensorFlow" in metrics["seconds"]
    # No line of TensorFlow's: only what we say ourselves, and no bar off a terminal.
    assert [line.split(":")[0] for line in err.splitlines()] == ["probe"]
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert (config["weights"], config["image_size"], config["channels"]) == ("mnist", [32, 32], 1)
    assert (folder / "report.html").stat().st_size > 10_000


def test_finetune_says_where_everything_is(photos, tmp_path, kerascnn_command):
    code, out, err = kerascnn_command("-q", "finetune", photos, *SHORT, "-o", tmp_path / "run")
    assert (code, err) == (0, "")
    assert re.search(r"Test accuracy \d+\.\d% \(95 % interval .*, 3 photos\)", out)
    assert f"Report {tmp_path / 'run' / 'report.html'}" in out


def test_finetune_by_a_recipe_file(photos, tmp_path, kerascnn_command):
    """What `kerascnn tune` writes; what is typed counts more."""
    settings = {
        "backbone": "LeNet5", "weights": None, "strategy": "head", "epochs": 9, "views": 2,
        "learning_rate": 0.001, "engine": "keras", "recipe": {"dropout": 0.2, "batch_size": 16},
    }  # fmt: skip
    file, folder = tmp_path / "best.json", tmp_path / "run"
    file.write_text(json.dumps(settings))
    command = ("finetune", photos, "--recipe", file, "--epochs", 1, "-o", folder)
    code, _, err = kerascnn_command("--quiet", *command)
    assert code == 0, err
    config = json.loads((folder / "config.json").read_text())
    assert config["recipe"].pop("dropout") == 0.2 and config["recipe"].pop("batch_size") == 16
    assert {name: config[name] for name in settings} == settings | {
        "epochs": 1, "recipe": config["recipe"]
    }  # fmt: skip
    assert "--recipe" not in (folder / "report.html").read_text()  # no command says it all


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read as JSON: Expecting"),
        ("[]", "must hold a JSON object of finetune's arguments."),
        ('{"droput": 1}', "Unknown argument of finetune in"),
        ('{"learning_rate": "fast"}', "learning_rate must be > 0. Received: 'fast'."),
        ('{"recipe": {"dropout": 2}}', "dropout must be a number from 0 to below 1."),
        (None, "There is no file"),
    ],
)
def test_a_recipe_file_that_cannot_be_used(photos, tmp_path, kerascnn_command, text, said):
    file = tmp_path / "best.json"
    if text is not None:
        file.write_text(text)
    assert said in refused(kerascnn_command("finetune", photos, "--recipe", file))


def test_finetune_with_the_manifest_of_a_run(photos, run, tmp_path, kerascnn_command):
    command = ("finetune", photos, *SHORT, "--seed", 5, "--manifest", run[0], "--json")
    code, out, _ = kerascnn_command(*command, "-o", tmp_path / "run")
    assert code == 0
    manifests = [(folder / "manifest.csv").read_text() for folder in (tmp_path / "run", run[0])]
    assert manifests[0] == manifests[1]
    assert json.loads(out)["test_accuracy"] == json.loads(run[1])["test_accuracy"]


def test_predict(photos, run, tmp_path, kerascnn_command):
    files = sorted((photos / "circle").iterdir())[:2]
    code, out, err = kerascnn_command("predict", run[0], *files, "--top", 3, "--json")
    rows = json.loads(out)
    assert (code, err, len(rows)) == (0, "", 6)
    expected = load_run(run[0]).predict(files)
    for number, file in enumerate(files):
        mine = rows[3 * number : 3 * number + 3]
        assert {row["path"] for row in mine} == {str(file)}
        assert [row["class"] for row in mine] == [
            list(SHAPES)[i] for i in np.argsort(-expected[number])
        ]
        shares = [row["probability"] for row in mine]
        assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1)
    # A folder: what is no photo in it is named, and the others are classified.
    shutil.copytree(photos / "square", tmp_path / "some")
    (tmp_path / "some/000.png").write_text("text")
    (tmp_path / "some/001.png").rename(tmp_path / "some/001")  # training reads it, too
    for hidden in ("some/.trash/002.png", "some/._002.png"):
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "some/002.png", tmp_path / hidden)
    code, out, err = kerascnn_command("predict", run[0] / "model.keras", tmp_path / "some")
    assert code == 0 and len(out.splitlines()) == 2 + 7
    assert err.startswith("skipped: Cannot read ") and "000.png as a photo: not an image" in err


def test_evaluate(photos, run, tmp_path, kerascnn_command):
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos/circle/000.png").write_bytes(b"")
    code, out, err = kerascnn_command("evaluate", run[0], tmp_path / "photos")
    assert code == 0 and re.search(r"accuracy \d+\.\d% \(95 % .* balanced .*, 23 photos", out)
    listed = csv.DictReader((run[0] / "manifest.csv").read_text("utf-8").splitlines())
    known = {row["path"] for row in listed if row["split"] != "test"} - {"circle/000.png"}
    assert err.startswith("1 skipped: empty file\n  circle/000.png (empty file)\n")
    warning = f"Warning: {len(known)} kept: known to this run from training or validation, which "
    assert warning in err and f"... and {len(known) - 3} more" in err
    code, out, err = kerascnn_command("evaluate", run[0], tmp_path / "photos", "--json")
    scores = json.loads(out)
    assert (code, err, scores["num_photos"]) == (0, "", 23)
    empty, seen = scores["findings"]
    assert empty == {
        "problem": "empty file", "action": "skipped", "paths": ["circle/000.png (empty file)"]
    }  # fmt: skip
    assert seen["action"] == "kept" and set(seen["paths"]) == known
    # The model alone knows of no photos, and what is new is said nothing of.
    shutil.copy(run[0] / "model.keras", tmp_path / "alone.keras")
    moved = kerascnn_command("evaluate", tmp_path / "alone.keras", tmp_path / "photos")
    assert moved[0] == 0 and "known to this run" not in moved[2]
    for path in known:
        (tmp_path / "photos" / path).unlink()
    code, _, err = kerascnn_command("evaluate", run[0], tmp_path / "photos")
    assert code == 0 and "known to this run" not in err


def test_a_class_that_is_never_predicted_has_no_precision(monkeypatch, kerascnn_command):
    figures = scores(np.eye(2)[[0, 0]], np.array([0, 1]), ["cat", "dog"])
    found = figures | {"num_photos": 2, "findings": []}
    run = types.SimpleNamespace(evaluate=lambda *_, progress: found)
    monkeypatch.setattr("kerascnn.transfer.load_run", lambda path: run)
    code, out, _ = kerascnn_command("evaluate", "run", ".")
    assert code == 0 and out.splitlines()[2:4] == [
        "cat        50.0%  100.0%  66.7%       1",
        "dog                 0.0%   0.0%       1",
    ]


def test_json_has_null_for_what_is_no_number(capsys):
    nan, infinity = float("nan"), float("inf")
    print_json({"score": nan, "best": (1, np.float64("nan")), "rows": [{"loss": -infinity}]})

    def refuse(text):
        raise ValueError(text)

    found = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert found == {"score": None, "best": [1, None], "rows": [{"loss": None}]}


def test_extract(photos, tmp_path, kerascnn_command):
    command = ("extract", photos, *LENET, "--engine", "keras", "-o", tmp_path / "features.npz")
    code, out, _ = kerascnn_command(*command, "--json")
    printed = json.loads(out)
    with np.load(tmp_path / "features.npz") as arrays:
        assert printed["shapes"] == {name: list(arrays[name].shape) for name in arrays}
        assert arrays["train_features"].shape == (18, 120)
        assert arrays["class_names"].tolist() == list(SHAPES)
        for path, label in zip(arrays["test_paths"], arrays["test_labels"]):
            assert path.startswith(list(SHAPES)[label])
    code, out, _ = kerascnn_command(*command, "--layer", "s4")
    assert code == 0 and "train_features" in out and "18x16" in out
    code, out, err = kerascnn_command(*command, "--layer", "s5")
    assert refused((code, out, err)).startswith("Unknown layer of model 'lenet5': 's5'. Did you")
    with np.load(tmp_path / "features.npz") as arrays:  # what was there is still whole
        assert arrays["train_features"].shape == (18, 16)


def test_doctor(run, kerascnn_command):
    code, out, err = kerascnn_command("doctor", run[0])
    assert (code, err) == (0, "") and "Test accuracy is" in out
    code, out, _ = kerascnn_command("doctor", run[0], "--json")
    found = json.loads(out)
    assert code == 0 and found == json.loads((run[0] / "doctor.json").read_text("utf-8"))
    assert {"check", "severity", "message", "advice", "source"} == found[0].keys()


def test_doctor_on_what_is_no_run(kerascnn_command, tmp_path):
    sentence = refused(kerascnn_command("doctor", tmp_path))
    assert sentence.startswith(f"{tmp_path} is no run folder of `kerascnn finetune`")
    assert "Missing argument 'run'" in refused(kerascnn_command("doctor"))


def test_report_is_written_again(run, kerascnn_command, tmp_path):
    before = (run[0] / "report.html").read_bytes()
    code, out, err = kerascnn_command("report", run[0])
    assert (code, out, err) == (0, f"Report {run[0] / 'report.html'}\n", "")
    assert (run[0] / "report.html").read_bytes() == before
    code, out, _ = kerascnn_command("report", run[0], "-o", tmp_path / "new/page.html", "--json")
    assert (code, json.loads(out)) == (0, {"output": str(tmp_path / "new/page.html")})
    assert (tmp_path / "new/page.html").read_bytes() == before


def test_report_compares_runs(run, kerascnn_command, tmp_path, monkeypatch):
    shutil.copytree(run[0], tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    assert kerascnn_command("report", run[0], "other") == (0, "Comparison compare.html\n", "")
    assert "2 runs compared" in (tmp_path / "compare.html").read_text("utf-8")
    code, out, _ = kerascnn_command("report", run[0], "other", "-o", "page.html", "--json")
    found = json.loads(out)
    assert (code, found["output"], found["settings"]) == (0, "page.html", {})
    assert found["tests"]["other"]["p_value"] == 1 and set(found["runs"]) == {"run", "other"}


def test_report_on_what_is_no_run(run, kerascnn_command, tmp_path):
    for arguments, sentence in (
        ((tmp_path,), f"{tmp_path} is no run folder: it has no config.json."),
        ((run[0], tmp_path / "none"), "none is no run folder"),
        ((run[0], run[0]), "needs two or more different run folders"),
        ((run[0], "-o", "/dev/null/x.html"), "Cannot write /dev/null/x.html"),
        ((), "Missing argument 'runs"),
    ):
        assert sentence in refused(kerascnn_command("report", *arguments))


def test_check(photos, tmp_path, kerascnn_command):
    code, out, err = kerascnn_command("check", photos, "--manifest", tmp_path / "manifest.csv")
    assert (code, err) == (0, "") and out.endswith("No problems found.\n")
    assert re.search(r"^total +18 +3 +3 +24$", out, re.MULTILINE)
    assert len((tmp_path / "manifest.csv").read_text().splitlines()) == 25
    again = kerascnn_command("check", photos, "--manifest", tmp_path / "manifest.csv")
    assert "manifest.csv exists already. Pass --manifest a new file" in refused(again)


def test_check_writes_a_page_and_asks_a_backbone(photos, tmp_path, kerascnn_command):
    command = ("check", photos, "-o", tmp_path / "check", "--features", *LENET)
    code, out, err = kerascnn_command(*command)
    assert (code, err) == (0, "") and out.endswith("/check/check.html\n")
    names = sorted(path.name for path in (tmp_path / "check").iterdir())
    assert names == ["check.html", "check.json", "quarantine.csv"]
    code, out, _ = kerascnn_command(*command, "--json")
    printed = json.loads(out)
    assert printed == json.loads((tmp_path / "check/check.json").read_text("utf-8"))
    assert isinstance(printed["suspicious_labels"], list) and printed["feature_shift"] == {}
    assert printed["statistics"]["width"] == {"min": 48, "median": 48, "max": 48}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--on-error", "stop"), "Unknown on_error 'stop'."),
        (("--features", "--backbone", "MobilNetV2"), "Did you mean 'MobileNetV2'"),
        (("--features", "--weights", "none.h5"), "There is no weights file none.h5."),
        (("--image-size", 0), "image_size must be an int >= 1"),
        (("--seed", "x"), "Invalid value for '--seed'"),
    ],
)
def test_wrong_options_of_check(photos, kerascnn_command, options, sentence):
    assert sentence in refused(kerascnn_command("check", photos, *options))


def test_check_writes_nothing_into_the_photos(photos, kerascnn_command):
    sentence = refused(kerascnn_command("check", photos, "-o", photos / "check"))
    assert "is inside" in sentence and not (photos / "check").exists()


# A search


SEARCH = ("--trials", 2, "--epochs", 1, *LENET, "--depth", "head")


@pytest.mark.thorough
def test_tune_finds_a_plan_trains_with_it_and_goes_on(photos, tmp_path, kerascnn_command):
    folder = tmp_path / "search"
    command = ("tune", photos, "-o", folder, *SEARCH)
    code, out, err = kerascnn_command(*command)
    assert code == 0, err
    lines = err.splitlines()
    assert lines[0].startswith("Random search, at most 2 trials; each is scored on the validation")
    assert [line.split("  ")[0] for line in lines[2:4]] == ["trial 0000", "trial 0001"]
    assert out.splitlines()[0].split() == ["trial", "0000", "(defaults)", "0001"]
    assert re.search(r"^Best: trial 000[01], validation [\d.]+ \(", out, re.MULTILINE)
    assert re.search(r"^Test accuracy of the best: \d+\.\d% \(95 % interval", out, re.MULTILINE)
    names = ("best/model.keras", "best.json", "trials.csv", "parallel.png")
    assert all(f"  {folder / name}" in out and (folder / name).exists() for name in names)
    settings = json.loads((folder / "best.json").read_text("utf-8"))
    config = json.loads((folder / "best/config.json").read_text("utf-8"))
    assert settings["strategy"] == config["strategy"] == "head" and settings["backbone"] == "LeNet5"
    assert load_run(folder / "best").class_names == list(SHAPES)

    # The same command again trains nothing; another search is refused.
    code, out, err = kerascnn_command(*command, "--json")
    printed = json.loads(out)
    assert (code, err) == (0, f"All 2 trials in {folder} are done.\n")
    assert [row["trial"] for row in printed["best"]] in (["0000", "0001"], ["0001", "0000"])
    assert printed["test_accuracy"] is not None and printed["importance"] is None
    assert "holds another search (seed" in refused(kerascnn_command(*command, "--seed", 1))


def test_each_backbone_of_a_search_has_its_own_weights(photos):
    names = ["MobileNetV2", "CifarResNet20"]
    space = searching._fine_tuning(
        photos, names, None, 32, "stretch", 0, None, False, ["head"], None
    )
    assert space.weights == {"MobileNetV2": "imagenet", "CifarResNet20": "tiny-imagenet32"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--time-budget", "soon"),
            "A time budget is e.g. 30m, 1h30m or 900 (seconds), not 'soon'",
        ),
        (("--time-budget", "0m"), "A time budget is e.g. 30m"),
        (("--oracle", "grid"), "Unknown oracle 'grid'."),
        (("--depth", "head,all"), "Unknown depth 'all'."),
        (("--trials", 0), "Invalid value for '--trials'"),
        (("--backbone", "MobilNetV2"), "Did you mean 'MobileNetV2'"),
        (
            ("--backbone", "MobileNetV2,LeNet5"),
            "their channels differ: MobileNetV2 3, LeNet5 1. Search them apart.",
        ),
        (("--worker", "b"), "--worker joins the search at --chief HOST:PORT"),
        (("--folds", 1), "folds"),
    ],
)
def test_wrong_options_of_tune(photos, tmp_path, kerascnn_command, options, sentence):
    command = ("-q", "tune", photos, "-o", tmp_path / "search", *options)
    assert sentence in refused(kerascnn_command(*command))
    assert not (tmp_path / "search").exists()


def test_a_time_budget_is_read_as_it_is_said():
    read = searching._seconds
    assert [read(t) for t in (None, "900", "30m", "1h30m", "1.5h")] == [None, 900, 1800, 5400, 5400]


@pytest.mark.slow
def test_tune_with_workers_on_two_machines_and_a_kill(photos, tmp_path):
    """A host with one worker and a machine that joins; then the whole is killed and goes on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        chief = f"127.0.0.1:{free.getsockname()[1]}"
    command = ("tune", photos, "-o", tmp_path / "search", *SEARCH, "--trials", 8, "--chief", chief)
    with process(*command) as host:
        until(lambda: list(tmp_path.glob("search/trial_*/config.json")))
        host.kill()
    assert not (tmp_path / "search/best").exists()
    with process(*command) as host, process(*command, "--worker", "b") as joined:
        out, err = joined.communicate()
        assert (joined.returncode, out) == (0, "") and "trial 000" in err
        out, err = host.communicate()
        assert host.returncode == 0 and "of them done" in err, err
    found = {row["trial"]: row for row in kerascnn.search.trials(tmp_path / "search")}
    assert {row["status"] for row in found.values()} == {"COMPLETED"} and len(found) == 8
    assert (tmp_path / "search/best/model.keras").exists()


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


# What is wrong is named and counted, and the rest goes on


@pytest.fixture
def troubled(photos, tmp_path):
    """The photos, and one of everything that must not stop the work."""
    folder = tmp_path / "troubled"
    shutil.copytree(photos, folder)
    whole = (folder / "circle/000.png").read_bytes()
    middle = len(whole) // 2
    (folder / "circle/corrupt.png").write_bytes(whole[:middle] + bytes(len(whole) - middle))
    (folder / "circle/truncated.png").write_bytes(whole[:middle])
    (folder / "circle/empty.png").write_bytes(b"")
    (folder / "circle/notes.png").write_text("not a photo")
    Image.new("1", (12_000, 9_000)).save(folder / "circle/huge.png")
    frames = [draw_shape("square", i) for i in (50, 51)]
    frames[0].save(folder / "square/animated.gif", save_all=True, append_images=frames[1:])
    draw_shape("circle", 60).save(folder / "circle/twice.png")
    shutil.copy(folder / "circle/twice.png", folder / "square/twice.png")
    (folder / "star").mkdir()
    for i in (70, 71):
        draw_shape("triangle", i).save(folder / f"star/{i}.png")
    return folder


TROUBLES = {  # problem: (what was done, the files)
    "damaged": ("skipped", ["circle/corrupt.png", "circle/truncated.png"]),
    "empty file": ("skipped", ["circle/empty.png"]),
    "not an image": ("skipped", ["circle/notes.png"]),
    "huge": ("skipped", ["circle/huge.png"]),
    "animated": ("kept", ["square/animated.gif"]),
    "same photo in two classes": ("skipped", ["circle/twice.png", "square/twice.png"]),
    "class 'star' has fewer than 3 photos": ("kept", ["star/70.png", "star/71.png"]),
}


def test_check_names_and_counts_all_troubles(troubled, kerascnn_command):
    code, out, err = kerascnn_command("check", troubled, "--json")
    assert (code, err) == (0, "")
    found = {
        row["problem"]: (row["action"], [path.split(" (")[0] for path in row["paths"]])
        for row in json.loads(out)["findings"]
    }
    assert {problem: found.get(problem) for problem in TROUBLES} == TROUBLES
    listed = {row["path"] for row in json.loads(out)["quarantine"]}
    skipped = [paths for action, paths in TROUBLES.values() if action == "skipped"]
    assert listed == set(sum(skipped, []))
    outcome = kerascnn_command("check", troubled, "--on-error", "raise")
    assert refused(outcome).startswith("'circle/corrupt.png' cannot be used: damaged")
    _, out, _ = kerascnn_command("check", troubled)
    assert "2 skipped: same photo in two classes\n  circle/twice.png\n  square/twice.png\n" in out
    assert found.keys() - TROUBLES.keys() <= {"not RGB (P), converted"}


def test_finetune_goes_on_and_counts(troubled, tmp_path, kerascnn_command):
    code, out, err = kerascnn_command(
        "finetune", troubled, *SHORT, "--json", "-o", tmp_path / "run"
    )
    assert code == 0
    assert sum(json.loads(out)["num_photos"].values()) == 24 + 1 + 2
    for problem, (action, paths) in TROUBLES.items():
        said = f"{len(paths)} skipped: {problem}\n  {paths[0]}"
        assert (said in err) == (action == "skipped")
    report = (tmp_path / "run/report.html").read_text("utf-8")
    assert "same photo in two classes" in report and "fewer than 3 photos" in report
    run = load_run(tmp_path / "run")
    assert run.class_names == ["circle", "square", "star", "triangle"]
    assert troubled.joinpath("circle/notes.png").read_text() == "not a photo"  # nothing is changed


def test_export(photos, run, tmp_path, kerascnn_command):
    code, out, err = kerascnn_command("export", run[0], "--to", "onnx", "-o", tmp_path / "x")
    assert (code, err) == (0, "")
    assert re.fullmatch(
        rf"{tmp_path}/x/model.onnx: 0.\d MB in its folder\n"
        rf"compared on \d validation photos in {photos}: probabilities differ by up to \S+e-\d+, "
        r"same class for 100.0%\naccuracy \d+.\d% \(Keras: \d+.\d%\)\n",
        out,
    )
    options = ("--photos", photos / "circle", "--to", "saved_model", "--json")
    code, out, err = kerascnn_command("export", run[0] / "model.keras", *options)
    done = json.loads(out)
    assert (code, err, done["accuracy"]) == (0, "", None)
    assert done["file"] == str(run[0] / "export/saved_model/saved_model.pb")
    shutil.rmtree(run[0] / "export")
    sentence = refused(kerascnn_command("export", run[0], "-o", tmp_path / "y", "--tolerance", 0))
    assert sentence.startswith("Nothing was exported: ") and not (tmp_path / "y").exists()


# What stops it: one sentence, exit code 2


def test_folder_that_is_missing_or_empty(tmp_path, run, kerascnn_command):
    (tmp_path / "empty").mkdir()
    for name, sentence in (("none", "There is no folder"), ("empty", "holds no photos")):
        for command in (
            ("check", tmp_path / name),
            ("finetune", tmp_path / name, "-o", tmp_path / "run"),
            ("extract", tmp_path / name, "-o", tmp_path / "f.npz"),
            ("evaluate", run[0], tmp_path / name),
        ):
            assert sentence in refused(kerascnn_command(*command))
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@contextlib.contextmanager
def without_privileges():
    """As a user who is not root, for whom permissions count."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_folder_that_may_not_be_read_or_written(photos, kerascnn_command):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to other users
        Path(folder).chmod(0o755)
        locked = Path(folder) / "locked"
        shutil.copytree(photos, locked)
        locked.chmod(0o000)
        with without_privileges():
            unreadable = kerascnn_command("check", locked)
            unwritable = kerascnn_command("finetune", locked, "-o", locked / "run")
            inside = kerascnn_command("finetune", photos, "-o", Path(folder) / "run")
        locked.chmod(0o755)
    assert refused(unreadable) == f"Cannot read the folder {locked}: Permission denied."
    for outcome in (unwritable, inside):
        sentence = refused(outcome)
        assert sentence.startswith("Cannot write ") or "is inside" in sentence
    assert "permission is denied; choose another folder" in refused(inside)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (["a/1.png", "a/2.png", "a/3.png"], "has 1 usable class (a); at least two are needed"),
        (["1.png", "2.png"], "holds photos directly ('1.png'). Put each class into a folder"),
        (["x/y/a/1.png", "x/y/b/2.png"], "nested too deep"),
        (["a/1.png", "b/2.txt"], "has 1 usable class (a); at least two are needed"),
    ],
)
def test_folder_without_two_classes(tmp_path, kerascnn_command, files, sentence):
    for number, name in enumerate(files):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_shape("circle", number).save(path, "PNG") if path.suffix == ".png" else path.touch()
    outcome = kerascnn_command("finetune", tmp_path / "photos", *LENET, "-o", tmp_path / "run")
    assert sentence in refused(outcome)
    assert not list(tmp_path.glob("run*"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--backbone", "MobilNetV2"), "Unknown backbone 'MobilNetV2'. Did you mean 'MobileNetV2'"),
        (("--strategy", "partal"), "Unknown strategy 'partal'. Did you mean 'partial'?"),
        (("--resize", "strech"), "Unknown resize 'strech'. Did you mean 'stretch'?"),
        (("--engine", "tensorflw"), "Unknown engine 'tensorflw'. Did you mean 'tensorflow'?"),
        (("--precision", "float16"), "Unknown precision 'float16'."),
        (("--image-size", 0), "image_size must be an int >= 1"),
        (("--image-size", "big"), "Invalid value for '--image-size'"),
        (("--epochs", 0), "epochs must be an int >= 1. Received: 0."),
        (("--epochs", -3), "epochs must be an int >= 1. Received: -3."),
        (("--learning-rate", -1), "learning_rate must be > 0. Received: -1.0."),
        (("--seed", -1), "seed must be an int from 0 to 2**32 - 1. Received: -1."),
        (("--epoch", 3), "No such option: --epoch"),
        (("--weights", "none.weights.h5"), "There is no weights file none.weights.h5."),
        (("--weights", "imagenet", *LENET), "There is no weights file imagenet."),
        (("--manifest", "none.csv"), "Cannot read the manifest none.csv"),
    ],
)
def test_wrong_options(photos, tmp_path, kerascnn_command, options, sentence):
    outcome = kerascnn_command("finetune", photos, "-o", tmp_path / "run", *options)
    assert sentence in refused(outcome)
    assert not any(tmp_path.glob("run*"))


def test_weights_of_another_network_or_damaged(photos, tmp_path, kerascnn_command):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save_weights(
        tmp_path / "other.weights.h5"
    )
    whole = (ROOT / "kerascnn/weights/lenet5_mnist.weights.h5").read_bytes()
    (tmp_path / "cut.weights.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.weights.h5").write_text("weights, honestly")
    for name, sentence in (
        ("other", "does not fit this LeNet5"),
        ("cut", "damaged"),
        ("text", "damaged"),
    ):
        weights = tmp_path / f"{name}.weights.h5"
        outcome = kerascnn_command(
            "finetune", photos, *SHORT, "--weights", weights, "-o", tmp_path / "run"
        )
        assert sentence in refused(outcome)
    assert not any(tmp_path.glob("run*"))


def test_existing_run_is_refused_and_untouched(photos, run, kerascnn_command):
    before = {path: path.read_bytes() for path in run[0].iterdir()}
    outcome = kerascnn_command("finetune", photos, *SHORT, "-o", run[0])
    assert "already exists and nothing in it was changed" in refused(outcome)
    assert {path: path.read_bytes() for path in run[0].iterdir()} == before
    assert not run[0].with_name("run.partial").exists()


def test_output_inside_the_photos_is_refused(photos, kerascnn_command, monkeypatch):
    monkeypatch.chdir(photos)
    assert "where it would be taken for a class" in refused(kerascnn_command("finetune", "."))
    assert sorted(path.name for path in photos.iterdir()) == sorted(SHAPES)


def test_output_below_a_file_is_refused(photos, kerascnn_command):
    for command in (("finetune", photos, *SHORT), ("extract", photos, *LENET)):
        sentence = refused(kerascnn_command(*command, "-o", "/dev/null/run"))
        assert sentence.startswith("Cannot write /dev/null/run: a part of the path is a file")


def test_output_on_a_full_disk(photos, tmp_path, kerascnn_command):
    disk = tmp_path / "disk"
    mount_tmpfs(disk, "64k")
    try:
        outcome = kerascnn_command("-q", "finetune", photos, *SHORT, "-o", disk / "run")
        assert "the disk is full; free some space or choose another folder" in refused(outcome)
        (disk / "fill").write_bytes(bytes(61_440))
        outcome = kerascnn_command("-q", "extract", photos, *LENET, "-o", disk / "f.npz")
        assert "the disk is full" in refused(outcome)
        assert [path.name for path in disk.iterdir()] == ["fill"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_cache_that_cannot_be_written(photos, tmp_path, kerascnn_command, monkeypatch):
    monkeypatch.setenv("KERASCNN_CACHE", "/dev/null/cache")
    sentence = refused(kerascnn_command("finetune", photos, *SHORT, "-o", tmp_path / "run"))
    assert "KERASCNN_CACHE names another place" in sentence


def test_predict_on_what_is_no_photo_or_no_run(photos, run, tmp_path, kerascnn_command):
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "empty").mkdir()
    photo = photos / "circle/000.png"
    for arguments, sentence in (
        ((run[0], tmp_path / "notes.txt"), f"Cannot read {tmp_path}/notes.txt as a photo: not an"),
        ((run[0], photo, tmp_path / "none.jpg"), "none.jpg: No such file or directory."),
        ((run[0], tmp_path / "empty"), "empty holds no photos."),
        ((run[0], "x" * 5000), "xxx: File name too long."),
        ((run[0],), "Missing argument 'photos"),
        ((tmp_path / "none", photo), "No model at "),
        ((photos, photo), "No model at "),
        ((tmp_path / "notes.txt", photo), "No model at "),
        ((run[0], photo, "--top", 0), "Invalid value for '--top'"),
    ):
        assert sentence in refused(kerascnn_command("predict", *arguments))


def test_evaluate_on_classes_it_does_not_know(photos, run, tmp_path, kerascnn_command):
    shutil.copytree(photos / "circle", tmp_path / "photos/ring")
    sentence = refused(kerascnn_command("evaluate", run[0], tmp_path / "photos"))
    assert "classes this model does not know: ring." in sentence


def test_unknown_command(kerascnn_command):
    assert refused(kerascnn_command("finetun")).startswith("No such command 'finetun'.")


def test_debug_shows_the_traceback(tmp_path, kerascnn_command):
    code, _, err = kerascnn_command("--debug", "check", tmp_path / "none")
    assert code == 2 and "Traceback (most recent call last)" in err
    assert err.splitlines()[-1] == f"kerascnn: There is no folder {tmp_path / 'none'}."


def test_a_defect_is_called_one(kerascnn_command, monkeypatch, photos):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("division by zero\nand more")

    monkeypatch.setattr("kerascnn.data.inspect_directory", broken, raising=False)
    code, _, err = kerascnn_command("check", photos)
    assert code == 1 and len(err.splitlines()) == 1
    assert "This is a defect of kerascnn: ZeroDivisionError: division by zero (" in err


# Stopping


def test_interrupt_ends_with_130_and_a_sentence(kerascnn_command, monkeypatch, photos, tmp_path):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("kerascnn.transfer._training.fit", interrupted)
    partial = (*LENET, "--strategy", "partial")
    code, out, err = kerascnn_command("finetune", photos, *partial, "-o", tmp_path / "run")
    assert (code, out) == (130, "")
    assert err.splitlines()[-1].startswith("kerascnn: Stopped. What was computed is in the cache")
    assert not any(tmp_path.glob("run*"))


@pytest.mark.slow
def test_control_c_in_the_middle_of_training(photos, tmp_path):
    options = (*LENET, "--strategy", "full", "--epochs", 9999)
    with process("finetune", photos, *options, "-o", tmp_path / "run") as command:
        assert any("epoch 2/9999" in line for line in iter(command.stderr.readline, ""))
        command.send_signal(signal.SIGINT)
        start = time.perf_counter()
        _, err = command.communicate(timeout=30)
    assert time.perf_counter() - start < 10
    assert command.returncode == 130, err
    assert "Traceback" not in err and "kerascnn: Stopped." in err.splitlines()[-1]
    assert "Finishing this step" in err and not (tmp_path / "run").exists()
    assert [path.name for path in (tmp_path / "run.partial").iterdir()] == ["checkpoints"]
