"""A run on drawn photos, which stay where they are."""

import pytest

from kerascnn import data
from tests.transfer.conftest import SHAPES, draw_photos, tiny_network, tune


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("export") / "photos", dict.fromkeys(SHAPES, 40))


@pytest.fixture(scope="session")
def result(photos, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASCNN_CACHE", str(tmp_path_factory.mktemp("cache")))
        drawn = data.from_directory(photos, 32, progress=False, group_similar=False)
        yield tune(drawn, tiny_network(), "partial", epochs=4)


@pytest.fixture(scope="session")
def run(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    result.save(folder)
    return folder
