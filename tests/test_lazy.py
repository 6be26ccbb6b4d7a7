"""Names of a package that load on first use."""

import sys

import pytest

from kerascnn._lazy import lazy

FILES = {"__init__.py": "shown = 1", "first.py": "word = 'one'", "second.py": "raise OSError"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "a_lazy_package"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    import a_lazy_package

    yield a_lazy_package
    for name in [name for name in sys.modules if name.startswith("a_lazy_package")]:
        del sys.modules[name]


def test_only_the_module_of_the_name_is_imported(package):
    attribute, _ = lazy("a_lazy_package", {"word": "first", "other": "second"})
    assert "a_lazy_package.first" not in sys.modules
    assert attribute("word") == "one"
    assert "a_lazy_package.second" not in sys.modules


def test_what_it_shows_and_what_it_lacks(package):
    attribute, names = lazy("a_lazy_package", {"word": "first"})
    assert {"shown", "word"} <= set(names())
    with pytest.raises(AttributeError, match="'a_lazy_package' has no attribute 'nonsense'"):
        attribute("nonsense")
