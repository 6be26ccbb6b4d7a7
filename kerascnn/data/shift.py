"""Whether two splits have the same shares of classes."""

import numpy as np
from scipy.stats import chi2_contingency

from kerascnn._errors import InputError, in_order

__all__ = ["class_shift"]


def class_shift(first, second):
    """How far the class shares of two splits differ, and how probable that is by chance.

    Pearson's chi-square test of homogeneity, without continuity correction; classes that neither
    split has are left out. With fewer than about five photos in a cell the p-value is rough.

    Args:
        first, second: int sequences (K,), photos of each class in the two splits, or dicts
            {class: photos} with the keys 0 to K - 1.

    Returns:
        Dict of "total_variation" (float in [0, 1], half the sum of the differences of the shares),
        "chi2" (float >= 0) and "p_value" (float in [0, 1]; 1 where nothing can differ).

    Raises:
        InputError: the lengths differ, a count is negative, or a split is empty.

    >>> class_shift([10, 10], [20, 20])
    {'total_variation': 0.0, 'chi2': 0.0, 'p_value': 1.0}
    >>> round(class_shift([30, 10], [10, 30])["total_variation"], 2)
    0.5
    """
    table = [in_order(first, "first"), in_order(second, "second")]
    if len(table[0]) != len(table[1]) or min(min(row, default=0) for row in table) < 0:
        raise InputError(f"Expected two rows of as many counts >= 0. Received: {table}.")
    table = np.array(table)
    if not table.sum(axis=1).all():
        raise InputError("Both splits must have photos. Received: a split of none.")
    shares = table / table.sum(axis=1, keepdims=True)
    table = table[:, table.any(axis=0)]
    chi2, p_value = chi2_contingency(table, correction=False)[:2] if table.shape[1] > 1 else (0, 1)
    return {
        "total_variation": float(np.abs(shares[0] - shares[1]).sum() / 2),
        "chi2": float(chi2),
        "p_value": float(p_value),
    }
