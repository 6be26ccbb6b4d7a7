import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn import InputError
from kerascnn.callbacks import LatePenalty

L1, L2 = keras.regularizers.L1, keras.regularizers.L2
X = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")


def compiled(regularizer=None):
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Dense(4, kernel_regularizer=regularizer, bias_initializer="ones"),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(1, bias_initializer="ones"),
    ]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def fit(model, *callbacks, **options):
    options = {"epochs": 4, "batch_size": 32, "verbose": 0} | options
    return model.fit(X, X[:, :1], callbacks=list(callbacks), **options).history["loss"]


@pytest.mark.parametrize("own", [None, L2(0.3)], ids=["alone", "beside another"])
def test_the_loss_rises_by_the_penalty_of_the_kernels_from_that_epoch_on(own):
    model = compiled(own)
    kernels = [w for w in model.get_weights() if w.ndim == 2]
    expected = 0.7 * sum(abs(kernel).sum() for kernel in kernels)
    losses = fit(model, LatePenalty(2, L1(0.7)))
    assert losses[1] == pytest.approx(losses[0]) and losses[3] == pytest.approx(losses[2])
    assert losses[2] - losses[1] == pytest.approx(expected, rel=1e-4)


def test_a_run_that_continues_after_the_start_has_it_at_once():
    assert fit(compiled(), LatePenalty(2), initial_epoch=3)[0] > fit(compiled())[0]


class Break(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


def test_it_is_gone_after_the_training_even_one_that_broke():
    model, own = compiled(L2(0.3)), fit(compiled(L2(0.3)))
    penalty = LatePenalty(1, L1(0.7))
    fit(model, penalty)
    assert fit(model) == pytest.approx(own)
    with pytest.raises(KeyboardInterrupt):
        fit(model, penalty, Break())
    losses = fit(model, penalty, epochs=2)
    assert losses[0] == pytest.approx(own[0]) and losses[1] > own[1]


def test_one_that_is_made_anew_after_a_training_that_broke_does_not_add_to_the_old_one():
    model, expected = compiled(), fit(compiled(), LatePenalty(1, L1(0.7)))
    with pytest.raises(KeyboardInterrupt):
        fit(model, LatePenalty(1, L1(0.7)), Break())
    assert fit(model, LatePenalty(1, L1(0.7))) == pytest.approx(expected)


def test_two_in_one_training():
    model, own = compiled(L2(0.3)), fit(compiled(L2(0.3)))
    one, two = (fit(compiled(L2(0.3)), LatePenalty(e, L1(0.7)))[3] - own[3] for e in (1, 2))
    both = fit(model, LatePenalty(1, L1(0.7)), LatePenalty(2, L1(0.7)))
    assert both[0] == pytest.approx(own[0]) and both[3] - own[3] == pytest.approx(one + two)
    assert fit(model) == pytest.approx(own)


def test_validation_has_it_from_the_same_epoch_on_and_evaluation_after_it_not():
    model, data = compiled(), (X, X[:, :1])
    penalty = LatePenalty(2, L1(0.7))
    history = model.fit(
        *data, epochs=4, callbacks=[penalty], validation_data=data, verbose=0
    ).history  # fmt: skip
    size = history["loss"][2] - history["loss"][1]
    without = model.evaluate(*data, verbose=0)
    assert history["val_loss"][3] - without == pytest.approx(size, rel=0.01)
    assert history["val_loss"][2] - history["val_loss"][1] > size / 2


def test_small_weights_go_to_zero():
    """With the true function sparse, L1 at the end leaves only what it needs."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    fit(model, LatePenalty(30, L1(0.1)), epochs=90)
    kernel = abs(model.get_weights()[0][:, 0])
    assert kernel[0] > 0.7 and kernel[1:].max() < 0.02


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="it runs there already")
def test_the_same_on_jax():
    pytest.importorskip("jax")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1,), "start_epoch must be an int >= 0"),
        ((1, "l3"), "There is no regulariser 'l3'"),
        ((1, None), "regularizer must be one"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        LatePenalty(*arguments)


@pytest.mark.parametrize("inner", [False, True], ids=["nothing", "a part"])
def test_a_model_without_weights_before_its_first_batch(inner):
    layers = [keras.layers.Dropout(0.1), keras.layers.Dense(1)]
    if inner:
        layers.insert(1, keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)]))
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    with pytest.raises(InputError, match="no weights before its first batch"):
        fit(model, LatePenalty(0))
    losses = fit(model, LatePenalty(2, L1(0.7)))
    assert losses[2] > losses[1]


def test_a_later_start_finds_the_weights_that_the_first_batch_made():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    losses = fit(model, LatePenalty(1, L1(0.7)), epochs=2)
    assert losses[1] - losses[0] == pytest.approx(0.7 * abs(model.get_weights()[0]).sum(), rel=1e-4)
