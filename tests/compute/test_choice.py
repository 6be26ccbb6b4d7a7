"""A choice is applied, shown, and makes the batches that it needs."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.compute import ComputeChoice


def network():
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


def split():
    images = np.random.default_rng(0).integers(256, size=(50, 8, 8), dtype="uint8")
    return kc.data.from_arrays(images, np.arange(50) % 2, batch_size=16).train


def test_the_model_trains_as_chosen():
    model = network()
    choice = ComputeChoice("mixed_float16", keras.backend.backend() == "jax", 2, 8, 4)
    applied = choice.apply(model)
    assert (applied.jit_compile, applied.steps_per_execution) == (choice.jit_compile, 2)
    assert applied.optimizer.inner_optimizer.gradient_accumulation_steps == 4
    for a, b in zip(applied.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    x = np.zeros((32, 8, 8, 1), "float32")
    logs = applied.fit(x, np.zeros((32, 2)), batch_size=8, verbose=0).history
    assert set(logs) == {"loss", "mae"} and int(applied.optimizer.iterations) == 1


def test_batches_become_smaller_and_hold_the_same_photos():
    large = split()
    small = ComputeChoice(micro_batch_size=8, accumulation_steps=2).data(large)
    assert large.batch_size == 16 and small.num_batches == -(-large.num_photos // 8)
    parts = np.concatenate([small.batch(3, 0)[0], small.batch(3, 1)[0]])
    np.testing.assert_array_equal(parts, large.batch(3, 0)[0])
    assert ComputeChoice(micro_batch_size=16).data(large) is large


def test_batches_of_a_dataset():
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((np.arange(8), np.arange(8))).batch(4)
    sizes = [len(x) for x, _ in ComputeChoice(micro_batch_size=2).data(data)]
    assert sizes == [2, 2, 2, 2]


def test_what_makes_its_own_batches_is_refused():
    augmented = split().augment(kc.augment.RandomAffine(flip="horizontal"))
    for data in (augmented, [1, 2]):
        with pytest.raises(kc.InputError, match="fit.batch_size=8"):
            ComputeChoice(micro_batch_size=8).data(data)


def test_what_is_shown():
    settings = {
        "precision": "float32", "jit_compile": False, "steps_per_execution": 1,
        "micro_batch_size": 32, "accumulation_steps": 1,
    }  # fmt: skip
    base = settings | {
        "ratio": 1.0, "lowest": 1.0, "highest": 1.0, "images_per_second": 1234.5, "loss": 2.3,
        "note": "as it is",
    }  # fmt: skip
    half = base | {"precision": "mixed_bfloat16", "ratio": None, "note": "fails: no"}
    assert (
        str(ComputeChoice(**settings, rows=(base, half)))
        == """\
precision       XLA  steps at once  batch  images/s  ratio     spread
--------------  ---  -------------  -----  --------  -----  ---------  ----------------
float32         no               1     32     1,234   1.00  1.00-1.00  chosen, as it is
mixed_bfloat16  no               1     32                              fails: no"""
    )
    assert ComputeChoice(**settings).settings() == settings
    with pytest.raises(kc.InputError, match="compiled"):
        ComputeChoice().apply(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
