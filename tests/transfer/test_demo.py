"""The demo: real digits, labelled ones few and apart from the test digits, transfer gains."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import kerascnn as kc
from kerascnn.transfer.demo import digit_data, run_demo
from tests.browser import assert_fine_on_a_phone


def test_ten_labelled_digits_a_class_and_all_others_for_the_test():
    data = digit_data(0)
    assert np.bincount(data.train.labels).tolist() == [10] * 10
    assert data.train.num_photos + data.test.num_photos == len(load_digits().target) == 1797
    assert not set(data.train.digests) & set(data.test.digests)
    assert data.validation.num_photos == 0


def test_digits_stand_as_mnist_has_them():
    images = digit_data(0).train.images(range(100))
    assert images.shape == (100, 32, 32, 1)
    assert images[:, 6:26, 6:26].max() > 200
    assert images[:, :6].max() == images[:, 26:].max() == images[:, :, :6].max() == 0


def test_other_seeds_draw_other_digits():
    assert set(digit_data(0).train.digests) != set(digit_data(1).train.digests)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "run"
    return run_demo(folder, seeds=[0], verbose=False), folder


def test_transfer_gains_over_the_start_from_scratch(demo):
    ways = demo[0]["accuracies"]
    assert set(ways) == {"from scratch", "features + linear", "fine-tuned"}
    assert ways["features + linear"][0] > ways["from scratch"][0] + 0.05
    assert ways["fine-tuned"][0] > ways["from scratch"][0] + 0.05


def test_the_report_shows_the_table(demo):
    result, folder = demo
    page = (folder / "report.html").read_text("utf-8")
    for row in result["rows"]:
        assert all(cell in page for cell in row)
    assert "scikit-learn digits: 10 classes" in page.partition("</h1>")[0]


def test_the_report_on_a_phone(demo):
    assert_fine_on_a_phone((demo[1] / "report.html").read_text("utf-8"))


def test_the_run_folder_classifies_digits(demo, tmp_path):
    from PIL import Image

    data = digit_data(0)
    file = tmp_path / "digit.png"
    Image.fromarray(data.test.images([0])[0, ..., 0]).save(file)
    guess = kc.transfer.load_run(demo[1]).predict([file])
    assert guess.argmax() == data.test.labels[0]
