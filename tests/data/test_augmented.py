"""Augmented batches are a function of (seed, epoch, index), whoever asks and when."""

import concurrent.futures

import keras
import numpy as np
import pytest

from kerascnn import InputError, augment
from kerascnn.data import from_arrays
from kerascnn.data.augmented import as_layers, options

L = keras.layers
IMAGES = np.random.default_rng(0).integers(256, size=(40, 8, 8, 3), dtype="uint8")
LAYERS = {
    "flip": lambda: L.RandomFlip(),
    "rotation": lambda: L.RandomRotation(0.2),
    "crop": lambda: L.RandomCrop(5, 5),
    "erasing": lambda: L.RandomErasing(factor=1.0),
    "mixup": lambda: L.MixUp(0.4),
    "cutmix": lambda: L.CutMix(),
    "chain": lambda: L.Pipeline([L.RandomTranslation(0.2, 0.2), L.RandomBrightness(0.3)]),
    "randaugment": lambda: L.RandAugment(),
    "perspective": lambda: L.RandomPerspective(factor=1.0),
    "elastic": lambda: L.RandomElasticTransform(factor=1.0),
    "blur": lambda: L.RandomGaussianBlur(factor=(1, 1), sigma=(1, 1)),
    "sharpness": lambda: L.RandomSharpness(0.5),
    "invert": lambda: L.RandomInvert(factor=1.0),
    "nothing drawn": lambda: L.Resizing(4, 4),
}


def split(one_hot=True, **more):
    return from_arrays(IMAGES, [0, 1] * 20, batch_size=8, one_hot=one_hot, **more).train


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b))


@pytest.mark.parametrize("name", LAYERS)
def test_a_batch_is_a_function_of_seed_epoch_and_index(name):
    first, second = (split().augment(LAYERS[name]()) for _ in range(2))
    batch = first.batch(3, 1)
    second.batch(0, 0), second.batch(7, 2)
    assert same(second.batch(3, 1), batch)
    assert batch[0].dtype == batch[1].dtype == np.float32
    assert len(batch[0]) == len(batch[1]) == 8
    assert not same(split(seed=1).augment(LAYERS[name]()).batch(3, 1), batch)
    plain = split().batch(3, 1)
    changed = batch[0].shape != plain[0].shape or (batch[0] != plain[0]).any()
    assert changed
    labels_change = name in ("mixup", "cutmix")
    assert labels_change == (batch[1] != plain[1]).any()
    np.testing.assert_allclose(batch[1].sum(1), 1, atol=1e-6)


def test_draws_differ_between_batches_epochs_and_layers():
    noise = [L.GaussianNoise(1.0), L.GaussianNoise(1.0)]
    augmented = split().augment(*noise)
    plain = split()
    found = [augmented.batch(e, i)[0] - plain.batch(e, i)[0] for e in (0, 1) for i in (0, 1)]
    flat = [np.round(part.ravel(), 3)[:50].tolist() for part in found]
    assert len(set(map(tuple, flat))) == 4
    # Two independent draws have twice the variance; the same one twice would have four times.
    assert 1.6 < np.var(np.concatenate(found)) < 2.4


def test_threads_do_not_mix_draws():
    augmented = split().augment(L.RandomRotation(0.2), L.MixUp(0.4))
    expected = [augmented.batch(e, i) for e in range(4) for i in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda k: augmented.batch(k // 4, k % 4), range(16)))
    assert all(same(a, b) for a, b in zip(found, expected))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", LAYERS)
def test_batches_are_float32_under_mixed_precision(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        images, labels = split().augment(LAYERS[name]()).batch(0, 0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert images.dtype == labels.dtype == np.float32 and np.isfinite(images).all()


def test_fit_reads_the_epochs_in_turn():
    augmented = split().augment(L.RandomFlip())
    model = keras.Sequential([keras.Input((8, 8, 3)), L.Flatten(), L.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(augmented, epochs=2, shuffle=False, verbose=0)
    assert augmented.epoch == 2 and augmented.num_batches == 4
    assert same(augmented[1], augmented.batch(2, 1))
    with pytest.raises(IndexError, match="Batches are numbered 0 to 3"):
        augmented[4]


@pytest.mark.parametrize("layer", [L.MixUp, L.CutMix])
def test_mixed_labels_must_be_one_hot(layer):
    with pytest.raises(InputError, match="mixes labels, which must be one-hot: .* one_hot=True"):
        split(one_hot=False).augment(layer())


def test_a_list_of_layers_is_as_the_layers():
    first, second = split().augment(ours()), split().augment(*ours())
    assert same(first.batch(2, 1), second.batch(2, 1))
    assert first.fingerprint() == second.fingerprint()
    assert split().augment([]).layers == split().augment().layers == []


@pytest.mark.parametrize(
    "layer", ["light", lambda x: x, augment.RandomAffine, None, [L.RandomFlip(), "light"]]
)
def test_what_is_no_layer_is_refused_at_once(layer):
    received = layer[-1] if isinstance(layer, list) else layer
    with pytest.raises(InputError, match="Expected layers of kerascnn.augment or Keras") as error:
        split().augment(layer)
    assert str(error.value).endswith(f"Received: {received!r}.")


def test_layers_that_draw_for_each_image():
    layers = ours()
    assert as_layers(layers, draws_for_each=True) == layers
    assert as_layers(layers[0], draws_for_each=True) == layers[:1]
    with pytest.raises(InputError, match="draw for each image. Received: RandomFlip"):
        as_layers([*layers, L.RandomFlip()], draws_for_each=True)


def test_layers_for_another_range_are_refused():
    with pytest.raises(InputError, match=r"takes values \(0, 1\), and a split's pixels are 0-255"):
        split().augment(augment.RandomAffine("horizontal", value_range=(0, 1)))


def test_the_fingerprint_is_of_what_decides_the_batches():
    def of(*layers, **more):
        return split(**more).augment(*layers).fingerprint()

    chain = [L.Pipeline([L.RandomRotation(0.2), L.RandomFlip()]) for _ in range(2)]
    assert of(L.RandomCrop(4, 4)) == of(L.RandomCrop(4, 4))  # each with a seed of its own
    assert of(chain[0]) == of(chain[1])
    assert of(L.RandomRotation(0.2)) != of(L.RandomRotation(0.3))
    assert of(L.RandomFlip(), L.MixUp()) != of(L.MixUp(), L.RandomFlip())
    assert of(L.RandomFlip()) != of(L.RandomFlip(), seed=1)


def test_options_of_a_layer():
    config = L.Bidirectional(L.GRU(2, name="mine_7"), name="outer_3").get_config()
    found = options(config)
    assert found["name"] == "outer" and found["layer"]["config"]["name"].endswith("mine")
    assert "seed" not in found["layer"]["config"]["kernel_initializer"]["config"]
    assert found["dtype"]["config"]["name"] == "float32"


def ours():
    return [augment.RandomAffine("horizontal", 20, 0.1), augment.ColorJitter()]


def test_our_layers_draw_for_each_photo_whatever_batch_it_is_in():
    one, many = (from_arrays(IMAGES, [0, 1] * 20, batch_size=size) for size in (1, 40))
    pixels = many.train.augment(*ours()).batch(2, 0)[0]
    order = many.train.order(2)
    for place in (0, 5, 31):
        alone = one.train.augment(*ours()).batch(2, place)[0]
        np.testing.assert_array_equal(alone[0], pixels[place])
    other = many.train.augment(*ours()).batch(3, 0)[0]
    again = pixels[np.argsort(order)] != other[np.argsort(many.train.order(3))]
    assert again.any(axis=(1, 2, 3)).all()


def test_threads_make_the_same_batches():
    train = split().augment(*ours(), L.RandomErasing(1.0))
    asked = [(epoch, index) for epoch in (0, 1) for index in range(4)] * 3
    expected = [split().augment(*ours(), L.RandomErasing(1.0)).batch(*key) for key in asked]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda key: train.batch(*key), asked))
    assert all(same(a, b) for a, b in zip(found, expected))


def test_our_layers_after_keras_ones_use_the_reference():
    images, _ = split().augment(L.Resizing(6, 6), *ours()).batch(0, 0)
    assert images.shape == (8, 6, 6, 3) and images.dtype == np.float32
    assert (images != np.rint(images)).any()


def test_without_training_photos_are_as_they_are():
    plain = split().batch(1, 2)
    assert same(split().augment(*ours(), L.RandomFlip(), training=False).batch(1, 2), plain)
