"""One process agrees with itself at once; several are in tests/distribute/test_launching.py."""

import pytest

from kerascnn.callbacks import _together
from kerascnn.callbacks._checkpoint import Checkpoint


@pytest.mark.parametrize("checkpoint", [None, Checkpoint(3, 0, {}, {})])
def test_alone_nothing_is_asked(checkpoint):
    assert _together.agree(checkpoint, "run/") is None
    assert _together.wait() is None
