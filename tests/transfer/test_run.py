"""The run folder: complete, enough to repeat the run, and good wherever it is moved."""

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import zipfile

import numpy as np
import pytest

import kerascnn
from kerascnn import InputError, data, doctor
from kerascnn.transfer import load_run
from tests.transfer.conftest import SHAPES, draw_photos, draw_shape, equal, tiny_network, tune

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FILES = {
    "model.keras", "labels.json", "config.json", "metrics.json", "manifest.csv", "history.csv",
    "predictions.csv", "report.json", "doctor.json", "report.html", "model_card.md",
}  # fmt: skip


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, shared_cache):
    """A folder of drawn photos and the run folder of a network trained on them."""
    root = tmp_path_factory.mktemp("folder")
    draw_photos(root / "photos", dict.fromkeys(SHAPES, 12))
    photos = data.from_directory(root / "photos", 32, resize="pad", progress=False)
    result = tune(photos, tiny_network(), "partial", output=root / "run")
    return root, result


def test_run_folder_is_complete(folder):
    root, result = folder
    assert {path.name for path in (root / "run").iterdir()} == FILES
    assert not list(root.glob("*.partial"))
    metrics = json.loads((root / "run/metrics.json").read_text("utf-8"))
    assert metrics == json.loads(json.dumps(result.metrics))
    assert 0 <= metrics["test_accuracy"] <= 1 and 0 <= metrics["validation_accuracy"] <= 1
    assert [row["name"] for row in metrics["per_class"]] == list(SHAPES)
    assert {"precision", "recall", "f1", "support"} <= metrics["per_class"][0].keys()
    assert {"build", "features", "probe", "partial", "test"} == metrics["seconds"].keys()
    assert all(seconds >= 0 for seconds in metrics["seconds"].values())


def test_the_doctors_findings_are_kept_and_shown(folder):
    root, result = folder
    found = json.loads((root / "run/doctor.json").read_text("utf-8"))
    assert found == result.diagnosis.as_dicts() == doctor.examine_run(root / "run").as_dicts()
    checks = {finding["check"] for finding in found}
    assert {"partial: update ratio", "partial: gap", "leak", "largest class"} <= checks
    # The network was never trained, and its batch normalisation is frozen.
    assert "partial: batch normalisation" in {x.check for x in result.diagnosis.problems}
    assert result.report()["diagnosis"] == found


def test_predictions_and_history_are_what_was_measured(folder):
    root, result = folder
    rows = table(root / "run/predictions.csv")
    assert [row["path"] for row in rows] == result.data.test.paths
    hits = [row["true"] == row["predicted"] for row in rows]
    assert np.mean(hits) == result.metrics["test_accuracy"]
    best = result.test_probabilities.max(axis=1)
    assert [float(row["probability"]) for row in rows] == pytest.approx(best.tolist(), abs=1e-6)
    rows = table(root / "run/history.csv")
    assert [(row["stage"], row["epoch"]) for row in rows] == [("partial", "1"), ("partial", "2")]
    assert [float(row["val_loss"]) for row in rows] == [row["val_loss"] for row in result.history]


def test_what_is_in_the_folder_repeats_the_run(folder, monkeypatch, tmp_path):
    root, result = folder
    monkeypatch.setenv("KERASCNN_CACHE", str(tmp_path / "other"))
    config = json.loads((root / "run/config.json").read_text("utf-8"))
    form = {key: config[key] for key in ("channels", "resize")}
    photos = data.from_directory(
        config["photos"], tuple(config["image_size"]), **form, manifest=root / "run", progress=False
    )
    for name in ("train", "validation", "test"):
        ours, theirs = getattr(photos, name), getattr(result.data, name)
        assert (ours.paths, ours.labels.tolist()) == (theirs.paths, theirs.labels.tolist())
    names = ["strategy", "epochs", "learning_rate", "views", "class_weight", "engine", "precision"]
    names.append("seed")
    again = tune(photos, tiny_network(), **{name: config[name] for name in names})
    assert equal(again.model, result.model)
    assert again.metrics["test_accuracy"] == result.metrics["test_accuracy"]
    assert again.config["weights_digest"] == config["weights_digest"]
    assert config["versions"]["kerascnn"] == kerascnn.__version__
    assert config["plan"]["strategy"] == "partial"


def test_saved_run_predicts_what_was_measured(folder):
    root, result = folder
    run = load_run(root / "run")
    assert run.class_names == list(SHAPES) and run.decoder.resize == "pad"
    files = [root / "photos" / path for path in result.data.test.paths]
    found = run.predict(files, batch_size=4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, result.test_probabilities, atol=1e-4)
    assert run.predict([]).shape == (0, 3)


def test_moved_run_and_model_alone_predict_the_same(folder, tmp_path):
    root, _ = folder
    photo = root / "photos/circle/000.png"
    expected = load_run(root / "run").predict([photo])
    shutil.copytree(root / "run", tmp_path / "elsewhere/moved")
    shutil.copy(root / "run/model.keras", tmp_path / "other name.keras")
    for path in (tmp_path / "elsewhere/moved", tmp_path / "other name.keras"):
        np.testing.assert_array_equal(load_run(path).predict([photo]), expected)


def test_predict_names_the_file_that_is_no_photo(folder, tmp_path):
    (tmp_path / "notes.txt").write_text("text")
    run = load_run(folder[0] / "run")
    with pytest.raises(InputError, match=r"Cannot read .*notes\.txt as a photo: not an image"):
        run.predict([folder[0] / "photos/circle/000.png", tmp_path / "notes.txt"])
    with pytest.raises(InputError, match=r"Cannot read .*none\.jpg: No such file"):
        run.predict([tmp_path / "none.jpg"])


# Evaluating


def test_predict_takes_paths_not_photos(folder):
    run, photo = load_run(folder[0] / "run"), folder[0] / "photos/circle/000.png"
    expected = run.predict([photo])
    for one in (photo, str(photo)):
        np.testing.assert_array_equal(run.predict(one), expected)
    for wrong in (run.decoder.read(photo)[None], [run.decoder.read(photo)], 3):
        with pytest.raises(InputError, match=r"Expected paths.*use run.model.predict\(images\)"):
            run.predict(wrong)
    with pytest.raises(InputError, match="path of a folder.*Received: ImageData."):
        run.evaluate(folder[1].data)


def test_evaluation_is_what_predict_says(folder):
    root, _ = folder
    run = load_run(root / "run")
    found = run.evaluate(root / "photos", progress=False)
    files = sorted((root / "photos").glob("*/*.png"))
    guess = run.predict(files).argmax(axis=1)
    truth = [list(SHAPES).index(file.parent.name) for file in files]
    (seen,) = found["findings"]
    listed = data.load_manifest(root / "run")
    assert found["num_photos"] == 36 and seen.action == "kept"
    assert set(seen.paths) == {photo.path for photo in listed if photo.split != "test"}
    assert found["accuracy"] == np.mean(guess == truth)
    assert [row["support"] for row in found["per_class"]] == [12, 12, 12]


def test_evaluation_of_some_classes(folder, tmp_path):
    root, _ = folder
    for names in (["square", "triangle"], ["triangle"]):
        for name in names:
            shutil.copytree(root / "photos" / name, tmp_path / "some" / name)
        found = load_run(root / "run").evaluate(tmp_path / "some", progress=False)
        support = {row["name"]: row["support"] for row in found["per_class"]}
        assert support == {name: 12 * (name in names) for name in SHAPES}
        shutil.rmtree(tmp_path / "some")


def test_evaluation_uses_the_test_folder(folder, tmp_path):
    root, _ = folder
    for split, name in (("train", "square"), ("train", "circle"), ("test", "circle")):
        shutil.copytree(root / "photos" / name, tmp_path / "all" / split / name)
    draw_shape("circle", 99).save(tmp_path / "all/test/circle/new.png")
    (tmp_path / "all/test/circle/broken.png").write_bytes(b"")
    found = load_run(root / "run").evaluate(tmp_path / "all", progress=False)
    assert found["num_photos"] == 13
    finding, seen = found["findings"]
    assert (finding.problem, finding.action, len(finding.paths)) == ("empty file", "skipped", 1)
    assert seen.problem.startswith("known to this run") and "test/circle/new.png" not in seen.paths


def test_evaluation_of_what_it_does_not_know(folder, tmp_path):
    run = load_run(folder[0] / "run")
    draw_photos(tmp_path / "photos", {"circle": 2})
    (tmp_path / "photos/circle").rename(tmp_path / "photos/ring")
    with pytest.raises(InputError, match=r"does not know: ring\. It knows: circle, square, tri"):
        run.evaluate(tmp_path / "photos", progress=False)
    with pytest.raises(InputError, match="There is no folder"):
        run.evaluate(tmp_path / "none", progress=False)
    (tmp_path / "bad/circle").mkdir(parents=True)
    (tmp_path / "bad/circle/a.png").write_text("no photo")
    with pytest.raises(InputError, match=r"None of the 1 files in .*bad is a usable photo"):
        run.evaluate(tmp_path / "bad", progress=False)
    draw_photos(tmp_path / "twice", {"circle": 1, "square": 1})
    photo = tmp_path / "twice/circle/000.png"
    shutil.copy(photo, tmp_path / "twice/square/000.png")
    with pytest.raises(InputError, match=r"None of the 2 files in .*twice is a usable photo"):
        run.evaluate(tmp_path / "twice", progress=False)


# Files that are none


def test_what_is_no_run_is_said(folder, tmp_path):
    whole = (folder[0] / "run/model.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.keras").write_text("a model, honestly")
    for name in ("cut.keras", "text.keras"):
        for opening in (load_run, kerascnn.load_model):
            with pytest.raises(
                InputError, match="is damaged or no model that Keras can open"
            ) as caught:
                opening(tmp_path / name)
            assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"No model at .*none"):
        load_run(tmp_path / "none")
    tiny_network().save(tmp_path / "plain.keras")
    with pytest.raises(InputError, match="holds no labels, so it was not made by"):
        load_run(tmp_path / "plain.keras")


def with_labels(source, target, **changes):
    """A copy of a model file with other labels."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name != "labels.json":
                new.writestr(name, old.read(name))
        new.writestr("labels.json", json.dumps(json.loads(old.read("labels.json")) | changes))
    return target


@pytest.mark.parametrize(
    "changes",
    [
        {"class_names": ["circle", "square"]},
        {"class_names": ["circle", "circle", "square"]},
        {"class_names": ["circle", "square", 3]},
        {"class_names": "abc"},
        {"class_names": None},
        {"image_size": [33, 32]},
        {"image_size": 32},
        {"image_size": [32]},
        {"image_size": None},
        {"channels": 1},
        {"channels": [3]},
        {"resize": "bend"},
        {"resize": None},
    ],
    ids=str,
)
def test_labels_that_do_not_fit_are_refused(folder, tmp_path, changes):
    path = with_labels(folder[0] / "run/model.keras", tmp_path / "a.keras", **changes)
    with pytest.raises(InputError, match=r"The labels in .*a\.keras are damaged or of another m"):
        load_run(path)


def test_weights_that_are_no_numbers_are_refused(folder, tmp_path):
    model = kerascnn.load_model(folder[0] / "run")
    kernel, *rest = model.get_weights()
    model.set_weights([np.full_like(kernel, np.nan), *rest])
    model.save(tmp_path / "diverged.keras")
    with zipfile.ZipFile(tmp_path / "diverged.keras", "a") as archive:
        archive.write(folder[0] / "run/labels.json", "labels.json")
    with pytest.raises(InputError, match=r"cannot predict: stage1_conv/kernel holds NaN"):
        load_run(tmp_path / "diverged.keras")


# Writing


def test_a_name_of_weights_is_no_path(partial, monkeypatch, tmp_path):
    """Whatever is called like it in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagenet").mkdir()
    (tmp_path / "mnist").touch()
    (tmp_path / "mine.h5").touch()
    for given, kept in (
        ("imagenet", "imagenet"), ("mnist", "mnist"), ("mine.h5", str(tmp_path / "mine.h5")),
        (None, None),
    ):  # fmt: skip
        result = dataclasses.replace(partial, config=partial.config | {"weights": given})
        assert result.settings()["weights"] == kept


def test_a_folder_that_holds_something_is_left_alone(partial, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="already exists and nothing in it was changed"):
        partial.save(tmp_path / "run")
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "mine.txt"]


def test_names_that_are_no_utf8_are_kept(tmp_path):
    """A file name is bytes; those of old archives are often Latin-1."""
    photos = draw_photos(tmp_path / "photos", {"circle": 5, "square": 5})
    blueberry, square = os.fsdecode(b"bl\xe5b\xe6r.png"), os.fsdecode(b"kv\xe6de")
    (photos / "circle/000.png").rename(photos / "circle" / blueberry)
    (photos / "square").rename(photos / square)
    read = data.from_directory(photos, 32, progress=False)
    tune(read, tiny_network(), "probe", output=tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert run.class_names == ["circle", square]
    assert len(run.predict([photos / "circle" / blueberry])) == 1
    again = data.from_directory(photos, 32, manifest=tmp_path / "run", progress=False)
    assert again.test.paths == read.test.paths


def mount_tmpfs(folder, size):
    """A file system of `size` bytes, or a skip that says why there is none."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system to fill up")
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")


@pytest.mark.parametrize("size", ["16k", "128k"])  # full with the model, and after it
def test_full_disk_leaves_nothing_half_written(partial, tmp_path, size):
    disk = tmp_path / "disk"
    mount_tmpfs(disk, size)
    try:
        with pytest.raises(InputError, match="the disk is full") as caught:
            partial.save(disk / "run")
        assert "\n" not in str(caught.value)
        assert not any(disk.iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_read_only_disk_is_said(partial, tmp_path):
    disk = tmp_path / "disk"
    mount_tmpfs(disk, "1m")
    try:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(InputError, match="the file system is read-only"):
            partial.save(disk / "run")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_model_and_labels_survive_a_round_trip(saved, partial):
    """Keras ignores the labels in its archive, and they do not break it."""
    model = kerascnn.load_model(saved)
    assert equal(model, partial.model)
    with zipfile.ZipFile(saved / "model.keras") as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {
            "metadata.json", "config.json", "model.weights.h5", "labels.json",
        }  # fmt: skip
