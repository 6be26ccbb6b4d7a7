"""Augmentation of a `tf.data.Dataset`: other draws in every pass, the same in every run."""

import numpy as np

from kerascnn._errors import InputError
from kerascnn._random import child_seeds, hash_bits
from kerascnn.data.augmented import as_layers, augmented_pixels

__all__ = ["augment_dataset"]


def augment_dataset(dataset, *layers, seed=0):
    """A `tf.data.Dataset` whose images go through layers of `kerascnn.augment`, in parallel.

    Each element gets its random number before the parallel map, so threads change nothing: the n-th
    element of the m-th pass is the same in every run of a script. The number of the pass is hidden
    in the dataset's iterator, which a continued run cannot set: `Split.augment` is for that.

    Args:
        dataset: `tf.data.Dataset` of images or of tuples that begin with them: (N, H, W, C) or
            (H, W, C), values 0-255. uint8 is many times faster than float, which goes through the
            reference: `dataset.map(lambda x, y: (tf.cast(tf.round(x), "uint8"), y))`.
        layers: layers of `kerascnn.augment`, called in this order, one by one or in a list. On any
            backend of Keras.
        seed: int.

    Returns:
        `tf.data.Dataset` of the same structure and dtypes; labels are left alone.

    Raises:
        InputError: a layer is not one of `kerascnn.augment`, or the elements are no such images.

    >>> import tensorflow as tf
    >>> from kerascnn.augment import RandomAffine
    >>> images = np.random.default_rng(0).integers(256, size=(6, 8, 8, 3), dtype="uint8")
    >>> rows = tf.data.Dataset.from_tensor_slices((images, range(6))).batch(3)
    >>> for x, y in augment_dataset(rows, RandomAffine(rotation=30)):
    ...     print(x.shape, x.dtype.name, y.numpy())
    (3, 8, 8, 3) uint8 [0 1 2]
    (3, 8, 8, 3) uint8 [3 4 5]
    """
    import tensorflow as tf

    layers = as_layers(layers, draws_for_each=True)
    spec = getattr(dataset, "element_spec", None)
    first = spec[0] if isinstance(spec, tuple) else spec
    if not (isinstance(first, tf.TensorSpec) and first.shape.rank in (3, 4)):
        raise InputError(
            "Expected a tf.data.Dataset of images (N, H, W, C) or (H, W, C), or of tuples that "
            'begin with them, as dataset.map(lambda row: (row["image"], row["label"])) makes of '
            f"dicts. Received: {type(dataset).__name__ if spec is None else spec}."
        )

    def change(element, number):
        images = element[0] if isinstance(element, tuple) else element
        changed = tf.numpy_function(pixels, [images, number], images.dtype)
        changed.set_shape(_output_shape(layers, images.shape))
        return (changed, *element[1:]) if isinstance(element, tuple) else changed

    def pixels(images, number):
        batch = images if images.ndim == 4 else images[None]
        keys = hash_bits(number.astype(np.uint32)[None], np.arange(2 * len(batch)))
        keys = keys.reshape(-1, 2)
        for i, layer in enumerate(layers):
            batch = augmented_pixels(layer, batch, child_seeds(keys, i))
        return batch if images.ndim == 4 else batch[0]

    numbers = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
    pairs = tf.data.Dataset.zip(dataset, numbers)
    return pairs.map(change, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _output_shape(layers, shape):
    batch = tuple(shape) if len(shape) == 4 else (None, *shape)
    for layer in layers:
        batch = layer.compute_output_shape(batch)
    return batch if len(shape) == 4 else batch[1:]
