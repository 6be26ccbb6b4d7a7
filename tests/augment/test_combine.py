"""Layers of layers: what they choose, and that they add nothing of their own."""

import keras
import numpy as np
import pytest

from kerascnn import augment
from kerascnn._errors import InputError
from kerascnn._random import child_seeds
from kerascnn.augment import ImageAugmentation

SEEDS = augment.seeds(0, epoch=0, indices=range(1000))


class Add(ImageAugmentation):
    """A known number onto every value, so that what ran can be read off."""

    def __init__(self, number=1, **kwargs):
        super().__init__(**kwargs)
        self.number = number

    def draw(self, draws, height, width):
        return {"nothing": draws.uniform()}

    def transform(self, images, nothing):
        return images + self.number

    def kernel(self, image, nothing):
        return image + np.uint8(self.number)


class Half(ImageAugmentation):
    """The left half."""

    def draw(self, draws, height, width):
        return {"nothing": draws.uniform()}

    def transform(self, images, nothing):
        return images[:, :, : images.shape[2] // 2]

    def kernel(self, image, nothing):
        return image[:, : image.shape[1] // 2]

    def at_rest(self, images):
        return images[:, :, : images.shape[2] // 2]

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], input_shape[2] // 2, input_shape[3])


BLACK = np.zeros((1000, 2, 8, 1), "uint8")
ENGINES = pytest.mark.parametrize("engine", ["augment", "augment_numpy"])


def added(layer, engine):
    """(1000,): what was added to each image, the same to all of its pixels."""
    changed = np.asarray(getattr(layer, engine)(BLACK, SEEDS))
    assert (changed == changed[:, :1, :1]).all()
    return changed[:, 0, 0, 0]


@ENGINES
def test_a_sequence_runs_all_with_seeds_of_their_own(engine):
    assert (added(augment.Sequence([Add(1), Add(20)]), engine) == 21).all()
    assert (added(augment.Sequence([]), engine) == 0).all()
    noise = augment.AdditiveNoise()
    twice = getattr(augment.Sequence([noise, noise]), engine)(BLACK[:8] + 128, SEEDS[:8])
    images = BLACK[:8] + 128
    for number in range(2):
        images = getattr(noise, engine)(images, child_seeds(SEEDS[:8], number))
    np.testing.assert_array_equal(twice, images)


@ENGINES
def test_random_apply_chooses_images_at_its_rate(engine):
    some = added(augment.RandomApply([Add(1), Add(20)], rate=0.3), engine)
    assert set(some) == {0, 21}
    assert 0.25 < (some == 21).mean() < 0.35
    assert (added(augment.RandomApply(Add(1), rate=0.0), engine) == 0).all()
    assert (added(augment.RandomApply(Add(1), rate=1.0), engine) == 1).all()


@ENGINES
def test_one_of_chooses_by_weight(engine):
    chosen = added(augment.OneOf([Add(1), Add(20), Add(3)], weights=[1, 0, 3]), engine)
    assert set(chosen) == {1, 3}
    assert 0.7 < (chosen == 3).mean() < 0.8
    alike = added(augment.OneOf([Add(1), Add(2)]), engine)
    assert 0.45 < (alike == 1).mean() < 0.55


@ENGINES
def test_choices_are_independent_of_each_other_and_of_what_is_chosen(engine):
    pair = augment.Sequence([augment.RandomApply(Add(1)), augment.RandomApply(Add(20))])
    counts = np.bincount(added(pair, engine))[[0, 1, 20, 21]]
    assert (np.abs(counts - 250) < 60).all()  # each of the four has probability 1/4


def test_both_engines_choose_the_same():
    nested = augment.OneOf([augment.Sequence([augment.RandomApply(Add(1)), Add(4)]), Add(20)])
    np.testing.assert_array_equal(added(nested, "augment"), added(nested, "augment_numpy"))


def test_layers_work_on_grey_levels_whatever_the_range_of_images():
    small = augment.Sequence([Add(51)], value_range=(-1, 1))
    images = np.full((2, 2, 2, 1), -1, "float32")
    np.testing.assert_allclose(small.augment(images, SEEDS[:2]), -0.6, atol=1e-6)


def test_at_rest_padding_is_that_of_training():
    wide = augment.Sequence([augment.PadAndCrop(padding=1, size=4)], value_range=(-1, 1), seed=0)
    images = np.full((2, 2, 2, 1), -1, "float32")
    for training in (True, False):
        np.testing.assert_array_equal(wide(images, training=training), np.full((2, 4, 4, 1), -1))


def test_crops_are_chained():
    halves = augment.Sequence([Half(), Add(1), Half()])
    assert halves.compute_output_shape((None, 2, 8, 1)) == (None, 2, 2, 1)
    for training in (True, False):
        assert halves(BLACK[:3], training=training).shape == (3, 2, 2, 1)
    assert halves.augment_numpy(BLACK[:3], SEEDS[:3]).shape == (3, 2, 2, 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: augment.Sequence([keras.layers.RandomFlip()]), "split.augment"),
        (lambda: augment.Sequence([Add(value_range=(0, 1))]), "outermost"),
        (lambda: augment.RandomApply(Half()), "Sequence"),
        (lambda: augment.OneOf([Add(), Half()]), "Sequence"),
        (lambda: augment.RandomApply(Add(), rate=2), "rate"),
        (lambda: augment.OneOf([]), "weights"),
        (lambda: augment.OneOf([Add()], weights=[0]), "weights"),
        (lambda: augment.OneOf([Add()], weights=[1, 2]), "weights"),
    ],
)
def test_what_cannot_be_combined_is_said(make, words):
    with pytest.raises(InputError, match=words):
        make()
