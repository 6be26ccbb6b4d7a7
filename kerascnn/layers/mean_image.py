"""Subtraction of the mean image, as before AlexNet."""

import keras

from kerascnn.layers._fitted import Fitted

__all__ = ["MeanImage"]


@keras.saving.register_keras_serializable(package="kerascnn")
class MeanImage(Fitted):
    """Images minus the mean of the training images, pixel by pixel and channel by channel.

    Call `adapt(data)` once, with the training images. To subtract one mean for each channel, as VGG
    does, use `kerascnn.data.normalization(data, unit_variance=False)`.

    Source: Krizhevsky, Sutskever and Hinton 2012 (NeurIPS), Sec. 2. Differs from the paper: no; the
    paper subtracts at 256x256, before it takes patches of 224x224 (put `RandomCrop` behind).

    Input shape:
        (N, H, W, C) as in `adapt`, int or float, of the training images' scale. Called eagerly, it
        warns of another one; for `fit`, `evaluate` and `predict` see `check_value_range`.

    Output shape:
        The same, float. Computed in float32 under any dtype policy.

    Raises:
        InputError: called before `adapt`; within compiled code the output is NaN then.

    >>> layer = MeanImage()
    >>> layer.adapt(keras.ops.reshape(keras.ops.arange(6.0), (3, 1, 2, 1)))
    >>> keras.ops.convert_to_numpy(layer(keras.ops.ones((1, 1, 2, 1)))).ravel()
    array([-1., -2.], dtype=float32)
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.mean = self.constant("mean", input_shape[1:])
        self.input_spec = keras.InputSpec(shape=(None, *input_shape[1:]))

    def statistics(self, batches):
        total, count = 0.0, 0
        for images in batches:
            total += images.sum(axis=0)
            count += len(images)
        return {"mean": total / count}

    def transform(self, x):
        return x - self.mean
