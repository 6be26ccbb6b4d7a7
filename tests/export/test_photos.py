"""Which photos are compared, which calibrate, and what is known of them."""

import shutil

import numpy as np
import pytest
from PIL import Image

from kerascnn import InputError, data
from kerascnn.export._photos import photos_for

ABOUT = {
    "class_names": ["circle", "square", "triangle"], "image_size": [32, 32], "channels": 3,
    "resize": "stretch",
}  # fmt: skip


def chosen(photos=None, run=None, size=32, **about):
    return photos_for(photos, run, ABOUT | about, (size, size, 3))


def test_a_run_compares_on_validation_and_calibrates_on_training(run, result):
    split = result.data.validation
    sample = chosen(run=run)
    np.testing.assert_array_equal(sample.images, split.images(range(split.num_photos)))
    np.testing.assert_array_equal(sample.truth, split.labels)
    assert len(sample.calibration) == result.data.train.num_photos == 96


def test_a_data_set_gives_the_same(run, result):
    of_data, of_run = chosen(result.data), chosen(run=run)
    np.testing.assert_array_equal(of_data.images, of_run.images)
    np.testing.assert_array_equal(of_data.truth, of_run.truth)
    assert of_data.calibration.shape == of_run.calibration.shape
    assert chosen(result.data, class_names=["square", "circle", "triangle"]).truth is None
    with pytest.raises(InputError, match=r"takes \(48, 48, 3\) photos, .* \(32, 32, 3\)"):
        chosen(result.data, size=48)


def test_a_run_whose_photos_have_gone_is_compared_on_noise(result, run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    text = (run / "config.json").read_text()
    (tmp_path / "run/config.json").write_text(text.replace("export", "gone"))
    sample = chosen(run=tmp_path / "run")
    assert sample.source.startswith("noise") and sample.truth is sample.calibration is None
    assert sample.images.std() > 70  # of all values


def test_of_a_folder_without_parts_every_other_photo_calibrates(photos):
    sample = chosen(photos)
    assert len(sample.images) == len(sample.calibration) == 60
    assert np.bincount(sample.truth).tolist() == [20, 20, 20]
    compared = {image.tobytes() for image in sample.images}
    assert not compared & {image.tobytes() for image in sample.calibration}


def test_photos_of_unknown_classes_are_only_compared(photos):
    assert chosen(photos, class_names=["cat", "dog", "bird"]).truth is None
    assert chosen(photos, class_names=None).truth is None
    loose = chosen(photos / "circle")
    assert loose.truth is None and loose.images.shape == (20, 32, 32, 3)


def test_a_photo_without_a_suffix(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a", "png")
    assert chosen(tmp_path).images.shape == (1, 32, 32, 3)


def test_many_photos_are_thinned_out_evenly():
    images = np.zeros((6000, 8, 8, 3), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(6000) % 250, np.arange(6000) // 250
    shades = data.from_arrays(images, np.arange(6000) % 2, splits=(0.5, 0.5, 0.0))
    sample = chosen(shades, size=8)
    assert len(sample.images) == 1000 and len(sample.calibration) == 200


def test_a_folder_without_photos(tmp_path):
    with pytest.raises(InputError, match="holds no photos"):
        chosen(tmp_path)
    (tmp_path / "a.jpg").write_text("no photo")
    with pytest.raises(InputError, match="None of the files in .* is a usable photo"):
        chosen(tmp_path)


def test_a_network_of_any_size_is_compared_at_224(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    sample = photos_for(tmp_path, None, ABOUT | {"image_size": None}, (None, None, 3))
    assert sample.images.shape == (1, 224, 224, 3)
