"""Each source file has its test file, in the same place."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
# Tested through another file's tests: entry points and what only gathers names.
ELSEWHERE = {
    "kerascnn/__main__.py": "tests/test_cli.py",
    "kerascnn/report/_format.py": "tests/report/test_report.py",
    "kerascnn/report/_render.py": "tests/report/test_report.py",
    "kerascnn/report/_sections.py": "tests/report/test_report.py",
}


def partner(source):
    name = source.relative_to(ROOT / "kerascnn").as_posix()
    if name.startswith("cli/"):  # a command is tested as it is typed
        return ROOT / "tests/test_cli.py"
    if f"kerascnn/{name}" in ELSEWHERE:
        return ROOT / ELSEWHERE[f"kerascnn/{name}"]
    path = Path(name)
    return ROOT / "tests" / path.parent / f"test_{path.name.lstrip('_')}"


def test_every_source_file_has_its_test_file():
    sources = [p for p in (ROOT / "kerascnn").rglob("*.py") if p.name != "__init__.py"]
    missing = [str(s.relative_to(ROOT)) for s in sources if not partner(s).exists()]
    assert not missing
    assert len(sources) > 20
