"""A copy in another precision: the same weights, float32 where it matters, and the way back."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn.compute.precision import copied, precision_of, to_precision

pytestmark = pytest.mark.thorough

HALVES = ["mixed_bfloat16", "mixed_float16"]


def network(compiled=True):
    """Preprocessing, a nested backbone with normalisation and dropout, an operation, a head."""
    keras.utils.set_random_seed(0)
    backbone = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, name="conv"),
            keras.layers.BatchNormalization(name="bn"),
            keras.layers.Dropout(0.5, name="dropout"),
        ],
        name="backbone",
    )
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Normalization(mean=120.0, variance=60.0**2, name="grey")(image)
    x = keras.ops.relu(backbone(x))
    x = keras.layers.TimeDistributed(keras.layers.Dense(5, name="inner"), name="rows")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dense(3, name="logits")(x)
    model = keras.Model(image, keras.layers.Softmax(name="softmax")(x), name="small")
    if compiled:
        schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def batch(count=16, seed=0):
    labels = np.arange(count) % 3  # the brighter, the higher
    noise = np.random.default_rng(seed).integers(90, size=(count, 8, 8, 3))
    return (noise + 80 * labels[:, None, None, None]).astype("float32"), labels


def state(model):
    """Everything that a model holds, as arrays."""
    variables = model.variables + (model.optimizer.variables if model.compiled else [])
    return [keras.ops.convert_to_numpy(v) for v in variables]


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))


@pytest.mark.parametrize("precision", HALVES)
def test_what_computes_in_which_precision(precision):
    copy = to_precision(network(), precision)
    backbone, half = copy.get_layer("backbone"), precision.removeprefix("mixed_")
    layers = [layer for layer in [*copy.layers, *backbone.layers] if layer is not backbone]
    computed = {layer.name: layer.compute_dtype for layer in layers}
    assert {name for name, dtype in computed.items() if dtype == "float32"} == {
        "image", "grey", "logits", "softmax"
    }  # fmt: skip
    assert computed["conv"] == computed["pool"] == computed["rows"] == half
    assert copy.get_layer("rows").layer.compute_dtype == half
    assert {v.dtype for v in copy.trainable_variables} == {"float32"}
    assert keras.backend.standardize_dtype(copy(batch()[0]).dtype) == "float32"
    assert precision_of(copy) == precision and precision_of(network()) == "float32"


def test_a_head_before_the_weight_of_a_loss_stays_float32():
    both = kc.tasks.multi_task({"kind": kc.tasks.multi_class(3, logits=False)}, "learned")
    x = keras.layers.Dense(4, name="below")(image := keras.Input((5,)))
    copy = to_precision(keras.Model(image, both.head(x)), "mixed_float16")
    halves = [layer.name for layer in copy.layers if layer.compute_dtype == "float16"]
    assert halves == ["below"]


@pytest.mark.parametrize("precision", ["float32", *HALVES])
def test_there_and_back_is_the_same_to_the_bit(precision):
    model = network()
    model.fit(*batch(), verbose=0)
    before = state(model)
    copy = to_precision(model, precision)
    back = to_precision(copy, "float32")
    assert same(state(model), before)
    assert same(model.get_weights(), copy.get_weights())
    assert same([v.numpy() for v in model.variables], [v.numpy() for v in back.variables])
    expected = model.predict_on_batch(batch()[0])
    np.testing.assert_array_equal(back.predict_on_batch(batch()[0]), expected)
    np.testing.assert_allclose(copy.predict_on_batch(batch()[0]), expected, atol=0.02)
    assert (back.name, back.input.name) == (model.name, model.input.name)


def test_compiled_alike_with_a_new_optimizer():
    model = network()
    model.fit(*batch(), verbose=0)
    copy = to_precision(model, "mixed_float16")
    assert isinstance(copy.optimizer, keras.optimizers.LossScaleOptimizer)
    inner = copy.optimizer.inner_optimizer
    assert inner.get_config() == model.optimizer.get_config()
    assert int(inner.iterations) == 0 < int(model.optimizer.iterations)
    assert set(copy.evaluate(*batch(), verbose=0, return_dict=True)) == {"loss", "accuracy"}
    back = to_precision(copy, "float32")
    assert type(back.optimizer) is keras.optimizers.SGD


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_weights_that_are_left_out_of_weight_decay_stay_so(precision):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(2)])
    adam = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    adam.exclude_from_weight_decay(var_names=["bias"])
    model.compile(adam, "mse")
    copy = to_precision(model, precision)
    part = getattr(copy.optimizer, "inner_optimizer", copy.optimizer)
    found = [part._use_weight_decay(v) for v in copy.trainable_variables]
    assert found == [True, False, True, False]


def test_trained_alike_in_float32():
    model = network()
    copy = to_precision(model, "float32")  # the draws of dropout are the same too
    for each in (model, copy):
        each.fit(*batch(), batch_size=4, epochs=2, shuffle=False, verbose=0)
    assert same(model.get_weights(), copy.get_weights())


@pytest.mark.parametrize("precision", HALVES)
def test_half_precision_learns_and_is_saved(precision, tmp_path):
    model = network()
    copy = to_precision(model, precision)
    losses = copy.fit(*batch(), batch_size=8, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    copy.save(tmp_path / "half.keras")
    again = kc.load_model(tmp_path / "half.keras")
    assert precision_of(again) == precision
    np.testing.assert_array_equal(again.predict_on_batch(batch()[0]), copy.predict(batch()[0]))
    scaled = isinstance(again.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (precision == "mixed_float16")


def test_what_is_frozen_stays_frozen():
    model = network(compiled=False)
    model.get_layer("backbone").trainable = False
    model.get_layer("backbone").get_layer("conv").trainable = True
    copy = to_precision(model, "mixed_bfloat16")
    trained = [[v.shape for v in each.trainable_variables] for each in (model, copy)]
    assert trained[0] == trained[1] and len(trained[0]) == 6  # of 8; normalisation is still
    assert not copy.get_layer("backbone").trainable and not copy.compiled


@pytest.mark.parametrize("build", ["LeNet5", "AlexNet", "CifarResNet20"])
def test_networks_of_ours_equal_those_built_in_half_precision(build):
    options = {"input_shape": (67, 67, 3)} if build == "AlexNet" else {}
    model = getattr(kc.models, build)(**options)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        built = getattr(kc.models, build)(**options)
    finally:
        keras.config.set_dtype_policy("float32")
    copy = to_precision(model, "mixed_bfloat16")
    wanted, found = ({x.name: x.compute_dtype for x in m.layers} for m in (built, copy))
    differ = {name for name in wanted if wanted[name] != found[name]}
    assert {name for name in differ if model.get_layer(name).weights} == set()


def gradients_of(optimizer, batch_size, steps, precision="float32"):
    """The weights after an epoch in batches of this size, gradients of `steps` added up."""
    keras.utils.set_random_seed(0)
    layers = keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(optimizer, "mse")
    model = copied(model, precision, steps)
    x = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
    model.fit(x, x[:, :2], batch_size=batch_size, epochs=3, shuffle=False, verbose=0)
    return model


OPTIMIZERS = {
    "SGD": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "AdamW": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.05),
    "clipped": lambda rate: keras.optimizers.Adam(rate, global_clipnorm=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("scheduled", [False, True])
def test_small_batches_add_up_to_the_update_of_a_large_one(name, scheduled):
    rate = keras.optimizers.schedules.CosineDecay(0.1, 9) if scheduled else 0.05
    whole = gradients_of(OPTIMIZERS[name](rate), 32, 1)
    parts = gradients_of(OPTIMIZERS[name](rate), 8, 4)
    for a, b in zip(whole.get_weights(), parts.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert int(whole.optimizer.iterations) == int(parts.optimizer.iterations) == 6


def test_small_batches_add_up_with_loss_scaling():
    whole = gradients_of(keras.optimizers.SGD(0.05), 32, 1, "mixed_float16")
    parts = gradients_of(keras.optimizers.SGD(0.05), 8, 4, "mixed_float16")
    for a, b in zip(whole.get_weights(), parts.get_weights()):
        np.testing.assert_allclose(a, b, atol=2e-3)  # a half has 11 bits


def test_batch_normalisation_sees_the_small_batches():
    """What the docstring of `tune_compute` says: there the update is another one."""
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
    whole, parts = copied(model, "float32"), copied(model, "float32", 4)
    whole.fit(x, x[:, :2], batch_size=32, shuffle=False, verbose=0)
    parts.fit(x, x[:, :2], batch_size=8, shuffle=False, verbose=0)
    difference = max(abs(a - b).max() for a, b in zip(whole.get_weights(), parts.get_weights()))
    assert difference > 1e-3


class OwnLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(y_pred - y_true, axis=-1)


def averaged():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(use_ema=True), "mse")
    return model


def of_its_own():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", OwnLoss())
    return model


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: to_precision(network(), "float64"), "Unknown precision 'float64'"),
        (lambda: to_precision(keras.Sequential([keras.layers.Dense(1)]), "float32"), "an Input"),
        (lambda: to_precision("model", "float32"), "Received: str"),
        (lambda: copied(averaged(), "float32", 2), "use_ema"),
        (lambda: to_precision(of_its_own(), "float32"), "register_keras_serializable"),
    ],
)
def test_what_cannot_be(call, message):
    with pytest.raises(kc.InputError, match=message):
        call()
