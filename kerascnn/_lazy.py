"""Packages whose names load on first use, so that importing one imports neither Keras nor more."""

import importlib
import sys

__all__ = ["lazy"]


def lazy(package, homes):
    """The `__getattr__` and `__dir__` of a package.

    Args:
        package: str, its `__name__`.
        homes: {public name: module of the package that defines it}.

    Returns:
        Two functions.

    >>> import kerascnn.data
    >>> "from_directory" in dir(kerascnn.data), kerascnn.data.Decoder.__module__
    (True, 'kerascnn.data.decode')
    """

    def __getattr__(name):
        if name in homes:
            return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*vars(sys.modules[package]), *homes})

    return __getattr__, __dir__
