import numpy as np

from kerascnn.layers import MeanImage


def test_training_images_have_mean_zero_at_each_pixel(shared_data):
    with np.load(shared_data("data/mnist.npz")) as mnist:
        train, test = mnist["x_train"][:3000, ..., None], mnist["x_test"][:10, ..., None]
    layer = MeanImage()
    layer.adapt(train)
    np.testing.assert_allclose(np.asarray(layer(train)).mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(layer(test), test - train.mean(axis=0), atol=1e-4)
