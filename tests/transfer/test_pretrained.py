"""What is computed from a network is computed once."""

import numpy as np
import pytest

from kerascnn import _graph
from kerascnn.transfer import _pretrained, fit_probe
from kerascnn.transfer._pretrained import Pretrained
from tests.transfer.conftest import tiny_network

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def pretrained(shapes):
    return Pretrained(tiny_network(), shapes, engine="keras")


def test_weights_are_read_once_and_photos_too(pretrained, shapes, monkeypatch):
    first = pretrained.extract("train", [None], ["avg"], views=2)[None]
    assert first.num_computed == 96
    calls = []
    monkeypatch.setattr(_graph, "weights_digest", calls.append)
    monkeypatch.setattr(shapes.train, "images", calls.append)
    again = pretrained.extract("train", [None], ["avg"], views=2)[None]
    assert again is first and calls == []
    assert pretrained.engines == {"keras"}


def test_a_classifier_is_fitted_once_for_each_number_of_views(pretrained, shapes, monkeypatch):
    held = pretrained.extract("validation", [None], ["avg"])[None]
    views = [pretrained.extract("train", [None], ["avg"], views=n)[None] for n in (1, 2)]
    fitted = []

    def counted(*args):
        fitted.append(len(args[0]))
        return fit_probe(*args)

    monkeypatch.setattr(_pretrained, "fit_probe", counted)
    probes = [pretrained.probe(None, views[n], held, None) for n in (0, 1, 0, 1)]
    assert probes[0] is probes[2] and probes[1] is probes[3] and fitted == [48, 96]
    labels = np.tile(shapes.train.labels, 2)
    other = fit_probe(views[1], labels, (held, shapes.validation.labels), 3)
    np.testing.assert_array_equal(probes[1].kernel, other.kernel)


def test_its_boundaries_are_before_the_last_stages(pretrained):
    assert pretrained.boundaries == ["stage2_relu", "stage1_relu"]
