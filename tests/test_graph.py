import keras
import numpy as np
import pytest

from kerascnn import InputError, _graph

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def mobilenet_v2():
    return keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(224, 224, 3), pooling="avg"
    )


def small_mobilenet():
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNet(
        weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.25, pooling="avg"
    )


def photos(n, size=32):
    return np.random.default_rng(0).uniform(-1, 1, (n, size, size, 3)).astype("float32")


def test_cut_points_of_mobilenet_v2(mobilenet_v2):
    cuts = _graph.cut_points(mobilenet_v2)
    assert {"Conv1_relu", "block_12_add", "block_13_expand_relu", "out_relu"} <= set(cuts)
    # block 12 has a shortcut around all but its last layer
    assert [name for name in cuts if name.startswith("block_12")] == ["block_12_add"]


def test_freeze_boundary_of_mobilenet_v2(mobilenet_v2):
    assert _graph.freeze_boundary(mobilenet_v2) == "block_12_add"


def test_split_shares_weights_and_gives_the_same_numbers():
    model, x = small_mobilenet(), photos(4)
    trunk, tail = _graph.split(model, "conv_pw_5_relu")
    assert np.array_equal(tail(trunk(x)), model(x))
    assert {id(w) for w in trunk.weights} | {id(w) for w in tail.weights} == {
        id(w) for w in model.weights
    }


def test_split_refuses_a_layer_with_a_way_around_it(mobilenet_v2):
    with pytest.raises(InputError, match="cannot be cut after 'block_12_expand'"):
        _graph.split(mobilenet_v2, "block_12_expand")


def test_training_the_tail_trains_the_model():
    model = small_mobilenet()
    trunk, tail = _graph.split(model, "conv_pw_5_relu")
    features = trunk.predict(photos(8), verbose=0)
    before, frozen = _graph.weights_digest(model), _graph.weights_digest(trunk)
    tail.compile("sgd", "mse")
    tail.fit(features, np.ones((8, 256), "float32"), verbose=0)
    assert _graph.weights_digest(model) != before
    assert _graph.weights_digest(trunk) == frozen


def test_frozen_batch_norm_keeps_its_statistics_under_fit():
    model = small_mobilenet()
    statistics = [w for w in model.weights if "moving" in w.path]
    head = keras.layers.Dense(2, activation="softmax")(model.output)
    whole = keras.Model(model.input, head)

    def fit():
        """The weights after two epochs that train everything they can, and how many are moving."""
        before, still = _graph.weights_digest(model), [w.numpy() for w in statistics]
        # A tiny epsilon: through untrained batch normalisation hardly any gradient arrives.
        whole.compile(keras.optimizers.Adam(epsilon=1e-30), "sparse_categorical_crossentropy")
        whole.fit(photos(8), np.arange(8) % 2, epochs=2, verbose=0)
        assert _graph.weights_digest(model) != before
        return sum(not np.array_equal(w, old) for w, old in zip(statistics, still))

    assert fit() == 54
    assert _graph.freeze_batch_norm(whole) == 27
    assert fit() == 0
