"""kerascnn: convolutional image networks and transfer learning for Keras 3.

Subpackages load on first use, so that `import kerascnn` imports neither Keras nor TensorFlow.
It tells both backends to take a GPU's memory as they need it, not all at once; set the variables
TF_FORCE_GPU_ALLOW_GROWTH and XLA_PYTHON_CLIENT_PREALLOCATE yourself for something else.

>>> import kerascnn as kc
>>> kc.models.LeNet5().count_params()
60850
"""

import importlib
import os

from kerascnn._errors import InputError, NonFiniteError

# Read when a backend starts its GPUs, so it is in time even after `import tensorflow`.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

__version__ = "0.1.0"

_SUBPACKAGES = (
    "arithmetic",
    "augment",
    "callbacks",
    "compute",
    "constraints",
    "data",
    "distribute",
    "doctor",
    "ensembles",
    "export",
    "initializers",
    "layers",
    "losses",
    "lottery",
    "metrics",
    "models",
    "optimizers",
    "overview",
    "regularizers",
    "report",
    "schedules",
    "search",
    "tasks",
    "transfer",
    "visualize",
    "weights",
)

_FUNCTIONS = {
    "fuse_batch_norm": "compute.batch_norm",
    "releasable": "_steps",
    "reproducible": "_random",
    "tune_compute": "compute.tune",
}

__all__ = ["InputError", "NonFiniteError", "load_model", *_FUNCTIONS, *_SUBPACKAGES]


def __getattr__(name):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"kerascnn.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"kerascnn.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module 'kerascnn' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})


def load_model(path, custom_objects=None, compile=True):
    """Load a `.keras` file that may hold layers, losses or initialisers of kerascnn.

    `keras.models.load_model` in safe mode, with everything of kerascnn registered first. The file
    is looked through before: damage, archives that expand without end, `Lambda` layers and calls
    of functions that no model needs are refused. What remains: a file made to harm can ask for
    layers larger than the memory. A model without anything of kerascnn (every fine-tuned
    `keras.applications` backbone) opens with plain Keras as well.

    Args:
        path: str or path. A `.keras` file, or a run folder that holds `model.keras`.
        custom_objects: {name: class or function} of your own, or None.
        compile: bool. Whether the model is compiled as it was.

    Returns:
        A `keras.Model`.

    Raises:
        InputError: there is no such file, it is damaged, of another format, or not safe to open.

    >>> import os, tempfile
    >>> import kerascnn as kc
    >>> path = os.path.join(tempfile.mkdtemp(), "lenet.keras")
    >>> kc.models.LeNet5().save(path)
    >>> kc.load_model(path).name
    'lenet5'
    """
    from kerascnn import _archive

    path = _archive.model_file(path)
    _archive.check(path)
    import keras

    import kerascnn.augment
    import kerascnn.constraints
    import kerascnn.initializers
    import kerascnn.layers
    import kerascnn.losses
    import kerascnn.metrics
    import kerascnn.optimizers
    import kerascnn.regularizers
    import kerascnn.schedules  # noqa: F401  (importing registers)

    try:
        model = keras.models.load_model(path, custom_objects, compile, safe_mode=True)
    except Exception as error:  # Keras raises almost anything about a file that does not fit
        raise _archive.damaged(path, error) from error
    if not isinstance(model, keras.Model):
        raise _archive.damaged(path, f"it holds a {type(model).__name__}")
    return model
