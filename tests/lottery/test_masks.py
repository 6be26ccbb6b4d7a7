import keras
import numpy as np
import pytest
from keras import layers

from kerascnn import InputError
from kerascnn.lottery import hold, kept, load_masks, prune, save_masks

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 6, 6, 2)).astype("float32")
Y = RNG.integers(3, size=32)


def network():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(8, 3, name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.Flatten(),
            layers.Dense(10, activation="relu", name="hidden"),
            layers.Dense(3, name="output"),
        ]
    )


def compiled(optimizer="sgd", model=None, **options):
    model = model or network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, **options)
    return model


def kernel(model, name):
    return model.get_layer(name).get_weights()[0]


def pruned(masks):
    return {name: int((~mask).sum()) for name, mask in masks.items()}


def test_the_smallest_of_each_layer_go():
    model = network()
    masks = prune(model, {"output": 0.1, "*": 0.2}, scope="layer")
    assert pruned(masks) == {"conv/kernel": 29, "hidden/kernel": 256, "output/kernel": 3}
    for name in ("conv", "hidden", "output"):
        sizes, mask = abs(kernel(model, name)), masks[f"{name}/kernel"]
        assert sizes[~mask].max() < sizes[mask].min()


def test_globally_the_smallest_of_all_go():
    model = network()
    model.get_layer("conv").kernel.assign(5 + kernel(model, "conv"))
    masks = prune(model, {"output": 0, "*": 0.5})
    assert pruned(masks) == {"conv/kernel": 0, "hidden/kernel": 712, "output/kernel": 0}
    sizes, mask = abs(kernel(model, "hidden")), masks["hidden/kernel"]
    assert sizes[~mask].max() < sizes[mask].min()


def test_rounds_prune_a_share_of_what_is_left():
    model, masks = network(), None
    for _ in range(3):
        before, masks = masks, prune(model, 0.2, masks)
        if before:
            assert all((masks[name] <= before[name]).all() for name in masks)
    assert kept(masks) == pytest.approx(0.8**3, abs=1e-3)


def test_ties_are_pruned_in_the_exact_number():
    model = keras.Sequential([keras.Input((10,)), layers.Dense(10, "relu", False, "ones")])
    assert kept(prune(model, 0.37)) == 0.63


OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "accumulated": lambda: keras.optimizers.SGD(0.1, 0.9, gradient_accumulation_steps=2),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_pruned_weights_are_zero_after_every_step_and_the_others_learn(make, jit_compile):
    """Trained before, so that momentum and moments point away from zero."""
    model = compiled(make(), jit_compile=jit_compile)
    model.fit(X, Y, epochs=2, verbose=0)
    masks, before = prune(model, 0.6), model.get_weights()
    hold(model, masks)
    for _ in range(3):
        model.fit(X, Y, batch_size=16, verbose=0)
        for name, mask in masks.items():
            weights = kernel(model, name.split("/")[0])
            assert (weights[~mask] == 0).all() and (weights[mask] != 0).all()
    assert all((a != b).any() for a, b in zip(before, model.get_weights()))


def test_under_mixed_precision_with_loss_scaling():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled(keras.optimizers.Adam(0.01))
    finally:
        keras.config.set_dtype_policy(policy)
    masks = prune(model, 0.5)
    hold(model, masks)
    model.fit(X, Y, epochs=2, verbose=0)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert (kernel(model, "hidden")[~masks["hidden/kernel"]] == 0).all()


def test_training_a_held_model_is_training_the_small_network():
    """Masking by hand after each step of plain SGD gives the same weights."""
    keras.utils.set_random_seed(0)
    model = compiled(keras.optimizers.SGD(0.1))
    by_hand = compiled(keras.optimizers.SGD(0.1))
    masks = prune(model, 0.5)
    hold(model, masks)
    by_hand.set_weights(model.get_weights())
    for _ in range(4):
        model.train_on_batch(X, Y)
        by_hand.train_on_batch(X, Y)
        for name, mask in masks.items():
            variable = by_hand.get_layer(name.split("/")[0]).kernel
            variable.assign(variable * mask)
    for a, b in zip(model.get_weights(), by_hand.get_weights()):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_constraint_of_the_kernel_stays_and_masks_replace_masks():
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(4, kernel_constraint="non_neg", name="fc")]
    )
    model.compile(keras.optimizers.SGD(1.0), "mse")
    first = prune(model, 0.5)
    hold(model, first)
    hold(model, {"fc/kernel": ~first["fc/kernel"]})
    model.get_layer("fc").kernel.assign(np.ones((6, 4)))
    for _ in range(3):
        model.train_on_batch(X[:, 0, :3].reshape(32, 6), RNG.normal(size=(32, 4)))
    weights = kernel(model, "fc")
    assert (weights >= 0).all() and (weights[first["fc/kernel"]] == 0).all()
    assert (weights > 0).any()


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="Keras 3.15 cannot fit twice with use_ema on JAX"
)
def test_averages_need_the_masks_once_more():
    model = compiled(keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=0.5))
    model.fit(X, Y, verbose=0)
    masks = prune(model, 0.5)
    hold(model, masks)
    model.fit(X, Y, epochs=2, verbose=0)  # ends with the averages as weights
    hold(model, masks)
    assert (kernel(model, "hidden")[~masks["hidden/kernel"]] == 0).all()


def test_a_saved_model_is_plain_and_masks_are_small(tmp_path):
    model = compiled()
    masks = prune(model, 0.9)
    hold(model, masks)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(kernel(again, "hidden"), kernel(model, "hidden"))
    assert again.get_layer("hidden").kernel.constraint is None
    save_masks(tmp_path / "masks.npz", masks)
    loaded = load_masks(tmp_path / "masks.npz")
    assert loaded.keys() == masks.keys()
    for name, mask in masks.items():
        np.testing.assert_array_equal(loaded[name], mask)
    save_masks(tmp_path / "no_suffix", masks)
    assert load_masks(tmp_path / "no_suffix").keys() == masks.keys()
    assert {path.name for path in tmp_path.iterdir()} >= {"masks.npz", "no_suffix"}
    assert not list(tmp_path.glob(".*"))  # nothing stays behind
    large = {"fc/kernel": RNG.uniform(size=(1000, 1000)) < 0.1}
    save_masks(tmp_path / "large.npz", large)
    assert (tmp_path / "large.npz").stat().st_size < 130_000


def test_masks_fit_another_build_by_name_or_by_order():
    def unnamed():
        return keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Dense(2)])

    masks = prune(unnamed(), 0.5)
    model = unnamed()
    hold(model, masks)
    for weights, mask in zip(model.get_weights()[::2], masks.values()):
        np.testing.assert_array_equal(weights != 0, mask)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fraction": 1.0}, r"`fraction` must be in \[0, 1\). Received: fraction=1.0"),
        ({"fraction": {"conv": -0.1}}, "must be in"),
        ({"fraction": {"dense*": 0.1}}, "No layer with a kernel has a name like 'dense"),
        ({"fraction": 0.1, "scope": "local"}, "Unknown scope 'local'"),
        ({"fraction": 0.1, "masks": {"a/kernel": np.ones(3)}}, "'a/kernel' .* is absent in the"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        prune(network(), **options)


def test_masks_of_another_shape_change_nothing():
    model = network()
    before = model.get_weights()
    masks = prune(model, 0.5) | {"output/kernel": np.zeros((3, 3), bool)}
    with pytest.raises(InputError, match=r"'output/kernel' has shape \(3, 3\).*is \(10, 3\)"):
        hold(model, masks)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_file_without_masks(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    (tmp_path / "text.npz").write_text("masks, honestly")
    for name in ("other.npz", "text.npz"):
        with pytest.raises(InputError, match=f"No masks at .*{name}"):
            load_masks(tmp_path / name)
