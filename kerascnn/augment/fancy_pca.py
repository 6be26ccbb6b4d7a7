"""Colours moved along the principal components of the training images' colours."""

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn._streaming import moments, training_batches
from kerascnn.augment._checks import bounded, in_color
from kerascnn.augment._color import apply_table
from kerascnn.augment.image_augmentation import ImageAugmentation

__all__ = ["FancyPCA"]

# Of a random subset of ImageNet's training images: fb.resnet.torch, datasets/imagenet.lua.
_EIGENVALUES = (0.2175, 0.0188, 0.0045)
_EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


@keras.saving.register_keras_serializable(package="kerascnn")
class FancyPCA(ImageAugmentation):
    """Add one colour to each image, drawn as the colours of the training images vary.

    To every pixel of an image is added

        [p1, p2, p3] [a1 l1, a2 l2, a3 l3]^T

    where p are the eigenvectors and l the eigenvalues of the covariance of all pixels' (R, G, B),
    and each a is normal with mean 0, drawn once for the image. It imitates light of other strength
    and colour.

    Source: Krizhevsky, Sutskever and Hinton 2012 (NeurIPS), Sec. 4.1 ("fancy PCA" is the notes'
    name). Differs from the paper: it does not give the scale of its pixels, on which l depends;
    here, as in the code that others published, l is of colours from 0 to 1, and what is added is in
    the same scale. With ImageNet's values the first component has a deviation of 5.5 grey levels.

    Args:
        std: float >= 0. Deviation of a; the paper's 0.1.
        eigenvalues: three floats >= 0, of colours from 0 to 1; ImageNet's.
        eigenvectors: three rows (red, green, blue) of three floats, a column for each eigenvalue;
            ImageNet's. For those of your own images see `fitted`.
        value_range, seed, call arguments, shapes: see `ImageAugmentation`; C is 3.

    Raises:
        InputError: an argument is outside its range, or images have not three channels.

    >>> image = keras.ops.full((1, 2, 2, 3), 128.0)
    >>> colors = keras.ops.reshape(FancyPCA(seed=0)(image), (4, 3))
    >>> bool((colors == colors[0]).numpy().all()) and bool((colors[0] != 128).numpy().all())
    True
    """

    def __init__(self, std=0.1, eigenvalues=_EIGENVALUES, eigenvectors=_EIGENVECTORS, **kwargs):
        super().__init__(**kwargs)
        self.std = bounded("std", std)
        values, vectors = np.asarray(eigenvalues, float), np.asarray(eigenvectors, float)
        if values.shape != (3,) or vectors.shape != (3, 3) or not (values >= 0).all():
            raise InputError(
                "`eigenvalues` must be three floats >= 0, `eigenvectors` three rows of three. "
                f"Received: {eigenvalues}, {eigenvectors}."
            )
        self.eigenvalues, self.eigenvectors = values.tolist(), vectors.tolist()

    @classmethod
    def fitted(cls, data, std=0.1, value_range=(0, 255), **kwargs):
        """The layer with the components of these training images, which are read once.

        Args:
            data: `kerascnn.data.ImageData` (its `train`), a training split, an array (N, H, W, 3),
                a `tf.data.Dataset` or any iterable of batches, with values in `value_range`.
            std, value_range, kwargs: as in the layer.

        Raises:
            InputError: `data` is a validation or test split, or its images are not in colour.

        >>> red = np.zeros((2, 4, 4, 3))
        >>> red[1, ..., 0] = 255
        >>> FancyPCA.fitted(red).eigenvalues
        [0.25, 0.0, 0.0]
        """
        low, high = value_range
        pixels = (
            ((in_color(batch) - low) / (high - low)).reshape(-1, 3)
            for batch in training_batches(data)
        )
        count, _, scatter = moments(pixels, lambda rows: rows.T @ rows)
        values, vectors = np.linalg.eigh(scatter / count)
        values = np.maximum(values[::-1], 0)
        return cls(std, values, vectors[:, ::-1], value_range=value_range, **kwargs)

    def draw(self, draws, height, width):
        components = 255 * np.array(self.eigenvectors) * self.eigenvalues  # a column for each
        return {"color": draws.normal(self.std, 3) @ components.T.astype(np.float32)}

    def transform(self, images, color):
        return in_color(images) + color[:, None, None]

    def kernel(self, image, color):
        return apply_table(in_color(image), np.arange(256)[:, None] + color)

    def get_config(self):
        names = ("std", "eigenvalues", "eigenvectors")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
