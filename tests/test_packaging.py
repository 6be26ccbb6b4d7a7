"""What is installed: kerascnn alone, with its weights and templates; versions agree."""

import configparser
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import kerascnn as kc

ROOT = Path(__file__).parents[1]


def test_wheel_holds_the_package_and_its_data_and_nothing_else(tmp_path):
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
    ]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"kerascnn"}
    tracked = subprocess.run(
        ["git", "ls-files", "kerascnn"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(tracked) <= set(names)
    assert f"kerascnn-{kc.__version__}" in wheel.name


def test_constraints_pin_every_dependency_within_its_range():
    from packaging.requirements import Requirement

    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = config["options"]["install_requires"].split("\n")
    listed += config["options.extras_require"]["test"].split("\n")
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    for text in filter(None, listed):
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[requirement.name.lower().replace("_", "-")]), (
            text
        )


def test_ci_runs_the_command_of_the_readme():
    command = (ROOT / ".ci" / "run").read_text().strip().splitlines()[-1]
    assert command == "make test"
    assert command in (ROOT / "README.md").read_text()
