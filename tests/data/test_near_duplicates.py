"""Altered copies are found, other photos are not, and what was found is remembered."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from scipy.fft import dct

from kerascnn import InputError
from kerascnn.data import Decoder, cache_folder, find_near_duplicates, inspect_directory
from kerascnn.data import near_duplicates as rules
from kerascnn.data.near_duplicates import similar_digests, thumbnails
from tests.data.test_alignment import picture


def jpeg(image, quality=90):
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    return Image.open(file)


def crop(image, share):
    """Without `share` of the width and height on every side."""
    width, height = round(image.width * share), round(image.height * share)
    return image.crop((width, height, image.width - width, image.height - height))


def all_at_once(image):
    image = ImageEnhance.Brightness(crop(ImageOps.mirror(image), 0.025)).enhance(1.15)
    return jpeg(image.resize((image.width // 2, image.height // 2)), 50)


PICTURES = [picture(seed, 200) for seed in range(20)]
ALTERED = {  # name: (what is done, share of copies that is found at least)
    "compressed": (lambda image: jpeg(image, 10), 1),
    "small": (lambda image: image.resize((image.width // 4, image.height // 4)), 1),
    "brighter": (lambda image: ImageEnhance.Brightness(image).enhance(1.2), 1),
    "darker": (lambda image: ImageEnhance.Brightness(image).enhance(0.7), 1),
    "contrast": (lambda image: ImageEnhance.Contrast(image).enhance(1.3), 1),
    "grey": (lambda image: image.convert("L"), 1),
    "mirrored": (ImageOps.mirror, 1),
    "cropped": (lambda image: crop(image, 0.025), 0.97),
    "cropped more": (lambda image: crop(image, 0.05), 0.97),
    "all at once": (all_at_once, 0.97),
}


def stacked(images, size=128):
    return np.stack([np.asarray(image.convert("RGB").resize((size, size))) for image in images])


def found_share(originals, altered):
    """The share of photos that are in one group with their altered copy, and all groups."""
    groups = find_near_duplicates(np.concatenate([originals, altered]))
    pairs = {pair for group in groups for pair in itertools.combinations(group, 2)}
    count = len(originals)
    return np.mean([(i, i + count) in pairs for i in range(count)]), pairs


@pytest.mark.parametrize("name", ALTERED)
def test_altered_pictures_are_found_and_others_are_not(name):
    share, pairs = found_share(stacked(PICTURES), stacked(map(ALTERED[name][0], PICTURES)))
    assert share == 1 and len(pairs) == len(PICTURES)


@pytest.fixture(scope="module")
def clothing():
    """The 372 test photos, as images."""
    from tests.conftest import shared_data

    paths = sorted(shared_data("data/clothing/test").rglob("*.jpg"))
    return [Image.open(path).convert("RGB") for path in paths]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ALTERED)
def test_altered_photos_are_found_and_others_are_not(name, clothing):
    chosen = clothing[::2]
    alter, least = ALTERED[name]
    share, pairs = found_share(stacked(chosen), stacked(map(alter, chosen)))
    assert share >= least
    assert all(j == i + len(chosen) for i, j in pairs)


def test_the_one_photo_in_two_classes_of_the_real_folder(shared_data):
    inventory = inspect_directory(shared_data("data/clothing"), Decoder(96), progress=False)
    (finding,) = inventory.findings
    assert finding.problem == "looks the same as a photo of another class"
    first, second = "shorts/6075b4a5-5b1a", "skirt/637a56e4-7fa6"
    assert [first in path and second in path for path in finding.paths] == [True, True]


def test_what_holds_too_little_is_left_out():
    draw = np.random.default_rng(0)
    flat = np.repeat(np.arange(9, dtype="uint8"), 3).reshape(27, 1, 1, 1) + np.zeros((40, 40, 1))
    assert find_near_duplicates(flat.astype("uint8")) == []
    drawing = np.full((64, 64, 1), 250, "uint8")
    drawing[20:44, 20:44] = draw.integers(256, size=(24, 24, 1))
    assert find_near_duplicates(np.stack([drawing] * 3)) == []
    tiny = draw.integers(256, size=(1, 31, 40, 3), dtype="uint8")
    assert find_near_duplicates(np.repeat(tiny, 2, axis=0)) == []
    assert find_near_duplicates(np.empty((0, 64, 64, 3), "uint8")) == []


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 64, 64), "uint8"), np.zeros((2, 64, 64, 3)), np.zeros((2, 64, 64, 4), "uint8")],
)
def test_other_arrays_are_refused(images):
    with pytest.raises(InputError, match="uint8 of shape .* Received: .* of shape"):
        find_near_duplicates(images)


def test_a_chain_of_copies_is_one_group():
    pictures = [picture(seed, 200) for seed in range(4)]
    chain = [pictures[0]]
    for _ in range(3):
        chain.append(jpeg(crop(chain[-1], 0.03), 60))
    assert find_near_duplicates(stacked(pictures + chain)) == [[0, 4, 5, 6, 7]]


def test_many_equal_photos_are_one_group():
    """More than a photo may have candidates."""
    same = stacked([picture(0, 200)] * 60 + [picture(1, 200)])
    assert find_near_duplicates(same) == [list(range(60))]


# --- the pieces, against their definitions ---------------------------------------------------


def test_the_hash_is_that_of_the_definition():
    image = np.random.default_rng(0).integers(256, size=(1, 32, 32)).astype(np.float32)
    waves = dct(dct(image[0].astype(float)).T).T[:8, :8].ravel()
    wanted = [False, *(waves[1:] > np.median(waves[1:]))]
    bits = np.unpackbits(rules._hash(image).view(np.uint8)).astype(bool)
    assert bits.tolist() == wanted


def test_candidates_are_those_of_all_pairs():
    """300 hashes, more than a block; few enough near each other that no limit cuts them."""
    draw = np.random.default_rng(0)
    hashes = draw.integers(2**63, size=(300, 4), dtype=np.uint64)
    hashes[:20] = hashes[280:] ^ np.uint64(0b1011)  # the same as another one, but for three bits
    hashes[100:110, 0] = hashes[200:210, 3]  # mirrored, and more of it
    hashes[50] = 0  # plain
    found = {tuple(row) for low in (0, 256) for row in rules._candidates(hashes, low).tolist()}
    wanted = set()
    for i, j in itertools.permutations(range(300), 2):
        for variant in range(4):
            near = int(hashes[i, variant] ^ hashes[j, 0]).bit_count() <= 10
            if near and hashes[i, 0] and hashes[j, 0]:
                wanted.add((min(i, j), max(i, j), variant // 2))
    assert found == wanted and {(i, i + 280, 0) for i in range(20)} <= wanted
    assert {(i, i + 100, 1) for i in range(100, 110)} <= wanted


def test_a_photo_has_few_candidates():
    same = np.full((100, 4), 12345, np.uint64)
    assert len(rules._candidates(same, 0)) == 16 * 100


# --- remembered ------------------------------------------------------------------------------


def test_groups_are_remembered_by_content():
    images = stacked([picture(0), picture(1), ImageOps.mirror(picture(0))], 64)
    asked = []

    def pixels(digests):
        asked.extend(digests)
        return images[[int(digest) for digest in digests]]

    decoder = Decoder(64)
    for names in (["0", "1", "2"], ["2", "1", "0", "0"]):
        assert similar_digests(names, pixels, decoder, progress=False) == [["0", "2"]]
    assert sorted(asked) == ["0", "1", "2"]
    assert similar_digests(["0", "1"], pixels, decoder, progress=False) == []
    assert len(asked) == 3  # thumbnails are kept one by one
    (folder,) = cache_folder().glob("near-duplicates-*")
    for file in folder.glob("*.json"):
        file.write_text("[[")
    assert similar_digests(["0", "1", "2"], pixels, decoder, progress=False) == [["0", "2"]]
    assert similar_digests(["0", "1", "2"], pixels, Decoder(16), progress=False) == []


def test_thumbnails_are_grey_and_square():
    red = np.zeros((1, 100, 50, 3), "uint8")
    red[..., 0] = 200
    assert np.unique(thumbnails(red)).tolist() == [60]  # 0.299 * 200
    assert thumbnails(red[..., :1]).shape == (1, 64, 64)


def test_too_many_photos_are_not_compared(monkeypatch, caplog):
    monkeypatch.setattr(rules, "_MOST", 2)
    digests = ["a", "b", "c"]
    assert similar_digests(digests, None, Decoder(64)) == []
    assert "3 photos are too many" in caplog.text and "at most 2" in caplog.text
