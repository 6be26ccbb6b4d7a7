import keras
import numpy as np
from sklearn.preprocessing import MinMaxScaler

from kerascnn.layers import MinMaxScaling

RNG = np.random.default_rng(0)


def test_is_that_of_scikit_learn_with_channels_as_features():
    bands = np.array([1.0, 300.0, 1e-3])  # of other units
    train, test = (RNG.normal(size=(20, 5, 4, 3)) * bands + bands for _ in range(2))
    layer = MinMaxScaling()
    layer.adapt([train[:3], train[3:]])
    scaler = MinMaxScaler((-1, 1)).fit(train.reshape(-1, 3))
    expected = scaler.transform(test.reshape(-1, 3)).reshape(test.shape)
    assert abs(expected).max() > 1  # not clipped
    np.testing.assert_allclose(layer(test), expected, atol=1e-5)


def test_photos_are_scaled_as_by_rescaling():
    photos = RNG.integers(256, size=(9, 16, 16, 3), dtype="uint8")
    layer = MinMaxScaling()
    layer.adapt(photos)
    np.testing.assert_allclose(
        layer(photos), keras.layers.Rescaling(1 / 127.5, -1)(photos), atol=1e-6
    )


def test_a_constant_channel_becomes_0():
    layer = MinMaxScaling()
    layer.adapt(np.stack([np.full((2, 3, 3), 7.0), RNG.normal(size=(2, 3, 3))], axis=-1))
    images = np.full((1, 1, 2, 2), [7.0, 0.5])
    np.testing.assert_array_equal(np.asarray(layer(images))[..., 0], 0)
