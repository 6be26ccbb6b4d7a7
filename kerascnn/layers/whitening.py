"""PCA and ZCA whitening of whole images."""

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError, one_of, whole
from kerascnn._streaming import blocks, moments
from kerascnn.layers._fitted import Fitted

__all__ = ["Whitening"]

_ROWS = 1024  # images in one product; with fewer the memory's bandwidth is the limit
_MATRICES = 6  # of values x values in float64, that adapt holds at its peak
_MOST_BYTES = 8e9


@keras.saving.register_keras_serializable(package="kerascnn")
class Whitening(Fitted):
    """Removes the correlations between all values of an image, and gives them equal variance.

    With the training images flattened to rows, their mean m and their covariance V diag(v) V^T:

        PCA: y = diag(1 / sqrt(v + e)) V^T (x - m), components by falling variance
        ZCA: y = V diag(1 / sqrt(v + e)) V^T (x - m), the whitening that stays closest to the image

    where e = epsilon * mean(v), so that images of 0-255 and of 0-1 give the same. Call
    `adapt(data)` once, with the training images: the covariance is accumulated in one pass in
    float64, and divided by N - 1. It is meant for small images: those of 32x32x3 need 0.5 GB to fit
    and 38 MB in the model. The sign of a component is chosen so that its largest weight is
    positive.

    Source: Bell and Sejnowski 1997, Vision Research 37(23) (ZCA); Krizhevsky 2009, "Learning
    Multiple Layers of Features from Tiny Images", App. A. Differs: epsilon is relative, not in
    units of the data. The default is that of pylearn2, with which maxout networks were trained on
    CIFAR-10 (Goodfellow et al. 2013, arXiv:1302.4389): 0.1 after a contrast
    normalisation to a norm of 55, which is a mean variance of about 1 in images of 32x32x3.

    Args:
        method: "zca" or "pca".
        epsilon: float >= 0. Smaller values whiten more and amplify the noise of the weakest
            components more; 0 needs more images than values, none of them constant.
        num_components: int >= 1, the first components that "pca" keeps, or None for all.

    Input shape:
        (N, H, W, C) as in `adapt`, int or float, of the training images' scale. Called eagerly, it
        warns of another one; for `fit`, `evaluate` and `predict` see `check_value_range`.

    Output shape:
        "zca": the same. "pca": (N, num_components). Float, computed in float32 under any dtype
        policy.

    Raises:
        InputError: an argument is out of its range, fitting would take more than 8 GB, `adapt` got
            fewer than two images or ones without variance, or it was not called; within compiled
            code the output is NaN then.

    >>> images = np.random.default_rng(0).uniform(0, 255, (99, 2, 2, 1))
    >>> layer = Whitening("pca", epsilon=0)
    >>> layer.adapt(images)
    >>> bool(abs(np.cov(np.asarray(layer(images)).T) - np.eye(4)).max() < 1e-4)
    True
    """

    def __init__(self, method="zca", epsilon=0.1, num_components=None, **kwargs):
        super().__init__(**kwargs)
        self.method = one_of(method, ("zca", "pca"), "method")
        if not epsilon >= 0:
            raise InputError(f"`epsilon` must be at least 0. Received: {epsilon}.")
        if num_components is not None and method != "pca":
            raise InputError(f"`num_components` is for 'pca' only. Received: method={method!r}.")
        if num_components is not None:
            num_components = whole(num_components, "num_components", 1)
        self.epsilon = epsilon
        self.num_components = num_components

    def build(self, input_shape):
        values = _affordable(input_shape)
        components = self.num_components or values
        if components > values:
            raise InputError(
                f"Images {tuple(input_shape[1:])} have {values} components. "
                f"Received: num_components={components}."
            )
        super().build(input_shape)
        self.mean = self.constant("mean", (values,))
        self.matrix = self.constant("matrix", (values, components))
        self.input_spec = keras.InputSpec(shape=(None, *input_shape[1:]))

    def statistics(self, batches):
        count, mean, scatter = moments(blocks(batches, _ROWS), lambda rows: rows.T @ rows)
        if count < 2 or not scatter.any():
            raise InputError(
                f"{self.name!r} needs images that differ. Received: {count}, without variance."
            )
        variances, vectors = np.linalg.eigh(scatter / (count - 1))
        variances, vectors = np.maximum(variances[::-1], 0), vectors[:, ::-1]
        kept = slice(self.num_components)
        total = variances[kept] + self.epsilon * variances.mean()
        if total[-1] <= variances[0] * len(variances) * np.finfo(np.float64).eps:
            raise InputError(
                f"{self.name!r} with epsilon={self.epsilon} divides by 0: some component of these "
                f"{count} images is constant. Pass an epsilon such as 0.01."
            )
        return {"mean": mean, "matrix": self._matrix(vectors[:, kept], total)}

    def _matrix(self, vectors, variances):
        if self.method == "zca":
            roots = vectors / variances**0.25
            return roots @ roots.T  # symmetric to the bit
        largest = np.take_along_axis(vectors, abs(vectors).argmax(axis=0)[None], axis=0)
        return vectors * np.sign(largest) / np.sqrt(variances)

    def transform(self, x):
        rows = ops.reshape(x, (-1, self.mean.shape[0]))
        y = ops.matmul(rows - self.mean, self.matrix)
        return y if self.method == "pca" else ops.reshape(y, ops.shape(x))

    def compute_output_shape(self, input_shape):
        if self.method == "zca":
            return input_shape
        return input_shape[0], self.num_components or int(np.prod(input_shape[1:]))

    def get_config(self):
        return {
            **super().get_config(),
            "method": self.method,
            "epsilon": self.epsilon,
            "num_components": self.num_components,
        }


def _affordable(input_shape):
    """The number of values of an image, if their covariance can be computed."""
    if None in input_shape[1:]:
        raise InputError(
            f"Whitening needs images of a fixed size. Received: {tuple(input_shape[1:])}."
        )
    values = int(np.prod(input_shape[1:]))
    needed = _MATRICES * 8 * values**2
    if needed > _MOST_BYTES:
        raise InputError(
            f"Whitening images {tuple(input_shape[1:])} takes about {needed / 1e9:,.0f} GB of "
            f"memory, for {_MATRICES} matrices of {values:,} x {values:,} values, and more than "
            f"{_MOST_BYTES / 1e9:.0f} GB are refused: resize the images, to 32x32 for example."
        )
    return values
