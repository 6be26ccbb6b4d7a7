"""LeNet-5 against the paper's numbers and a NumPy network written from its text."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from kerascnn import InputError
from kerascnn.losses import RBFLoss
from kerascnn.models import LeNet5
from kerascnn.models.lenet import TABLE_I
from kerascnn.weights import entry
from tests import facts
from tests.oracles import lenet as oracle

IMAGE = np.random.default_rng(0).uniform(-0.1, 1.175, (32, 32, 1)).astype("float32")


def digits():
    """1,797 real digits of 8x8, enlarged to 32x32 with the paper's values, and their labels."""
    data = load_digits()
    x = np.kron(data.images, np.ones((4, 4)))[..., None] / 16 * 1.275 - 0.1
    return x.astype("float32"), data.target


def test_parameters_of_each_layer():
    counts = {layer.name: layer.count_params() for layer in LeNet5().layers if layer.weights}
    assert counts == facts.LENET5_PARAMETERS


@pytest.mark.parametrize(
    ("options", "trainable", "fixed"),
    [
        ({}, facts.LENET5_SOFTMAX, 0),
        ({"output": "rbf"}, facts.LENET5_TRAINABLE, facts.LENET5_CONNECTIONS["output"]),
        ({"variant": "modern"}, facts.LENET5_MODERN, 0),
    ],
)
def test_parameters_of_the_forms(options, trainable, fixed):
    model = LeNet5(**options)
    assert sum(w.size for w in map(np.asarray, model.trainable_weights)) == trainable
    assert sum(w.size for w in map(np.asarray, model.non_trainable_weights)) == fixed


def test_connections_of_each_layer():
    """A unit has a connection for each input that it reads, and one for its bias."""
    model = LeNet5(output="rbf")
    inputs_read = {  # by all the maps of the layer together, at one place
        "c1": 6 * 25,
        "s2": 6 * 4,
        "c3": 25 * sum(row.count("X") for row in TABLE_I),
        "s4": 16 * 4,
        "c5": 120 * 25 * 16,
        "f6": 84 * 120,
    }
    connections = {"output": 10 * 84}  # distances have no bias
    for name, read in inputs_read.items():
        *places, maps = model.get_layer(name).output.shape[1:]
        connections[name] = int(np.prod(places)) * (read + maps)
    assert connections == facts.LENET5_CONNECTIONS
    assert sum(connections.values()) == facts.LENET5_ALL_CONNECTIONS


def test_table_is_the_papers():
    reads = [[i for i in range(6) if TABLE_I[i][j] == "X"] for j in range(16)]
    assert reads == facts.LENET5_C3_READS


def test_every_layer_computes_what_the_paper_says():
    model = LeNet5(output="rbf", classifier_activation=None)
    names = ["c1", "s2", "c3", "s4", "c5", "f6", "output"]
    weights = {name: model.get_layer(name).get_weights() for name in names}
    table = np.array([[mark == "X" for mark in row] for row in TABLE_I])
    kernels = {(f, c): weights["c3"][0][:, :, k] for k, (c, f) in enumerate(np.argwhere(table))}
    expected = {"c1": oracle.squash(oracle.convolve(IMAGE, *weights["c1"]))}
    expected["s2"] = oracle.squash(oracle.subsample(expected["c1"], *weights["s2"]))
    c3 = oracle.convolve_table(expected["s2"], kernels, weights["c3"][1], facts.LENET5_C3_READS)
    expected["c3"] = oracle.squash(c3)
    expected["s4"] = oracle.squash(oracle.subsample(expected["c3"], *weights["s4"]))
    expected["c5"] = oracle.squash(oracle.convolve(expected["s4"], *weights["c5"]))
    kernel, bias = weights["f6"]
    expected["f6"] = oracle.squash(expected["c5"].ravel() @ kernel + bias)
    expected["output"] = -oracle.penalties(expected["f6"], weights["output"][0])
    tapped = keras.Model(model.input, {name: model.get_layer(name).output for name in names})
    for name, y in tapped.predict(IMAGE[None], verbose=0).items():
        np.testing.assert_allclose(y[0], expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_start_is_uniform_within_the_papers_interval():
    model = LeNet5()
    fan_in = {"c1": 25, "s2": 4, "s4": 4, "c5": 400, "f6": 120, "output": 84}
    for name, inputs in fan_in.items():
        kernel, bias = model.get_layer(name).get_weights()
        assert (bias == 0).all()
        assert abs(kernel).max() <= 2.4 / inputs
        assert kernel.size < 100 or abs(kernel).max() > 0.95 * 2.4 / inputs


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({}, "sparse_categorical_crossentropy"),
        pytest.param(
            {"variant": "modern"}, "sparse_categorical_crossentropy", marks=pytest.mark.slow
        ),
        ({"output": "rbf", "classifier_activation": None}, RBFLoss(rubbish=20.0)),
    ],
)
def test_it_learns_real_digits(options, loss):
    keras.utils.set_random_seed(0)
    x, y = digits()
    model = LeNet5(**options)
    model.compile(keras.optimizers.Adam(3e-3), loss=loss, metrics=["accuracy"])
    history = model.fit(x[:1500], y[:1500], batch_size=32, epochs=2, verbose=0).history
    assert history["loss"][1] < 0.6 * history["loss"][0]
    assert model.evaluate(x[1500:], y[1500:], verbose=0, return_dict=True)["accuracy"] > 0.75


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((33, 40, 3), {"include_top": False}, (None, 1, 3, 120)),
        ((None, None, 1), {"include_top": False}, (None, None, None, 120)),
        ((64, 64, 2), {"include_top": False, "pooling": "max"}, (None, 120)),
        ((64, 64, 1), {"classes": 3}, (None, 3)),
    ],
)
def test_other_sizes_and_channels(shape, options, expected):
    assert LeNet5(input_shape=shape, **options).output_shape == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "papr"}, "Did you mean 'paper'"),
        ({"output": "dense"}, "Possible: softmax, rbf"),
        ({"output": "rbf", "classes": 26}, "ten digits only.*classes=26"),
        ({"input_shape": (28, 28, 1)}, r"at least 32.*\(28, 28, 1\)"),
    ],
)
def test_errors_say_what_to_do(options, message):
    with pytest.raises(InputError, match=message):
        LeNet5(**options)


def test_packaged_weights_read_digits(shared_data):
    with np.load(shared_data("data/mnist.npz")) as file:
        x, y = file["x_test"], file["y_test"]
    x = np.pad(x, ((0, 0), (2, 2), (2, 2)))[..., None] * np.float32(0.005) - np.float32(0.1)
    predicted = LeNet5(weights="mnist").predict(x, batch_size=500, verbose=0).argmax(-1)
    accuracy = entry("LeNet5", "mnist")["test_accuracy"]
    assert (predicted == y).mean() == pytest.approx(accuracy, abs=3e-4)  # 3 of 10,000 digits
    assert 100 * (1 - accuracy) <= 1.1
