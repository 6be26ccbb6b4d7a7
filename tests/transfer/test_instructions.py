"""The lines that a report shows do what they say: they are run."""

import io
import shlex
from contextlib import redirect_stdout

import keras
import pytest

from kerascnn import cli, data
from kerascnn.transfer import finetune
from kerascnn.transfer._instructions import asked, start, use
from kerascnn.transfer._record import read_record
from tests.transfer.conftest import SHAPES, draw_photos
from tests.transfer.test_run import table

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, shared_cache):
    """A run of a named backbone on photos in a folder whose name needs quotes."""
    root = tmp_path_factory.mktemp("my runs")
    draw_photos(root / "photos", dict.fromkeys(SHAPES, 12))
    photos = data.from_directory(root / "photos", 32, channels=1, progress=False)
    options = {"weights": "mnist", "epochs": 3, "engine": "keras", "verbose": False}
    finetune(photos, "LeNet5", "probe", output=root / "a run", **options)
    return root / "a run"


def words(line):
    """As a shell reads them."""
    return shlex.split(line.replace("\\\n", ""))


def test_what_was_asked(folder):
    found = asked(read_record(folder), folder)
    text = " ".join(found["sentences"])
    assert "Tell 3 classes apart: circle, square, triangle." in text
    assert "LeNet5 with the weights mnist, on grey photos of 32 x 32 pixels (stretch)" in text
    assert "strategy probe; at most 3 epochs a stage, learning rate up to 0.0003, seed 0" in text
    assert words(found["command"]) == [
        "kerascnn", "finetune", str(folder.with_name("photos")), "--backbone", "LeNet5",
        "--strategy", "probe", "--epochs", "3", "--engine", "keras",
        "--manifest", str(folder), "--output", str(folder),
    ]  # fmt: skip
    older = read_record(folder)
    older.splits = None  # without a manifest
    assert "--manifest" not in asked(older, folder)["command"]


@pytest.fixture
def command_line(monkeypatch, capsys):
    """Runs a pasted line in this process; returns what it prints."""

    def run(text):
        monkeypatch.setattr("sys.argv", words(text))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        return capsys.readouterr().out

    return run


def parts(folder):
    return {part["title"]: part["code"] for part in use(read_record(folder), folder)}


def test_the_commands_work(folder, monkeypatch, command_line):
    """As they are pasted, with photos that are there."""
    monkeypatch.chdir(folder.with_name("photos"))
    predict, evaluate, export = parts(folder)["Classify photos"].splitlines()
    said = command_line(predict.replace("photo.jpg", "circle/000.png"))
    assert "circle/000.png" in said
    assert "36 photos" in command_line(evaluate.replace("labelled_photos/", "."))
    assert "same class for 100.0%" in command_line(export)


def test_training_goes_on_with_the_same_photos(folder, command_line):
    command_line(parts(folder)["Train more"].replace("--epochs 3", "--epochs 1"))
    more = folder.with_name("a run-more")
    assert read_record(more).metrics["strategy"] == "partial"
    assert table(more / "manifest.csv") == table(folder / "manifest.csv")


def test_the_python_works(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    photo = folder.with_name("photos") / "square/001.png"
    code = parts(folder)["The same in Python"].replace("photo.jpg", str(photo))
    with redirect_stdout(io.StringIO()) as said:
        exec(code, {})
    assert said.getvalue().strip() in SHAPES
    before = keras.models.load_model(folder / "model.keras").get_weights()
    code = parts(folder)["Train on in Python"].replace("epochs=3", "epochs=1, verbose=0")
    with redirect_stdout(io.StringIO()):
        exec(code, {})
    after = keras.models.load_model("further.keras").get_weights()
    assert any((a != b).any() for a, b in zip(before, after))


def test_what_no_command_says_has_none(saved):
    """Photos from arrays and a network that was passed: only what works is shown."""
    record = read_record(saved)
    assert asked(record, saved)["command"] is None
    assert set(parts(saved)) == {"Classify photos", "The same in Python"}
    assert start(record.config) == "tiny with its own weights"
    assert start({"backbone": "LeNet5", "weights": None}) == "LeNet5 with random weights"


@pytest.mark.parametrize(
    "changes",
    [{"views": 2}, {"class_weight": None}, {"image_size": [32, 40]}, {"channels": 3}],
    ids=str,
)
def test_what_has_no_option_has_no_command(folder, changes):
    record = read_record(folder)
    record.config |= changes
    assert asked(record, folder)["command"] is None
    assert "Train more" not in {part["title"] for part in use(record, folder)}


def test_after_the_strongest_strategy_come_more_epochs(folder):
    record = read_record(folder)
    record.metrics["strategy"] = "full"
    (command,) = (p["code"] for p in use(record, folder) if p["title"] == "Train more")
    assert " --strategy full --epochs 6 --engine keras --manifest " in " ".join(words(command))
