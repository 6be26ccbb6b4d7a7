"""Where photos come from: a folder, or TensorFlow Datasets."""

import collections
import dataclasses
import functools
from pathlib import Path

from kerascnn._errors import InputError
from kerascnn.data.decode import Decoder
from kerascnn.data.examine import examine
from kerascnn.data.inventory import (
    checked_decoder,
    finished,
    inspect_directory,
    similar_photos,
    trainable,
    usable_photos,
    without_contradictions,
)
from kerascnn.data.pipeline import ImageData, StoredPixels
from kerascnn.data.splits import SPLITS, assign_splits, checked_fractions

__all__ = ["from_directory", "from_tfds"]


def from_directory(
    directory,
    image_size=224,
    *,
    channels=3,
    resize="stretch",
    batch_size=32,
    splits=(0.8, 0.1, 0.1),
    seed=0,
    manifest=None,
    groups=None,
    group_similar=True,
    one_hot=False,
    on_error="skip",
    progress=True,
):
    """Photos in class folders, or in train / validation / test folders of class folders.

    Every file is read, hashed and decoded once; bad ones are named in `data.findings`. Splits are
    stratified and disjoint; equal files never cross them, nor do photos that look the same, unless
    the folders say so. Decoded photos are kept in `cache_folder()` (H * W * C bytes each), so every
    epoch after that copies from disk.

    Args:
        directory: str or path.
        image_size: int or (height, width) in pixels.
        channels: 3 (RGB) or 1 (grey).
        resize: "stretch", "crop" or "pad"; see `Decoder`.
        batch_size: int >= 1.
        splits: three shares for training, validation, test, where there are no such folders.
        seed: int. Decides the split and the order of every epoch.
        manifest: path of a manifest to use again, or None.
        groups, group_similar: see `inspect_directory`. Of photos named "patient7_left.png":
            `groups=lambda path: path.split("/")[-1].split("_")[0]`.
        one_hot: bool. Labels as float vectors (for mixup and label smoothing) or as ints.
        on_error: "skip" bad files and name them, or "raise" at the first.
        progress: bool.

    Returns:
        `ImageData`.

    Raises:
        InputError: see `inspect_directory`.

    >>> import os, tempfile
    >>> from PIL import Image
    >>> root = Path(tempfile.mkdtemp())
    >>> os.environ["KERASCNN_CACHE"] = str(root / ".cache")  # or leave it: the user's cache folder
    >>> for i, name in enumerate(["cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png"]):
    ...     (root / name).parent.mkdir(exist_ok=True)
    ...     Image.new("RGB", (9, 9), (i, 0, 0)).save(root / name)
    >>> data = from_directory(root, image_size=8, batch_size=3)
    >>> images, labels = data.train[0]
    >>> images.shape, labels.dtype, data.class_names
    ((3, 8, 8, 3), dtype('int64'), ['cat', 'dog'])
    """
    decoder = Decoder(image_size, channels, resize)
    inventory = inspect_directory(
        directory,
        decoder,
        splits=splits,
        seed=seed,
        manifest=manifest,
        groups=groups,
        group_similar=group_similar,
        on_error=on_error,
        progress=progress,
    )
    read = StoredPixels(decoder, root=Path(directory))
    return ImageData.assemble(
        read, inventory, decoder, batch_size=batch_size, one_hot=one_hot, seed=seed
    )


def from_tfds(
    name,
    image_size=224,
    *,
    channels=3,
    resize="stretch",
    batch_size=32,
    splits=(0.8, 0.1, 0.1),
    seed=0,
    group_similar=True,
    one_hot=False,
    data_dir=None,
    download=True,
    progress=True,
):
    """A labelled image data set of TensorFlow Datasets, e.g. "tf_flowers" or "oxford_flowers102".

    The encoded files are taken and decoded here, by the same decoder as folders of photos. A
    `test` and a `validation` split of the data set are kept; what it lacks is taken from `train`.

    Args:
        name: str. As for `tfds.load`; the data set has the features "image" and "label".
        data_dir: where TFDS keeps its data, or None for its default.
        download: bool. False: fail rather than download.
        image_size, channels, resize, batch_size, splits, seed, group_similar, one_hot, progress:
            as for `from_directory`.

    Returns:
        `ImageData`.

    Raises:
        InputError: TFDS does not know the name, cannot fetch it, or it is not image -> label.

    >>> data = from_tfds("tf_flowers", image_size=160)  # doctest: +SKIP
    """
    decoder = checked_decoder(Decoder(image_size, channels, resize))
    checked_fractions(splits)
    builder = _tfds_builder(name, data_dir, download)
    wanted = [split for split in SPLITS if split in builder.info.splits]
    total = sum(builder.info.splits[split].num_examples for split in wanted)
    examined = examine(_TfdsFiles(builder, wanted, name), total, decoder, progress)
    findings = collections.defaultdict(list)
    photos = without_contradictions(usable_photos(examined, findings), findings)
    similar = similar_photos(photos, decoder, progress) if group_similar else []
    photos = assign_splits(photos, splits, seed, findings, similar)
    usable = trainable(f"The data set {name!r}", photos, findings)
    names = [name for name in builder.info.features["label"].names if name in usable]
    inventory = finished(f"tfds:{name}", photos, names, findings, similar)
    return ImageData.assemble(
        StoredPixels(decoder),
        inventory,
        decoder,
        batch_size=batch_size,
        one_hot=one_hot,
        seed=seed,
    )


def _tfds_builder(name, data_dir, download):
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        if download and not builder.is_prepared():
            builder.download_and_prepare()
    except tfds.core.DatasetNotFoundError as error:
        raise InputError(
            f"TensorFlow Datasets has no {name!r}: {_first_line(error)} "
            "See https://www.tensorflow.org/datasets/catalog/overview."
        ) from error
    except ImportError as error:  # some data sets need more than TFDS asks for
        raise InputError(f"{name!r} needs more: pip install {error.name}.") from error
    except (OSError, AssertionError, ValueError) as error:
        raise InputError(f"{name!r} could not be opened: {_first_line(error)}") from error
    if not builder.is_prepared():
        raise InputError(
            f"{name!r} is not in {builder.data_dir}. Pass download=True, or the right data_dir."
        )
    _check_features(builder.info.features, name)
    return builder


def _check_features(features, name):
    import tensorflow_datasets as tfds

    features = dict(features) if isinstance(features, tfds.features.FeaturesDict) else {}
    wanted = {"image": tfds.features.Image, "label": tfds.features.ClassLabel}
    if not all(isinstance(features.get(key), kind) for key, kind in wanted.items()):
        raise InputError(
            f"{name!r} is not a data set of images with one label each; "
            f"it has {', '.join(sorted(features)) or 'other features'}."
        )


@dataclasses.dataclass
class _TfdsFiles:
    """((path, label, split), function that returns the encoded bytes), always in one order."""

    builder: object
    splits: list
    name: str

    def __iter__(self):
        import tensorflow_datasets as tfds

        to_name = self.builder.info.features["label"].int2str
        raw = {"image": tfds.decode.SkipDecoding()}
        for split in self.splits:
            rows = self.builder.as_dataset(split=split, decoders=raw, shuffle_files=False)
            for i, row in enumerate(rows.as_numpy_iterator()):
                file = (f"tfds:{self.name}/{split}/{i}", to_name(row["label"]), split)
                yield file, functools.partial(bytes, row["image"])


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]
