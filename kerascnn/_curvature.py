"""How much the loss bends along each weight."""

import keras
import numpy as np
from keras import ops

from kerascnn import _derivatives
from kerascnn._errors import InputError

_SMALLEST = 1e-30  # probability whose logarithm is taken


class GaussNewtonDiagonal:
    """Estimates the diagonal of the Gauss-Newton matrix of the mean loss: at least 0, no bias.

    The matrix is the mean over the samples of J^T H J, with J the derivatives of the outputs by the
    weights, and H the second derivatives of the loss by the outputs, less what is negative of it.
    Outputs are taken before a last layer without weights to train, such as LeNet-5's distances, and
    before the softmax or sigmoid of any other. With H = B B^T and random signs s, (J^T B s)^2 has
    the diagonal as its expectation. Signs of its own for each sample let one gradient serve several
    samples. The curvature of regularisers is left out.

    Source: Martens, Sutskever and Swersky 2012, arXiv:1206.6464 (curvature propagation), in the
    form of Dangel et al. 2020, arXiv:1912.10985, "DiagGGN-MC". Differs: several samples a gradient.

    Args:
        model: built and compiled `keras.Model` with one output (N, K).

    Raises:
        InputError: the model has other outputs, no weights or no mean loss.
    """

    def __init__(self, model):
        _derivatives.check_model(model)
        if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
            shapes = ", ".join(str(tuple(output.shape)) for output in model.outputs)
            raise InputError(f"The model must have one output (N, K). Received: {shapes}.")
        self._model = model
        self._inner, self._into, self._out_of = _split(model)
        self._gradient = _derivatives.value_and_gradient(self._projected)
        self._curvature = _derivatives.hessian_product(self._loss)

    def estimate(self, x, y, random, draws=1, batch_size=10):
        """The diagonal at the model's weights: a list of float64 arrays, one a trainable weight.

        Args:
            x, y: arrays (N, ...), as for `fit`.
            random: `numpy.random.Generator`, of the signs.
            draws: int >= 1. Signs of each sample.
            batch_size: int >= 1. Samples a gradient: with fewer it varies less and takes longer.
        """
        samples = _derivatives.count_samples((x, y))
        _derivatives.build_loss(self._model, (x, y, None))
        weights = [variable.value for variable in self._model.trainable_variables]
        rest = [variable.value for variable in self._model.non_trainable_variables]
        total = [np.zeros(weight.shape) for weight in weights]
        for start in range(0, samples, batch_size):
            images, labels = _derivatives.part((x, y), slice(start, start + batch_size))
            roots = self._roots(self._outputs(weights, rest, images), weights, rest, labels)
            for _ in range(draws):
                signs = random.choice([-1.0, 1.0], roots.shape[:2])
                projection = np.einsum("nij,nj->ni", roots, signs).astype("float32")
                _, slopes = self._gradient(weights, rest, images, projection)
                squares = [ops.convert_to_numpy(slope).astype("f8") ** 2 for slope in slopes]
                total = [sum(pair) for pair in zip(total, squares)]
        return [one / (draws * samples) for one in total]

    def _outputs(self, weights, rest, x):
        with _derivatives.substituted(self._model, weights, rest):
            return self._into(ops.cast(self._inner(x, training=False), "float32"))

    def _projected(self, weights, rest, x, projection):
        return ops.sum(projection * self._outputs(weights, rest, x))

    def _loss(self, z, weights, rest, y):
        """The sum of what each sample costs, by its outputs, and a constant."""
        with _derivatives.substituted(self._model, weights, rest):
            return z[0].shape[0] * self._model.compute_loss(None, y, self._out_of(z[0]))

    def _roots(self, z, weights, rest, labels):
        """B of each sample, (N, K, K): B B^T is H, without what is negative in it."""
        columns = []
        for k in range(z.shape[1]):
            unit = np.zeros(z.shape, "float32")
            unit[:, k] = 1
            direction = [ops.convert_to_tensor(unit)]
            (column,) = self._curvature([z], direction, weights, rest, labels)
            columns.append(ops.convert_to_numpy(column).astype("f8"))
        h = np.stack(columns, axis=-1)
        values, vectors = np.linalg.eigh((h + np.swapaxes(h, 1, 2)) / 2)
        # The symmetric root: a multiple of the identity stays one, and its estimate is exact.
        scaled = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
        return scaled @ np.swapaxes(vectors, 1, 2)


def _split(model):
    """The model up to the outputs; functions of what it gives to them, and from them to y_pred."""
    last = model.layers[-1]
    if not last.trainable_variables and len(getattr(last.input, "shape", ())) == 2:
        return keras.Model(model.input, last.input), lambda z: z, last
    activation = getattr(last, "activation", None)
    if activation is keras.activations.softmax:
        # But for a number a sample, along which softmax is flat.
        return model, lambda p: ops.log(ops.maximum(p, _SMALLEST)), ops.softmax
    if activation is keras.activations.sigmoid:
        return model, lambda p: ops.log(p + _SMALLEST) - ops.log(1 - p + _SMALLEST), ops.sigmoid
    return model, lambda z: z, lambda z: z
