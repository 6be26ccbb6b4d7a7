"""Joining the others; real processes are in test_launching.py."""

import pytest

import kerascnn as kc
from kerascnn import InputError
from kerascnn._runs import WORKER, WORKERS


def test_alone_it_does_nothing():
    kc.distribute.start()
    assert (kc.distribute.worker(), kc.distribute.num_workers()) == (0, 1)


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setenv(WORKER, "1")
    monkeypatch.setenv(WORKERS, "2")
    assert (kc.distribute.worker(), kc.distribute.num_workers()) == (1, 2)
    with pytest.raises(InputError, match="the script chose 'tensorflow'. Leave KERAS_BACKEND"):
        kc.distribute.start()
