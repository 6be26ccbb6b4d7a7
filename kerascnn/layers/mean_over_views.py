"""The mean answer of a network to several views of each image."""

from typing import NamedTuple

import keras
from keras import ops

from kerascnn._errors import InputError

__all__ = ["MeanOverViews", "View"]


class View(NamedTuple):
    """What a network is shown of an image: a box of it, resized, a crop of that, perhaps mirrored.

    Attributes:
        box: (top, left, height, width) in pixels of the image.
        scaled: (height, width) to which the box is resized.
        crop: (top, left, height, width) in pixels of the resized box. A crop that is not of the
            network's size is resized to it.
        mirrored: bool. Whether left and right change places at the end.
    """

    box: tuple
    scaled: tuple
    crop: tuple
    mirrored: bool


@keras.saving.register_keras_serializable(package="kerascnn")
class MeanOverViews(keras.layers.Wrapper):
    """A network's mean output over views of each image.

    The network sees one view of the whole batch after the other, so it needs the memory that it
    needs without views, and as many times its time. It always runs as it does in prediction.
    `kerascnn.augment.test_time` makes the views of the papers. Resizing is bilinear with
    antialiasing, as Pillow's; integer images are rounded to integers again.

    Args:
        layer: the network, images (N, *size, C) -> (N, ...).
        views: list of `View`.
        size: (height, width) of the network's input.

    Input shape:
        (N, H, W, C), int or float, large enough for every box.

    Output shape:
        That of `layer`, in this layer's dtype.

    Raises:
        InputError: there are no views.

    >>> whole = View((0, 0, 1, 3), (1, 3), (0, 0, 1, 3), False)
    >>> views = [whole, whole._replace(mirrored=True)]
    >>> layer = MeanOverViews(keras.layers.Flatten(), views, (1, 3))
    >>> keras.ops.convert_to_numpy(layer(keras.ops.array([[[[1.0], [4.0], [9.0]]]])))
    array([[5., 4., 5.]], dtype=float32)
    """

    def __init__(self, layer, views, size, **kwargs):
        # Pixels are not rounded to half precision before the network's own preprocessing.
        super().__init__(layer, autocast=False, **kwargs)
        if not views:
            raise InputError("`views` must hold at least one view. Received: none.")
        # Those of a saved model are lists.
        self.views = [View(*map(tuple, places), mirrored) for *places, mirrored in views]
        self.size = tuple(size)
        self.supports_jit = all(  # XLA on TensorFlow has no resize with antialiasing
            view.box[2:] == view.scaled and view.crop[2:] == self.size for view in self.views
        )

    def build(self, input_shape):
        super().build((input_shape[0], *self.size, input_shape[-1]))

    def call(self, images):
        squares = {view[:2]: _resized(_part(images, view.box), view.scaled) for view in self.views}

        def shown(view):
            x = _resized(_part(squares[view[:2]], view.crop), self.size)
            return ops.flip(x, axis=2) if view.mirrored else x

        views = [lambda view=view: shown(view) for view in self.views]
        y = ops.map(
            lambda i: self.layer(ops.switch(i, views), training=False), ops.arange(len(views))
        )
        return ops.cast(ops.mean(ops.cast(y, "float32"), axis=0), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape((input_shape[0], *self.size, input_shape[-1]))

    def get_config(self):
        views = [list(view) for view in self.views]
        return {**super().get_config(), "views": views, "size": list(self.size)}


def _part(images, box):
    top, left, height, width = box
    return images[:, top : top + height, left : left + width]


def _resized(images, size):
    if tuple(images.shape[1:3]) == tuple(size):
        return images
    dtype = keras.backend.standardize_dtype(images.dtype)
    x = ops.image.resize(
        ops.cast(images, "float32"), size, antialias=True, data_format="channels_last"
    )
    return ops.cast(ops.round(x) if "int" in dtype else x, dtype)
