import keras
import numpy as np
import pytest
from keras import layers

import kerascnn as kc
from kerascnn import InputError
from kerascnn.ensembles import average_weights, ensemble, recalibrate_batch_norm

RNG = np.random.default_rng(0)
X = RNG.integers(256, size=(16, 12, 12, 3)).astype("float32")
Y = RNG.integers(4, size=16)


def member(classes=4, flip=True, filters=3, sequential=False):
    """A small network with preprocessing, batch normalisation and a shortcut; random weights."""
    if sequential:
        parts = [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(classes, "softmax")]
        return keras.Sequential([keras.Input((12, 12, 3)), *parts])
    inputs = keras.Input((12, 12, 3))
    x = inputs[..., ::-1] if flip else inputs
    x = layers.Rescaling(1 / 255, name="scale")(x)
    x = layers.Conv2D(filters, 3, padding="same", name="conv")(x)
    y = layers.BatchNormalization(name="bn")(x)
    x = layers.Add(name="add")([x, layers.ReLU(name="relu")(y)])
    x = layers.Dropout(0.5, name="dropout")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(inputs, layers.Dense(classes, "softmax", name="output")(x))
    kernels = [RNG.normal(size=w.shape) if w.ndim > 1 else w for w in model.get_weights()]
    model.set_weights(kernels)
    return model


def predictions(*models):
    return [model.predict(X, verbose=0) for model in models]


def layer_names(model):
    return [layer.name for layer in model.layers]


def test_soft_votes_are_the_mean_and_members_stay():
    members = [member() for _ in range(3)]
    before = [model.get_weights() for model in members]
    (result,) = predictions(ensemble(members))
    np.testing.assert_allclose(result, np.mean(predictions(*members), 0), atol=1e-6)
    for model, weights in zip(members, before):
        for a, b in zip(model.get_weights(), weights):
            np.testing.assert_array_equal(a, b)


def test_weights_are_shares_and_hard_votes_are_counted():
    members = [member() for _ in range(3)]
    ys = predictions(*members)
    (result,) = predictions(ensemble(members, weights=[2, 1, 1]))
    np.testing.assert_allclose(result, (2 * ys[0] + ys[1] + ys[2]) / 4, atol=1e-6)
    (result,) = predictions(ensemble(members, vote="hard"))
    counts = np.mean([np.eye(4)[y.argmax(-1)] for y in ys], 0)
    np.testing.assert_allclose(result, counts, atol=1e-6)


def test_a_hard_vote_of_one_probability_is_yes_or_no():
    members = [keras.Sequential([keras.Input((1,)), layers.Dense(1, "sigmoid")]) for _ in range(3)]
    for model, bias in zip(members, (-1.0, 1.0, 0.0)):
        model.set_weights([np.ones((1, 1)), np.array([bias])])
    found = ensemble(members, vote="hard")(np.array([[-2.0], [0.5], [2.0]]))
    np.testing.assert_allclose(np.ravel(found), [0, 2 / 3, 1], atol=1e-6)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_hard_vote_of_sigmoids_is_one_of_each(wrapped):
    def member():
        last = [layers.Activation("linear", dtype="float32")] if wrapped else []
        return keras.Sequential([keras.Input((3,)), layers.Dense(3, "sigmoid"), *last])

    members = [member(), member()]
    for model, bias in zip(members, ([3.0, 2.0, 1.0], [3.0, 2.0, -1.0])):
        model.set_weights([np.zeros((3, 3)), np.array(bias)])
    found = ensemble(members, vote="hard")(np.ones((1, 3)))
    np.testing.assert_array_equal(found, [[1, 1, 0.5]])


def test_preprocessing_is_shared_and_the_rest_is_not():
    result = ensemble([member(), member()])
    names = layer_names(result)
    assert names.count("scale") == 1 and "member2_scale" not in names
    assert "conv" in names and "member2_conv" in names
    different = ensemble([member(), member(flip=False)])
    assert "member2_scale" in layer_names(different)


def test_a_frozen_backbone_is_shared_and_only_the_heads_differ():
    model = member()
    other = member()
    for layer in model.layers:
        if layer.weights and layer.name != "output":
            other.get_layer(layer.name).set_weights(layer.get_weights())
    result = ensemble([model, other])
    assert layer_names(result)[1:] == [*layer_names(model)[1:], "member2_output", "vote"]
    np.testing.assert_allclose(
        *predictions(result), np.mean(predictions(model, other), 0), atol=1e-6
    )


def test_members_may_differ_and_be_ensembles():
    first = ensemble([member(), member(filters=5)])
    second = ensemble([member(sequential=True), first], weights=[1, 3])
    third = ensemble([second, first], vote="hard")
    ys = predictions(*[second, first])
    assert predictions(third)[0].shape == ys[0].shape
    assert len(set(layer_names(third))) == len(third.layers)


def test_a_saved_ensemble_opens_with_plain_keras(tmp_path):
    for i, vote in enumerate(["soft", "hard"]):
        model = ensemble([member(), member(sequential=True)], [1, 2], vote)
        model.save(tmp_path / f"{i}.keras")
        again = keras.models.load_model(tmp_path / f"{i}.keras")
        np.testing.assert_allclose(*predictions(model, again), atol=1e-6)
        assert kc.load_model(tmp_path / f"{i}.keras").output_shape == (None, 4)


def test_members_from_files(tmp_path):
    members = [member(), member()]
    for i, model in enumerate(members):
        model.save(tmp_path / f"{i}.keras")
        model.save_weights(tmp_path / f"{i}.weights.h5")
    expected = ensemble(members)
    whole = ensemble([tmp_path / "0.keras", tmp_path / "1.keras"])
    weights = ensemble([tmp_path / "0.weights.h5", tmp_path / "1.weights.h5"], model=member())
    for result in predictions(whole, weights):
        np.testing.assert_allclose(result, *predictions(expected), atol=1e-6)
    with pytest.raises(InputError, match="holds weights only: pass model="):
        ensemble([tmp_path / "0.weights.h5", tmp_path / "1.weights.h5"])
    with pytest.raises(InputError, match="does not hold the weights of"):
        ensemble([tmp_path / "0.weights.h5", members[0]], model=member(filters=7))


def test_half_precision_members_vote_in_float32():
    with_half = []
    for _ in range(2):
        model = member()
        for layer in model.layers:
            layer.dtype_policy = "mixed_bfloat16"
        with_half.append(model)
    result = ensemble([keras.Model.from_config(model.get_config()) for model in with_half])
    assert result.get_layer("conv").compute_dtype == "bfloat16"
    assert keras.backend.standardize_dtype(result.output.dtype) == "float32"


def compiled(model):
    model.compile(keras.optimizers.SGD(0.1), lambda y, p: keras.ops.mean(p[:, 0]))
    return model


def test_compiled_members_whatever_their_loss():
    members = [compiled(member()), compiled(member())]
    np.testing.assert_allclose(
        *predictions(ensemble(members)), np.mean(predictions(*members), 0), atol=1e-6
    )


def test_an_ensemble_trains_on():
    model = ensemble([member(), member()])
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert all((a != b).any() for a, b in zip(before, model.get_weights()) if a.ndim > 1)


def test_mean_weights():
    members = [member(), member(), member()]
    result = average_weights(members, weights=[1, 1, 2])
    for mean, *own in zip(*(model.get_weights() for model in [result, *members])):
        np.testing.assert_allclose(mean, (own[0] + own[1] + 2 * own[2]) / 4, atol=1e-6)
    same = average_weights([members[0], members[0]])
    np.testing.assert_allclose(*predictions(same, members[0]), atol=1e-6)
    with pytest.raises(InputError, match="Weights of other shapes have no mean: member 2"):
        average_weights([member(), member(filters=5)])


def test_mean_weights_of_16_bits():
    members = [
        keras.Sequential([keras.Input((1,)), layers.Dense(1, dtype="bfloat16")]) for _ in "ab"
    ]
    for model, value in zip(members, (1.0, 3.0)):
        model.set_weights([np.full((1, 1), value), np.zeros(1)])
    mean = average_weights(members).get_weights()[0]
    assert float(mean[0, 0]) == 2 and str(mean.dtype) == "bfloat16"


def test_statistics_of_averaged_weights_are_estimated_anew():
    model = average_weights([member(), member()])
    recalibrate_batch_norm(model, [X])
    conv = keras.Model(model.input, model.get_layer("conv").output)(X)
    statistics = model.get_layer("bn").get_weights()[2:]
    np.testing.assert_allclose(statistics[0], np.mean(conv, (0, 1, 2)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(statistics[1], np.var(conv, (0, 1, 2)), rtol=1e-3)


def test_keras_averages_the_weights_of_a_run():
    """Polyak: a = m a + (1 - m) w after each step, from the weights after the first one on."""
    x, y = RNG.normal(size=(4, 3)).astype("float32"), np.ones((4, 1))
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.75)
    model.compile(optimizer, "mse")
    plain = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    plain.compile(keras.optimizers.SGD(0.1), "mse")
    plain.set_weights(model.get_weights())
    plain.train_on_batch(x, y)
    average = plain.get_weights()[0]
    for _ in range(4):
        plain.train_on_batch(x, y)
        average = 0.75 * average + 0.25 * plain.get_weights()[0]
    swap = keras.callbacks.SwapEMAWeights()
    model.fit(x, y, epochs=5, batch_size=4, callbacks=[swap], verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], average, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ensemble([member()]), "At least two members are needed. Received: 1"),
        (lambda: ensemble([member(), member(5)]), r"Member 2, .* gives \(None, 5\), but the first"),
        (lambda: ensemble([member(), member()], vote="loud"), "Unknown vote 'loud'"),
        (lambda: ensemble([member(), member()], [1]), "must be 2 numbers of at least 0"),
        (lambda: ensemble([member(), member()], [0, 0]), "not all 0"),
        (
            lambda: ensemble([member(), member()], {"a": 1, "b": 3}),
            "keys 0 to 1. Received: 'a', 'b",
        ),
        (lambda: ensemble(["nothing.keras", member()]), "No model at nothing.keras"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")  # of Keras Tuner
def test_the_best_of_a_search(tmp_path):
    keras_tuner = pytest.importorskip("keras_tuner")

    def build(choices):
        model = member(filters=choices.Int("filters", 2, 5))
        model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
        return model

    tuner = keras_tuner.RandomSearch(build, "loss", max_trials=3, directory=tmp_path)
    tuner.search(X, Y, verbose=0)
    best = tuner.get_best_models(2)
    (result,) = predictions(ensemble(best))
    np.testing.assert_allclose(result, np.mean(predictions(*best), 0), atol=1e-6)
