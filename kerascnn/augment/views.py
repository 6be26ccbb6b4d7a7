"""Views for testing: a classifier's mean answer to mirrored and cropped copies of a photo."""

import operator

import keras
import numpy as np

from kerascnn._errors import InputError, one_of, whole
from kerascnn.augment import _crops, _photos
from kerascnn.layers.mean_over_views import MeanOverViews

__all__ = ["predict_photos", "test_time"]


def test_time(model, views="flip", image_size=None):
    """The model's mean output over views of each image: a plain, savable `keras.Model`.

    - "flip", 2 views: 1 the image, 2 its mirror image.
    - "10-crop" (AlexNet), crops of the model's size: 1-5 top left, top right, bottom left, bottom
      right, centre; 6-10 the same, mirrored. The order of Caffe.
    - "144-crop" (GoogLeNet), for each scale (shorter side 256, 288, 320, 352 for crops of 224, else
      in proportion) and each square (left, centre, right; of a portrait top, centre, bottom): the
      5 crops, the square resized to the model's size; then these 6 mirrored.

    Crops suit a model that was trained on crops, as the papers' were; one that always saw whole
    photos may lose by them: measure it (recipes/test_time_views.py). What is averaged is what the
    model gives: in the papers the probabilities after the softmax. The model sees one view of a
    batch after the other, so the time is that of so many forward passes and the memory nearly the
    model's own ("144-crop" adds 22 inputs for each image).

    Source: Krizhevsky et al. 2012, Sec. 4.1; Szegedy et al. 2015, arXiv:1409.4842, Sec. 7. Differs
    from the papers: the squares of "144-crop" are cut first and then resized.

    Args:
        model: functional or Sequential `keras.Model`, (N, H, W, C) -> (N, ...), with
            preprocessing inside or not. Its weights are shared, not copied.
        views: "flip", "10-crop" or "144-crop".
        image_size: int or (height, width) of the images that the new model takes. None is the
            model's own size for "flip" and 256/224 of it for "10-crop": load the photos by
            `kerascnn.data` with this image_size and resize="crop". Needed for "144-crop", which
            wants photos in their own shape; for photos of several sizes see `predict_photos`.

    Returns:
        `keras.Model`, images (N, *image_size, C) -> that output in float32. Not compiled. It opens
        by `kerascnn.load_model`.

    Raises:
        InputError: unknown views, images smaller than a crop, or a model of several inputs or
            outputs or without a fixed input size.

    >>> import kerascnn as kc
    >>> model = kc.models.LeNet5()
    >>> test_time(model, "10-crop").input_shape, test_time(model).output_shape
    ((None, 37, 37, 1), (None, 10))
    """
    network, size = _checked(model)
    cut = _crops.VIEWS[one_of(views, _crops.VIEWS, "views")]
    if image_size is None:
        image_size = _crops.default_image_size(views, size)
    image_size = _pair(image_size)
    first = network.inputs[0]
    images = keras.Input((*image_size, first.shape[-1]), dtype=first.dtype, name=first.name)
    mean = MeanOverViews(network, cut(image_size, size), size, name="views", dtype="float32")
    return keras.Model(images, mean(images), name=f"{model.name}_{views.replace('-', '_')}")


test_time.__test__ = False  # pytest takes a function of such a name, once imported, for a test


def predict_photos(model, photos, views="144-crop", batch_size=32):
    """The model's mean output over views of each photo; photos may differ in size.

    As `test_time`, view by view, with Pillow's resize (that of `kerascnn.data`). For "flip" and
    "10-crop" the shorter side is scaled to the model's size, or 256/224 of it, and the centre kept,
    as in AlexNet; "144-crop" takes each photo as it is. One photo is in memory at a time.

    Args:
        model: as for `test_time`.
        photos: list of paths, or of uint8 arrays (H, W, C), or one array (N, H, W, C), 0-255; or
            one path.
        views: "flip", "10-crop" or "144-crop".
        batch_size: int >= 1. Views that go through the model at once.

    Returns:
        float32 array (N, ...), the mean outputs.

    Raises:
        InputError: as for `test_time`, or a photo cannot be read; the message names it.

    >>> import kerascnn as kc
    >>> photos = [np.zeros((40, 60, 1), "uint8"), np.zeros((70, 50, 1), "uint8")]
    >>> predict_photos(kc.models.LeNet5(), photos).shape
    (2, 10)
    """
    network, size = _checked(model)
    one_of(views, _crops.VIEWS, "views")
    photos = _photos.listed(photos)
    shown = _views_of(photos, views, size, network.input_shape[-1])
    total, count = np.zeros((len(photos), *network.output_shape[1:])), np.zeros(len(photos))
    for numbers, batch in _batches(shown, whole(batch_size, "batch_size", 1)):
        np.add.at(total, numbers, np.asarray(network.predict_on_batch(batch), "float64"))
        np.add.at(count, numbers, 1)
    return (total.T / count).T.astype("float32")


def _views_of(photos, views, size, channels):
    """Yields (number of the photo, one view of it)."""
    for number, photo in enumerate(photos):
        pixels = _photos.read(photo, channels, _crops.default_image_size(views, size))
        key = None
        for view in _crops.VIEWS[views](pixels.shape[:2], size):
            if view[:2] != key:
                key, square = view[:2], _photos.resized(_photos.part(pixels, view.box), view.scaled)
            crop = _photos.resized(_photos.part(square, view.crop), size)
            yield number, crop[:, ::-1] if view.mirrored else crop


def _batches(numbered, size):
    """Yields (numbers, stacked views), `size` at a time."""
    numbers, batch = [], []
    for number, image in numbered:
        numbers.append(number)
        batch.append(image)
        if len(batch) == size:
            yield numbers, np.stack(batch)
            numbers, batch = [], []
    if batch:
        yield numbers, np.stack(batch)


def _checked(model):
    """(the model without its training, (height, width) of its input)."""
    inputs, outputs = (getattr(model, side, None) or () for side in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1:
        raise InputError(
            f"The model must be functional or Sequential, with one input and one output. Received: "
            f"{getattr(model, 'name', model)!r} with {len(inputs)} and {len(outputs)}. Of a model "
            "of several outputs pass keras.Model(model.input, model.outputs[0])."
        )
    shape = inputs[0].shape
    if len(shape) != 4 or None in shape[1:]:
        raise InputError(
            f"The model must take images of a fixed size, (N, H, W, C). Received: {shape}. Build "
            "it with an input shape such as (224, 224, 3)."
        )
    return keras.Model(inputs[0], outputs[0], name=model.name), tuple(shape[1:3])


def _pair(image_size):
    try:
        sides = image_size if isinstance(image_size, tuple | list) else [image_size] * 2
        height, width = map(operator.index, sides)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise InputError(
            "`image_size` must be an int or (height, width) in pixels, and for 144-crop must be "
            f"given. Received: {image_size}. For photos of several sizes use predict_photos."
        )
    return height, width
