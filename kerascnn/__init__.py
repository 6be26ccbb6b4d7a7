"""kerascnn: convolutional image networks and transfer learning for Keras 3.

Subpackages load on first use, so that `import kerascnn` imports neither Keras nor TensorFlow.

>>> import kerascnn as kc
>>> kc.models.LeNet5().count_params()
60850
"""

import importlib

from kerascnn._errors import InputError

__version__ = "0.1.0"

_SUBPACKAGES = (
    "arithmetic",
    "constraints",
    "data",
    "initializers",
    "layers",
    "losses",
    "models",
    "overview",
    "report",
    "transfer",
    "visualize",
    "weights",
)

__all__ = ["InputError", "load_model", *_SUBPACKAGES]


def __getattr__(name):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"kerascnn.{name}")
    raise AttributeError(f"module 'kerascnn' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_SUBPACKAGES])


def load_model(path, **kwargs):
    """Load a `.keras` file that may hold layers, losses or initialisers of kerascnn.

    `keras.models.load_model` with everything of kerascnn registered first. A model without any of
    them (every fine-tuned `keras.applications` backbone) opens with plain Keras as well.

    Args:
        path: str or path. A `.keras` file, or a run folder that holds `model.keras`.
        **kwargs: passed to `keras.models.load_model`.

    Returns:
        A `keras.Model`.

    Raises:
        InputError: there is no such file.

    >>> import os, tempfile
    >>> import kerascnn as kc
    >>> path = os.path.join(tempfile.mkdtemp(), "lenet.keras")
    >>> kc.models.LeNet5().save(path)
    >>> kc.load_model(path).name
    'lenet5'
    """
    from pathlib import Path

    path = Path(path)
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        raise InputError(f"No model at {path}. Pass a .keras file or a folder that holds one.")
    import keras

    import kerascnn.constraints
    import kerascnn.initializers
    import kerascnn.layers
    import kerascnn.losses  # noqa: F401  (importing registers)

    return keras.models.load_model(path, **kwargs)
