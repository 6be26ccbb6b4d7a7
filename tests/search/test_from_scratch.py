"""The space of plain networks: what its values say is what is built, trained and found again."""

import cloudpickle
import keras
import keras_tuner
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import kerascnn as kc
from kerascnn.search import FromScratch

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    images = (x[:400].reshape(-1, 8, 8) * 15.9).astype("uint8")
    return kc.data.from_arrays(images, y[:400], splits=(0.7, 0.2, 0.1))


def default(space, **values):
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    space.declare_hyperparameters(hp)
    return hp


def sampled(space, seed):
    """Hyperparameters at random, as an oracle draws them."""
    hp, rng = default(space), np.random.default_rng(seed)
    for parameter in hp.space:
        hp.values[parameter.name] = parameter.prob_to_value(rng.random())
    hp.ensure_active_values()
    return hp


def of_kind(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize("seed", range(8))
def test_a_network_is_what_its_values_say(digits, seed):
    space = FromScratch(digits)
    hp = sampled(space, seed)
    model = space.build(hp)
    convs = of_kind(model, keras.layers.Conv2D)
    assert len(convs) == hp["num_blocks"] * hp["convs_per_block"]
    assert {conv.kernel_size for conv in convs} == {(hp["kernel_size"],) * 2}
    for block, conv in enumerate(convs[:: hp["convs_per_block"]]):
        assert conv.filters == hp["filters"] * 2**block
    norms = of_kind(model, keras.layers.BatchNormalization)
    assert len(norms) == len(convs) * (hp["normalization"] == "batch")
    names = {layer.activation.__name__ for layer in of_kind(model, keras.layers.Activation)}
    assert names == {hp["activation"]}
    dense = [layer.units for layer in of_kind(model, keras.layers.Dense)]
    assert dense == [hp["dense_units"], 10][hp["dense_units"] == 0 :]
    config = model.optimizer.get_config()
    sgd = hp["optimizer"] == "sgd"
    rate = hp["sgd_learning_rate" if sgd else "adamw_learning_rate"]
    assert config["learning_rate"] == pytest.approx(rate)
    assert config["weight_decay"] == pytest.approx(hp["weight_decay"])
    assert not sgd or config["momentum"] == pytest.approx(1 - hp["one_minus_momentum"])
    assert ("one_minus_momentum" in hp.values) == sgd
    np.testing.assert_allclose(
        np.sum(model(digits.test.images(range(4)).astype("float32")), axis=1), 1, rtol=1e-5
    )


def test_variance_keeps_its_size_through_the_convolutions(digits):
    """He's start: twice the fan-in's share for ReLU, so that six layers neither grow nor fade."""
    keras.utils.set_random_seed(0)
    space = FromScratch(digits)
    hp = default(space, num_blocks=2, convs_per_block=3, normalization="none", filters=64)
    model = space.build(hp)
    convs = of_kind(model, keras.layers.Conv2D)
    x = np.random.default_rng(0).normal(127.5, 70, (16, 8, 8, 1)).astype("float32")
    first, *_, last = keras.Model(model.input, [conv.output for conv in convs])(x)
    assert 0.2 < np.std(last) / np.std(first) < 2


def test_it_learns_digits_and_leaves_the_data_as_they_were(digits):
    space = FromScratch(digits, epochs=5)
    hp = default(space, filters=16, num_blocks=2, adamw_learning_rate=0.01, batch_size=64)
    keras.utils.set_random_seed(0)
    history = space.fit(hp, space.build(hp))
    assert max(history.history["val_accuracy"]) > 0.7  # 0.1 by chance
    assert digits.train.batch_size == 32 and digits.train.epoch == 0


def test_steps_end_when_the_validation_gets_no_better():
    rng = np.random.default_rng(0)
    data = kc.data.from_arrays(rng.integers(256, size=(60, 8, 8), dtype="uint8"), [0, 1] * 30)
    space = FromScratch(data, epochs=60)
    hp = default(space, num_blocks=1, adamw_learning_rate=0.03, batch_size=128)
    losses = space.fit(hp, space.build(hp)).history["val_loss"]
    assert len(losses) == np.argmin(losses) + 1 + 5 < 60


def test_small_photos_are_halved_less_often_and_wide_networks_end(digits):
    values = {p.name: p for p in default(FromScratch(digits, max_blocks=9)).space}
    assert values["num_blocks"].max_value == 3
    images = np.random.default_rng(0).integers(256, size=(6, 64, 64), dtype="uint8")
    big = kc.data.from_arrays(images, [0, 1] * 3)
    space = FromScratch(big, max_blocks=9)
    hp = default(space, num_blocks=6, filters=64)
    assert max(conv.filters for conv in of_kind(space.build(hp), keras.layers.Conv2D)) == 512


def test_one_hot_labels():
    images = np.random.default_rng(0).integers(256, size=(30, 4, 4, 3), dtype="uint8")
    space = FromScratch(kc.data.from_arrays(images, [0, 1, 2] * 10, one_hot=True), epochs=1)
    hp = default(space)
    assert "val_accuracy" in space.fit(hp, space.build(hp)).history


@pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning")
def test_keras_tuners_own_random_search(digits, tmp_path):
    tuner = keras_tuner.RandomSearch(
        FromScratch(digits, epochs=1, max_blocks=1),
        "val_accuracy",
        max_trials=2,
        seed=1,
        directory=tmp_path,
        project_name="digits",
    )
    tuner.search()
    first, second = tuner.oracle.get_best_trials(2)
    assert first.score >= second.score > 0
    space = {parameter.name for parameter in tuner.oracle.get_space().space}
    assert {"sgd_learning_rate", "adamw_learning_rate", "one_minus_momentum"} <= space


def test_a_copy_in_another_process_reads_from_disk(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(40):
        path = tmp_path / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(256, size=(64, 64, 3), dtype="uint8")).save(path)
    data = kc.data.from_directory(tmp_path, 64, progress=False)
    packed = cloudpickle.dumps(FromScratch(data, epochs=2))
    assert len(packed) < 40 * 64 * 64 * 3 / 10
    again = cloudpickle.loads(packed)
    assert again.fingerprint() == FromScratch(data, epochs=2).fingerprint()
    np.testing.assert_array_equal(again.data.train[0][0], data.train[0][0])
    assert again.build(default(again, num_blocks=1)).input_shape == (None, 64, 64, 3)


def test_what_is_no_data_and_no_number_of_epochs(digits):
    with pytest.raises(kc.InputError, match="needs ImageData .* Received: ndarray"):
        FromScratch(np.zeros((4, 8, 8)))
    images = np.random.default_rng(0).integers(256, size=(9, 8, 8), dtype="uint8")
    with pytest.raises(kc.InputError, match="needs validation photos"):
        FromScratch(kc.data.from_arrays(images, [0, 1, 2] * 3, splits=(1, 0, 0)))
    with pytest.raises(kc.InputError, match="epochs=0, max_blocks=4"):
        FromScratch(digits, epochs=0)
