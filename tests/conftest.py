"""Shared fixtures: real data where it is at hand, no network, quiet TensorFlow."""

import gc
import os
import socket
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Never the user's cache: one for what runs before a test, and each test gets its own.
_CACHE = tempfile.TemporaryDirectory(prefix="kerascnn-tests-")
os.environ["KERASCNN_CACHE"] = _CACHE.name

_DATA = Path(os.environ.get("KERASCNN_TEST_DATA") or Path(__file__).parents[2] / "shared")


def shared_data(name):
    """The path of real data or weights for tests, or a skip that says what is absent."""
    path = _DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not in ../shared nor in $KERASCNN_TEST_DATA")
    return path


def pytest_collection_finish():
    """Python's collector need not walk TensorFlow's million objects again and again."""
    import keras  # noqa: F401  (and its backend)

    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(autouse=True, scope="module")
def old_objects_aside():
    """Nor what the files before have left: every trial of a search collects garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(name="shared_data")
def shared_data_fixture():
    return shared_data


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """A test that reaches for the network fails."""

    def refuse(*args, **kwargs):
        raise OSError("the network is blocked in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KERASCNN_CACHE", str(tmp_path / "cache"))
