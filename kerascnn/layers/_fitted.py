"""What layers share whose state is computed from the training images before training."""

import itertools
import warnings

import keras
import numpy as np
from keras import ops

from kerascnn._errors import InputError
from kerascnn._streaming import training_batches

__all__ = ["Fitted", "warn_of_other_range"]

_LARGER = 10  # times the expected size: more than brighter photos, less than 255 where 1 is
_SMALLER = 50  # times below it: darker than photos are, and still above standardised values
_NEGATIVE = 0.25  # of the largest value: more than the overshoot of a sharp resize


class Fitted(keras.layers.Layer):
    """A layer with `adapt(data)`.

    Subclasses make their weights and `input_spec` in `build`, and define `statistics(batches)`,
    which returns {name of a weight: its value}, and `transform(x)`, which computes in float32 under
    any dtype policy. The weights are float32, and nothing trains them. They are NaN until `adapt`:
    what is compiled cannot look at numbers, and NaN does not go unnoticed there. A loaded model is
    built before its weights come, so building says nothing.
    """

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)  # 16 bits do not hold 0-255 with fractions

    def build(self, input_shape):
        self.smallest = self.constant("smallest")
        self.largest = self.constant("largest")

    def constant(self, name, shape=()):
        """A new float32 weight that `adapt` fills."""
        unknown = keras.initializers.Constant(np.nan)
        return self.add_weight(
            shape, unknown, "float32", trainable=False, autocast=False, name=name
        )

    def adapt(self, data):
        """Compute the layer's state from the training images, in one pass. Replaces an older one.

        Args:
            data: `kerascnn.data.ImageData` (its `train`), a training split, augmented or not, an
                array (N, H, W, C), a `tf.data.Dataset` or any iterable of batches, each the images
                or a tuple that begins with them. What is before the layer in the model must be
                done to them already: values and size as the layer will see them.

        Raises:
            InputError: `data` is a validation or test split, or holds no images of one size, finite
                and as large as those the layer was built for.
        """
        extent = np.array([np.inf, -np.inf])

        def watched():
            for images in batches:
                extent[:] = min(extent[0], images.min()), max(extent[1], images.max())
                yield images

        batches = training_batches(data)
        first = next(batches)
        batches = itertools.chain([first], batches)
        self._fit_shape((None, *first.shape[1:]))
        state = self.statistics(watched())
        state |= {"smallest": extent[0], "largest": extent[1]}
        for name, value in state.items():
            getattr(self, name).assign(np.asarray(value, np.float32))

    def _fit_shape(self, shape):
        if not self.built:
            self.build(shape)
        expected = self.input_spec.shape
        if any(size not in (None, given) for size, given in zip(expected, shape)):
            raise InputError(
                f"{self.name!r} is built for images {expected[1:]}. Received: {shape[1:]}."
            )

    @property
    def value_range(self):
        """(smallest, largest) value of the images that the layer was fitted on; NaN before."""
        return float(np.asarray(self.smallest.value)), float(np.asarray(self.largest.value))

    def call(self, x):
        eager = _numbers(x, self.smallest.value, self.largest.value)
        if eager and eager[0].size:
            self._check(*eager)
        return ops.cast(self.transform(ops.cast(x, "float32")), self.compute_dtype)

    def _check(self, images, *value_range):
        if np.isnan(value_range).any():
            raise InputError(
                f"{self.name!r} knows nothing of the training images yet: call adapt(data) before "
                "the model is used, or load its weights."
            )
        warn_of_other_range(value_range, images, f"{self.name!r} was fitted on values from")

    def compute_output_shape(self, input_shape):
        return input_shape


def _numbers(*tensors):
    """The tensors as arrays; None while a graph is traced, where they have no values."""
    try:
        return [np.asarray(tensor) for tensor in tensors]
    except (NotImplementedError, TypeError, ValueError, AttributeError):
        return None


def warn_of_other_range(expected, images, made_for):
    """Give a `UserWarning` if the images are of another scale than `expected` (low, high).

    Scales that are confused in practice (0-255, 0-1, -1 to 1, standardised, 16 bits) differ by much
    or by negative values. Constant images may be black ones of any scale: nothing is said of them.
    """
    low, high = expected
    seen = np.min(images), np.max(images)
    size, given = np.abs(expected).max(), np.abs(seen).max()
    larger = given > _LARGER * size
    smaller = given < size / _SMALLER and seen[0] < seen[1]
    negative = low >= 0 and seen[0] < -_NEGATIVE * high
    if larger or smaller or negative:
        warnings.warn(
            f"{made_for} {low:.3g} to {high:.3g}, and these images have {seen[0]:.3g} to "
            f"{seen[1]:.3g}: scale them as the training images were.",
            stacklevel=3,
        )
