"""Small images for the recipes beside this file, as (images, labels) for training and testing."""

import functools
import io
import sys

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def _or_a_sentence(name):
    """A loader that ends the program in one sentence where it cannot load `name`."""

    def around(load):
        @functools.wraps(load)
        def loader(path=None):
            try:
                return load(path)
            except Exception as error:  # Keras's own of a failed download has no other class
                why = f"({type(error).__name__}: {error})"
            if path is None:
                sys.exit(f"{name} could not be downloaded {why}: pass --data, a local copy.")
            sys.exit(
                f"--data must be a copy of {name} as small_images.py reads it. Received: {path} "
                f"{why}."
            )

        return loader

    return around


@_or_a_sentence("MNIST")
def mnist(path=None):
    """(images, labels) for training and for testing: uint8 (N, 28, 28) and (N,).

    `path` is a local mnist.npz; None lets Keras download it.
    """
    if path is None:
        return keras.datasets.mnist.load_data()
    with np.load(path) as file:
        parts = [(file[f"x_{part}"], file[f"y_{part}"]) for part in ("train", "test")]
    return [_checked(*part, (28, 28)) for part in parts]


@_or_a_sentence("CIFAR-10")
def cifar(path=None):
    """The same for CIFAR-10: uint8 (N, 32, 32, 3).

    `path` is a local copy as JPEG bytes: {train,test}_jpeg, all files one after another,
    {train,test}_offset, where each begins and, one more, where the last ends, and y_{train,test}.
    None lets Keras download it.
    """
    if path is None:
        return [(images, labels.ravel()) for images, labels in keras.datasets.cifar10.load_data()]
    return _of_jpegs(path, ("train", "test"))


def tiny_imagenet(path=None):
    """The same for Tiny-ImageNet at 32x32 pixels, with its validation images for testing.

    `path` is a local copy as JPEG bytes, as for `cifar`: {train,val}_jpeg and so on.
    """
    if path is None:
        sys.exit("Keras has no Tiny-ImageNet. Pass --data, a local copy as JPEG bytes.")
    return _tiny_imagenet(path)


@_or_a_sentence("Tiny-ImageNet at 32x32 pixels")
def _tiny_imagenet(path):
    return _of_jpegs(path, ("train", "val"))


def _of_jpegs(path, parts):
    found = []
    with np.load(path) as file:
        for part in parts:
            data, offset = file[f"{part}_jpeg"], file[f"{part}_offset"]
            files = (io.BytesIO(data[a:b].tobytes()) for a, b in zip(offset, offset[1:]))
            images = [np.asarray(Image.open(one).convert("RGB")) for one in files]
            labels = file[f"y_{part}"].ravel()
            _checked(images[:1], labels[:1], (32, 32, 3))  # before all the others are read
            found.append(_checked(images, labels, (32, 32, 3)))
    return found


def _checked(images, labels, shape):
    images = np.asarray(images)
    if images.shape[1:] != shape:
        raise ValueError(f"images of {images.shape[1:]}, not of {shape}")
    if len(images) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(images)} images")
    return images, labels


def digits(times=1, num_train=1200):
    """The same for the 1,797 digits of scikit-learn, 8x8 pixels, each enlarged so many times."""
    x, y = load_digits(return_X_y=True)
    x = np.kron(x.reshape(-1, 8, 8) * (255 / 16), np.ones((times, times))).astype("uint8")
    return (x[:num_train], y[:num_train]), (x[num_train:], y[num_train:])


def padded(images):
    """28x28 to LeNet-5's 32x32x1."""
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))[..., None]
