"""An .npz file written part by part, so that its arrays need not fit into memory."""

import math
import zipfile

import numpy as np

_PART_BYTES = 4_000_000


def write_npz(file, arrays):
    """What `numpy.savez` writes, a few megabytes at a time.

    Args:
        file: binary file that is open for writing.
        arrays: dict name -> array (N, ...), or what can be sliced like one, e.g. `Features`.

    >>> import io
    >>> file = io.BytesIO()
    >>> write_npz(file, {"features": np.eye(2)})
    >>> _ = file.seek(0)
    >>> np.load(file)["features"].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                _write(entry, array)


def _write(file, array):
    dtype = np.dtype(array.dtype)
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": tuple(array.shape),
    }
    np.lib.format.write_array_header_1_0(file, header)
    row_bytes = dtype.itemsize * math.prod(array.shape[1:])
    step = max(1, _PART_BYTES // max(1, row_bytes))
    for start in range(0, len(array), step):
        file.write(array[start : start + step].tobytes())
