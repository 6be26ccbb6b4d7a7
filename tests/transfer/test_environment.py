"""Packages and machine are those that are there."""

import json
import os

import keras
import sklearn

from kerascnn.transfer._environment import machine, versions


def test_versions_are_those_installed():
    found = versions()
    assert (found["keras"], found["scikit-learn"]) == (keras.__version__, sklearn.__version__)
    assert found["backend"] == keras.backend.backend()
    json.dumps(found)


def test_machine_is_named():
    found = machine()
    assert found["cores"] == os.cpu_count() and "cpu" in found["devices"]
    assert all(found.values())
    json.dumps(found)
