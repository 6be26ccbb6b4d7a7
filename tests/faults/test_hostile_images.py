"""Images that trouble decoders: each is decoded to the right pixels, or named with the reason."""

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerascnn.data import Decoder
from tests.faults.corruption import outcome
from tests.faults.hostile_images import files

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
SECONDS, MEGABYTES = 60, 1500  # of processor and memory, for all of them
REASONS = ("empty file", "not an image", "damaged", "huge")
ENDINGS = [".jpg", ".png", "", ".JPEG", "\n.jpg", "'\".gif", "<b>.png", os.fsdecode(b"\xe5.jpg")]


def fits(kind, value, expected):
    """Whether a file became what it should."""
    if expected is None:
        return kind == "loaded" or value.startswith(REASONS)
    if isinstance(expected, tuple):
        return any(fits(kind, value, each) for each in expected)
    if isinstance(expected, str):
        return kind == "refused" and value.startswith(expected or REASONS)
    return kind == "loaded" and np.abs(value.astype(int) - expected).max() <= 1


def test_each_image_is_decoded_rightly_or_refused_for_the_right_reason():
    assert len(files()) >= 300
    wrong, seen = [], collections.Counter()
    for name, (data, expected) in files().items():
        decoder = Decoder(8) if isinstance(expected, int) else Decoder()
        kind, value = outcome(decoder, data)
        seen[kind if kind == "loaded" else value.split(":")[0]] += 1
        if not fits(kind, value, expected):
            wrong.append((name, value if kind == "refused" else value.shape))
    assert not wrong
    assert set(seen) == {"loaded", *REASONS} and min(seen.values()) >= 5


@pytest.fixture
def folder(tmp_path):
    """All of them in two class folders, under names that trouble file systems and pages."""
    for i, (name, (data, _)) in enumerate(files().items()):
        path = tmp_path / "photos" / "ab"[i % 2] / f"{i} {name}{ENDINGS[i % len(ENDINGS)]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "photos"


def check(folder):
    """What `kerascnn check` prints, and the most memory it took, in MB."""
    code = f"""
import re, resource, sys, kerascnn.cli
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
sys.argv = ["kerascnn", "check", {str(folder)!r}, "--image-size", "32", "--json"]
try:
    kerascnn.cli.main()
finally:
    most = re.search("VmHWM: *\\t* *([0-9]+) kB", open("/proc/self/status").read())[1]
    print(int(most) // 1024, file=sys.stderr)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, int(done.stderr.splitlines()[-1])


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc: another system than Linux")
def test_check_names_every_bad_file_and_takes_little(folder):
    out, megabytes = check(folder)
    found = json.loads(out)
    skipped = [f for f in found["findings"] if f["action"] == "skipped"]
    named = sum(len(f["paths"]) for f in skipped)
    used = sum(n for split in found["counts"].values() for n in split.values())
    assert named + used == len(files())
    assert {f["problem"] for f in skipped} >= set(REASONS)
    assert megabytes < MEGABYTES
    again, _ = check(folder)
    assert again == out  # what is remembered is what was seen
