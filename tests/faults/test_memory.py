"""Memory stays flat: with the number of photos, and from one fine-tuning to the next."""

import gc
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import keras
import numpy as np
import pytest

from kerascnn.data import from_arrays
from kerascnn.transfer import extract_features
from tests.transfer.conftest import shape_data, tiny_network, tune

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
SIDE = 64
PHOTO_BYTES = SIDE * SIDE * 3


def photos(count):
    draw = np.random.default_rng(count)  # none that the cache knows
    images = draw.integers(0, 256, (count, SIDE, SIDE, 3), dtype="uint8")
    return from_arrays(images, np.arange(count) % 2, splits=(1, 0, 0))


def peak(work):
    """The most that Python and NumPy held at once during the work, in bytes."""
    gc.collect()
    tracemalloc.start()
    work()
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return highest


def growth(work):
    """Bytes a photo by which the peak of `work(split)` grows from 104 to 616 photos."""
    # All end with a batch of 8, so that all is imported and traced at the first call.
    warm_up, few, many = (photos(count).train for count in (40, 104, 616))
    work(warm_up)
    return (peak(lambda: work(many)) - peak(lambda: work(few))) / 512


def extractor(layer):
    network = tiny_network(size=SIDE)
    options = {"pooling": None, "engine": "keras", "progress": False}
    return lambda split: extract_features(network, split, layer, **options)


def trainer():
    network = tiny_network(size=SIDE)
    model = keras.Model(network.input, keras.layers.Dense(2, "softmax")(network.output))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return lambda split: model.fit(split, epochs=2, shuffle=False, verbose=0)


WORK = {
    "pooled features": lambda: extractor(None),
    "feature maps, 64 KB a photo": lambda: extractor("stage1_relu"),
    "training": trainer,
}


@pytest.mark.parametrize("make", WORK.values(), ids=WORK.keys())
def test_photos_are_not_held(make):
    assert growth(make()) < 0.1 * PHOTO_BYTES


def test_a_list_of_photos_would_be_noticed():
    work, kept = extractor(None), []

    def keeping(split):
        read = split.images
        split.images = lambda indices: kept.append(read(indices)) or kept[-1]
        work(split)

    assert growth(keeping) > 0.9 * PHOTO_BYTES


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="counts TensorFlow's graphs")
def test_a_finetuning_leaves_no_graph_behind():
    def graphs():
        tune(shape_data(), tiny_network(), "full", epochs=1)
        gc.collect()
        return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())

    assert graphs() == graphs()


@pytest.mark.slow
def test_memory_after_four_fits_is_that_after_two():
    command = [sys.executable, ROOT / "recipes/benchmarks/memory.py", "--quick", "--only", "fits"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    ratios = dict(re.findall(r"^(.*): .* ratio ([\d.]+)$", output, re.MULTILINE))
    assert float(ratios["fine-tunings"]) < 1.1 and float(ratios["trials of Keras Tuner"]) < 1.1
