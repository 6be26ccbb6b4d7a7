"""Weight constraints in plain NumPy loops, written from the papers' text."""

import numpy as np


def renormalise(kernel, radius):
    """Zeiler and Fergus 2013, Sec. 3: each filter beyond the radius is set to the radius."""
    result = kernel.copy()
    for f in range(kernel.shape[-1]):
        rms = np.sqrt((kernel[..., f] ** 2).mean())
        if rms > radius:
            result[..., f] = kernel[..., f] / rms * radius
    return result
