"""Layer-wise rates: which layers get which, that they are the steps taken, and that they last."""

import keras
import numpy as np
import pytest

from kerascnn import InputError, load_model
from kerascnn.models import CifarResNet20
from kerascnn.optimizers import layer_rates

K = keras.optimizers
L = keras.layers
X = np.random.default_rng(0).normal(size=(12, 8, 8, 1)).astype("float32")
Y = np.arange(12) % 3


def network():
    """Two parts in a model of their own, one with a normalisation, and a head."""
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            L.Conv2D(4, 3, use_bias=False, name="conv1"),
            L.BatchNormalization(name="bn1"),
            L.Conv2D(4, 3, activation="relu", name="conv2"),
            L.Flatten(name="flat"),
        ],
        name="inner",
    )
    inputs = keras.Input((8, 8, 1))
    outputs = L.Dense(3, "softmax", name="head", dtype="float32")(inner(inputs))
    return keras.Model(inputs, outputs)


def compiled(optimizer, **options):
    model = network()
    rates = layer_rates(model, optimizer, verbose=False, **options)
    model.compile(rates, "sparse_categorical_crossentropy", run_eagerly=True)
    return model


def rates(model):
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return [float(part.learning_rate) for part in optimizer.optimizers]


def moves(model, steps=1):
    """How far each weight goes: conv1, gamma, beta, conv2 and its bias, head and its bias."""
    before = [np.array(v) for v in model.trainable_variables]
    for _ in range(steps):
        model.train_on_batch(X, Y)
    return [np.array(v) - b for v, b in zip(model.trainable_variables, before)]


def test_each_part_takes_its_share_of_the_plain_step():
    plain = network()
    plain.compile(K.SGD(0.1), "sparse_categorical_crossentropy", run_eagerly=True)
    shares = [0.25, 0.25, 0.25, 0.5, 0.5, 1, 1]
    for step, whole, share in zip(moves(compiled(K.SGD(0.1), decay=0.5)), moves(plain), shares):
        np.testing.assert_allclose(step, share * whole, rtol=1e-4, atol=1e-7)


def test_no_decay_is_the_plain_optimizer():
    plain = network()
    plain.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    expected = moves(plain, 3)
    for optimizer in ("adam", K.Adam()):
        for step, whole in zip(moves(compiled(optimizer, decay=1), 3), expected):
            np.testing.assert_allclose(step, whole, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("groups, factors", [(1, [1]), (2, [1, 0.5]), (9, [1, 0.5, 0.25])])
def test_the_number_of_groups(groups, factors):
    model = compiled(K.SGD(0.1), decay=0.5, groups=groups)
    np.testing.assert_allclose(rates(model), 0.1 * np.array(factors), rtol=1e-6)


def test_the_groups_are_printed_and_hold_every_weight_once(capsys):
    model = CifarResNet20()
    optimizer = layer_rates(model, K.SGD(0.1), groups=5)
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["layers", "rate", "factor", "weights"] and len(rows) == 5
    assert rows[0].split() == ["output", "0.1", "1", "650"]
    counts = [int(row.split()[-1].replace(",", "")) for row in rows]
    assert sum(counts) == sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    optimizer.build(model.trainable_variables)
    assert [len(part._trainable_variables) > 0 for part in optimizer.optimizers] == [True] * 5
    kernels = [v for v in model.trainable_variables if v.path.endswith("kernel")]
    by_path = {
        v.path: i for i, part in enumerate(optimizer.optimizers) for v in part._trainable_variables
    }
    order = [by_path[v.path] for v in kernels]
    assert order == sorted(order, reverse=True) and len(by_path) == len(model.trainable_variables)


def test_frozen_layers_belong_to_no_group(capsys):
    model = network()
    model.get_layer("inner").get_layer("conv1").trainable = False
    layer_rates(model, K.SGD(0.1), decay=0.5)
    shown = capsys.readouterr().out
    assert "bn1 ... conv2" in shown and "conv1" not in shown  # what was behind conv1 joins conv2


@pytest.mark.thorough
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: K.AdamW(0.01, weight_decay=0.1, clipnorm=1.0),
        lambda: K.SGD(K.schedules.CosineDecay(0.1, 20), momentum=0.9),
        lambda: K.SGD(0.1, use_ema=True, ema_momentum=0.5),
    ],
    ids=["AdamW", "schedule", "EMA"],
)
def test_saved_in_the_middle_it_goes_on_as_if_it_was_not(optimizer, tmp_path):
    whole, half = compiled(optimizer(), decay=0.5), compiled(optimizer(), decay=0.5)
    moves(whole, 6)
    moves(half, 3)
    half.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert rates(again) == rates(half) and len(rates(again)) == 3
    moves(again, 3)
    for one, two in zip(again.variables, whole.variables):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    assert len(again.optimizer.variables) == len(whole.optimizer.variables)


def test_a_schedule_is_scaled():
    schedule = K.schedules.PiecewiseConstantDecay([2], [0.1, 0.01])
    model = compiled(K.SGD(schedule), decay=0.5)
    np.testing.assert_allclose(rates(model), [0.1, 0.05, 0.025], rtol=1e-6)
    moves(model, 3)
    np.testing.assert_allclose(rates(model), [0.01, 0.005, 0.0025], rtol=1e-6)


def test_a_plateau_lowers_all_rates():
    model = compiled(K.SGD(0.1), decay=0.5)
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=9)
    model.fit(X, Y, epochs=3, callbacks=[plateau], verbose=0)
    np.testing.assert_allclose(np.divide(rates(model), rates(model)[0]), [1, 0.5, 0.25], rtol=1e-4)
    assert rates(model)[0] < 0.02


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    expected = moves(compiled(K.SGD(0.1), decay=0.5))
    keras.config.set_dtype_policy(policy)
    try:
        model = compiled(K.SGD(0.1), decay=0.5)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(rates(model), [0.1, 0.05, 0.025], rtol=1e-6)
    for rough, exact in zip(moves(model), expected):
        if np.abs(exact).max() > 1e-4:
            assert np.linalg.norm(rough - exact) < 0.2 * np.linalg.norm(exact)


BAD = {
    "a number": (network, {"optimizer": 0.1}, r"Keras optimiser or its name.*Received: 0\.1"),
    "several": (
        network,
        {"optimizer": K.MultiOptimizer(K.OptimizerMap(K.SGD()))},
        "not MultiOptimizer",
    ),
    "a negative rate": (network, {"optimizer": K.SGD(-0.1)}, "must be above 0.*-0.1"),
    "decay": (network, {"decay": 1.5}, "decay must be above 0 and at most 1"),
    "groups": (network, {"groups": 0}, "groups must be an int >= 1"),
    "not built": (lambda: keras.Sequential([L.Dense(1)]), {}, "no trainable weights"),
}


@pytest.mark.parametrize("make, options, told", BAD.values(), ids=BAD)
def test_bad_arguments(make, options, told):
    with pytest.raises(InputError, match=told):
        layer_rates(make(), **{"optimizer": K.SGD(0.1)} | options)


def test_layers_of_one_name_are_refused():
    below = keras.Sequential([keras.Input((2,)), L.Dense(2, name="same")], name="below")
    above = keras.Sequential([keras.Input((2,)), L.Dense(2, name="same")], name="above")
    model = keras.Sequential([keras.Input((2,)), below, above])
    with pytest.raises(InputError, match="Another group has a layer with the name of .*same/kern"):
        layer_rates(model, K.SGD(0.1))


def test_groups_may_be_named():
    """The head's first; a group without weights that train is left out."""
    groups = [["head"], ["flat"], ["conv2", "bn1"], ["conv1"]]
    assert rates(compiled(K.SGD(0.1), decay=0.5, groups=groups)) == pytest.approx(
        [0.1, 0.05, 0.025]
    )
    with pytest.raises(InputError, match=r"every layer that trains. Missing: \['conv1'"):
        compiled(K.SGD(0.1), groups=groups[:3])
