"""Mean and variance of the training images, in a layer that is saved with the model."""

import numpy as np

from kerascnn._streaming import moments, training_batches

__all__ = ["normalization"]


def normalization(data, unit_variance=True):
    """A `keras.layers.Normalization` with the mean and variance of each channel of training images.

    y = (x - mean) / sqrt(variance), over all pixels of all training images, computed in one pass
    in float64. Make the layer the first of the model, and the same numbers are used wherever the
    model is. They are arguments of the layer, not weights: a `.keras` file and `clone_model` keep
    them, and a file of weights alone has none, so make the layer anew before `load_weights`.

    Args:
        data: `ImageData` (its `train` is read), a training split, augmented or not, an array (N, H,
            W, C), a `tf.data.Dataset` or any iterable of batches, each the images or a tuple that
            begins with them; of the scale that the model will get.
        unit_variance: bool. False only subtracts the mean of each channel, as VGG does (Simonyan
            and Zisserman 2015, arXiv:1409.1556, Sec. 2.1).

    Returns:
        `keras.layers.Normalization` that computes in float32 under any dtype policy. A channel that
        is constant is only shifted, to 0. See `kerascnn.layers.check_value_range` for images of
        another scale.

    Raises:
        InputError: `data` is a validation or test split, or holds no finite images of one size.

    >>> from kerascnn.data import from_arrays
    >>> images = np.random.default_rng(0).integers(256, size=(40, 8, 8, 3), dtype="uint8")
    >>> data = from_arrays(images, [0, 1] * 20)
    >>> y = np.asarray(normalization(data)(data.train.images(range(32))))
    >>> y.mean(axis=(0, 1, 2)).round(3) + 0.0, y.std(axis=(0, 1, 2)).round(3)
    (array([0., 0., 0.], dtype=float32), array([1., 1., 1.], dtype=float32))
    """
    import keras

    pixels = (images.reshape(-1, images.shape[-1]) for images in training_batches(data))
    count, mean, squares = moments(pixels, lambda rows: (rows**2).sum(axis=0))
    variance = squares / count if unit_variance else np.ones_like(mean)
    variance[variance == 0] = 1  # Keras divides by 1e-7 otherwise
    return keras.layers.Normalization(
        mean=mean.tolist(), variance=variance.tolist(), dtype="float32"
    )
