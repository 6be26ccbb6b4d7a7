"""Small images for the recipes beside this file: MNIST, and scikit-learn's digits for --quick."""

import keras
import numpy as np
from sklearn.datasets import load_digits


def mnist(path=None):
    """(images, labels) for training and for testing: uint8 (N, 28, 28) and (N,).

    `path` is a local mnist.npz; None lets Keras download it.
    """
    if path is None:
        return keras.datasets.mnist.load_data()
    with np.load(path) as file:
        return [(file[f"x_{part}"], file[f"y_{part}"]) for part in ("train", "test")]


def digits(times=1, num_train=1200):
    """The same for the 1,797 digits of scikit-learn, 8x8 pixels, each enlarged so many times."""
    x, y = load_digits(return_X_y=True)
    x = np.kron(x.reshape(-1, 8, 8) * (255 / 16), np.ones((times, times))).astype("uint8")
    return (x[:num_train], y[:num_train]), (x[num_train:], y[num_train:])


def padded(images):
    """28x28 to LeNet-5's 32x32x1."""
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))[..., None]
