"""Features as points in the plane."""

import numpy as np

from kerascnn._errors import InputError, one_of

__all__ = ["embed"]

_DIMENSIONS = 50  # t-SNE reads at most so many principal components, as its authors do


def embed(features, method="pca", *, seed=0):
    """Place the rows of a feature matrix in the plane, so that similar ones are close.

    | method | keeps | what it shows |
    |---|---|---|
    | "pca" | the two directions of largest variance | distances and directions mean something |
    | "tsne" | who is next to whom | groups; their sizes and distances mean nothing |

    The figure of DeCAF: features of an early layer do not separate the classes, those of `fc6` do,
    even classes that the network was not trained on. Draw it with `plot_embedding`.

    Source: Donahue et al. 2014, arXiv:1310.1531, Fig. 1; van der Maaten and Hinton 2008 for t-SNE,
    by scikit-learn: perplexity 30, or (N - 1) / 3 if that is less, start from the principal
    components, of which it reads at most 50.

    Args:
        features: array (N, ...), N >= 3; all but the first axis are taken as one.
        method: "pca" or "tsne".
        seed: int. Decides t-SNE's draws, and PCA's for large matrices.

    Returns:
        float32 (N, 2). The signs of principal components are scikit-learn's.

    Raises:
        InputError: there are fewer than 3 rows, or values that are not finite.

    >>> corners = np.repeat(np.eye(3), 5, axis=0)
    >>> embed(corners).shape
    (15, 2)
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    one_of(method, ("pca", "tsne"), "method")
    rows = np.asarray(features, "float32")
    rows = rows.reshape(len(rows), -1) if rows.ndim > 1 else rows
    if rows.ndim < 2 or len(rows) < 3 or rows.shape[1] < 2 or not np.isfinite(rows).all():
        raise InputError(
            "Features to embed are finite numbers of shape (N, d), N >= 3 and d >= 2. "
            f"Received: shape {rows.shape}{'' if np.isfinite(rows).all() else ', not all finite'}."
        )
    dimensions = 2 if method == "pca" else min(_DIMENSIONS, *rows.shape)
    points = PCA(dimensions, random_state=seed).fit_transform(rows)
    if method == "tsne":
        perplexity = min(30.0, (len(rows) - 1) / 3)
        points = TSNE(perplexity=perplexity, random_state=seed).fit_transform(points)
    return points.astype("float32")
