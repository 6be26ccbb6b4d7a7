"""A process of a search: it ends with its parent, and what it starts cannot read its pipe."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.search.test_workers import gone

PARENT = """
import time
from kerascnn.search import run_workers

def search():
    import os, sys
    print("member", os.getpid(), repr(sys.stdin.read()))
    time.sleep(600)

run_workers(search, 1)
"""


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_no_member_outlives_its_parent(how):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env={**os.environ, "KERAS_BACKEND": "numpy"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with parent:
        members = [parent.stderr.readline().split() for _ in range(2)]
        assert {(word, read) for word, _, read in members} == {("member", "''")}
        time.sleep(0.1)
        parent.send_signal(how)
        assert all(gone(int(pid)) for _, pid, _ in members)
