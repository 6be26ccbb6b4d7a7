"""The process in which damaged files are opened."""

import pytest

from tests.faults.corruption import Elsewhere


@pytest.fixture(scope="session")
def elsewhere():
    process = Elsewhere()
    yield process
    process.close()
