"""What all tests of searches share."""

import gc

import pytest


@pytest.fixture(autouse=True, scope="module")
def old_objects_aside():
    """Every trial collects garbage, and need not look through what other tests have left."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
