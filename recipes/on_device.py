"""A data set in the device's memory: `fit` sends the images' numbers, the device does the rest.

Reading, augmenting and normalising are layers in front of the network, so that one code runs on
TensorFlow and on JAX, compiled with the training step.
"""

import time

import keras
import numpy as np
from keras import ops

import kerascnn as kc
from kerascnn._random import permutation


class Images(keras.layers.Layer):
    """(N,) int32 numbers -> uint8 (N, H, W, C): images that are on the device.

    They are neither weights nor part of the configuration, so no checkpoint holds them.
    """

    def __init__(self, images, **kwargs):
        super().__init__(trainable=False, autocast=False, **kwargs)
        self.images = ops.convert_to_tensor(images)

    def call(self, numbers):
        return ops.take(self.images, numbers, axis=0)

    def compute_output_spec(self, numbers):
        return keras.KerasTensor((*numbers.shape, *self.images.shape[1:]), "uint8")

    def get_config(self):
        return super().get_config()


class Order:
    """Batches of (numbers, labels), in an order that (seed, epoch) decide; all of equal length.

    Any batch of any epoch can be asked for, as `kerascnn.callbacks.Resume` needs it. What a last
    batch would lack is left out, other images in each epoch.
    """

    def __init__(self, numbers, labels, batch_size, seed):
        self.numbers, self.labels = np.asarray(numbers, "int32"), labels
        self.batch_size, self.seed = batch_size, seed
        self.num_batches = len(numbers) // batch_size
        self._epoch, self._order = None, None

    def batch(self, epoch, index):
        if epoch != self._epoch:
            self._epoch, order = epoch, permutation(len(self.numbers), self.seed, "order", epoch)
            self._order = self.numbers[order]
        chosen = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        return chosen, self.labels[chosen]

    def fingerprint(self):
        return {"images": len(self.numbers), "batch_size": self.batch_size, "seed": self.seed}


def padded(images, color, mode="constant", width=4):
    """(N, H, W, C) with `width` more pixels on all sides.

    mode "constant": of the mean `color`, (C,), so that after the normalisation they are 0;
    "reflect": of the image itself, mirrored at its edge.
    """
    sides = ((0, 0), (width, width), (width, width), (0, 0))
    if mode == "reflect":
        return np.pad(images, sides, mode)
    wide = np.pad(images, sides)
    frame = np.pad(np.zeros(images.shape[1:3], bool), width, constant_values=True)
    wide[:, frame] = np.round(color)
    return wide


def standardizing(images):
    """(scale, offset) that give the channels of these images mean 0 and variance 1."""
    given = kc.data.normalization(images).get_config()
    mean, deviation = np.ravel(given["mean"]), np.sqrt(np.ravel(given["variance"]))
    return (1 / deviation).tolist(), (-mean / deviation).tolist()


def model_of_numbers(network, images, augmentation, scale, offset):
    """The model of image numbers that trains `network`: read, augment, `images * scale + offset`.

    The network's batch normalisation is fused.

    Args:
        network: `keras.Model` of prepared images.
        images: uint8 array (N, H, W, C), of training and test; what is not augmented must be of
            the size of the network's input, or is cropped to it by the augmentation.
        augmentation: list of layers, which act in training only.
        scale, offset: floats, or one for each channel.
    """
    numbers = keras.Input((), dtype="int32", name="number")
    x = Images(images, name="images")(numbers)
    for layer in augmentation:
        x = layer(x)
    x = keras.layers.Rescaling(scale, offset, dtype="float32", name="normalized")(x)
    kc.fuse_batch_norm(network)
    return keras.Model(numbers, network(x), name=f"{network.name}_of_numbers")


def matmul_peak(dtype, seconds=1.0):
    """The most multiply-adds a second that this device makes in large products of matrices."""
    side = 8192 if device_name() != "CPU" else 1024
    a = ops.cast(keras.random.normal((side, side), seed=0) / side**0.5, dtype)
    times, begun = [], time.perf_counter()
    while len(times) < 4 or time.perf_counter() - begun < seconds:
        start, product = time.perf_counter(), a
        for _ in range(4):
            product = ops.matmul(product, a)
        float(product[0, 0])  # waits for the device
        times.append((time.perf_counter() - start) / 4)
    return side**3 / min(times)


def device_name():
    """The GPU's name, or "CPU"."""
    if keras.backend.backend() == "jax":
        import jax

        kind = jax.devices()[0]
        return "CPU" if kind.platform == "cpu" else kind.device_kind
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else "CPU"
