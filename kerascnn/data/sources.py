"""Where photos come from: a folder, TensorFlow Datasets, or arrays."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from kerascnn._errors import InputError
from kerascnn.data.decode import Decoder
from kerascnn.data.inventory import Finding, Inventory, inspect_directory
from kerascnn.data.pipeline import ImageData, StoredPixels, photo_rows
from kerascnn.data.splits import SPLITS, stratified_split
from kerascnn.data.store import cache_folder

__all__ = ["from_arrays", "from_directory", "from_tfds"]


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
    one_hot=False,
    on_error="skip",
    progress=True,
):
    """Photos in class folders, or in train / validation / test folders of class folders.

    Every file is read, hashed and decoded once; bad ones are named in `data.findings`. Splits are
    stratified and disjoint, and equal files never cross them. Decoded photos are kept in
    `cache_folder()` (H * W * C bytes each), so every epoch after that copies from disk.

    Args:
        directory: str or path.
        image_size: int or (height, width) in pixels.
        channels: 3 (RGB) or 1 (grey).
        resize: "stretch", "crop" or "pad"; see `Decoder`.
        batch_size: int >= 1.
        splits: three shares for training, validation, test, where there are no such folders.
        seed: int. Decides the split and the order of every epoch.
        manifest: path of a manifest to use again, or None.
        one_hot: bool. Labels as float vectors (for mixup and label smoothing) or as ints.
        on_error: "skip" bad files and name them, or "raise" at the first.
        progress: bool.

    Returns:
        `ImageData`.

    Raises:
        InputError: see `inspect_directory`.

    >>> data = from_directory("photos/", image_size=224)  # doctest: +SKIP
    >>> model.fit(data.train, validation_data=data.validation, shuffle=False)  # doctest: +SKIP
    """
    decoder = Decoder(image_size, channels, resize)
    inventory = inspect_directory(
        directory,
        decoder,
        splits=splits,
        seed=seed,
        manifest=manifest,
        on_error=on_error,
        progress=progress,
    )
    read = StoredPixels(decoder, root=Path(directory))
    return ImageData.assemble(
        read, inventory, decoder, batch_size=batch_size, one_hot=one_hot, seed=seed
    )


def from_arrays(
    images,
    labels,
    image_size=None,
    *,
    class_names=None,
    batch_size=32,
    splits=(0.8, 0.1, 0.1),
    seed=0,
    one_hot=False,
):
    """Images that are in memory already.

    Args:
        images: uint8 array (N, H, W), (N, H, W, 1) or (N, H, W, 3), values 0-255.
        labels: N ints or strs.
        image_size: int, (height, width), or None for the size they have.
        class_names: list of str; label i is called `class_names[i]`. None: `str(label)`.
        batch_size, splits, seed, one_hot: as for `from_directory`. `splits` may also be a list of N
            split names ("train", "validation", "test"; None leaves an image out).

    Returns:
        `ImageData`.

    Raises:
        InputError: shapes, lengths, dtype or label values do not fit.

    >>> images = np.arange(40 * 64, dtype="uint8").reshape(40, 8, 8)
    >>> from_arrays(images, [0, 1] * 20).train.num_photos
    32
    """
    images, names = _checked(images, labels, class_names)
    decoder = Decoder(image_size or images.shape[1:3], images.shape[-1])
    if decoder.image_size != images.shape[1:3]:
        images = np.stack([_resize(image, decoder.image_size) for image in images])
    digests = [hashlib.sha256(np.ascontiguousarray(image)).hexdigest() for image in images]
    if len(splits) != len(images):
        splits = stratified_split(names, digests, splits, seed)
    photos = photo_rows(digests, names, splits, "array")
    photos = [photo for photo in photos if photo.split is not None]
    rows = dict(zip(digests, range(len(digests))))
    read = lambda keys, paths: images[[rows[key] for key in keys]]  # noqa: E731
    inventory = Inventory(Path("array"), photos, _ordered(names, class_names), [])
    return ImageData.assemble(
        read, inventory, decoder, batch_size=batch_size, one_hot=one_hot, seed=seed
    )


def _checked(images, labels, class_names):
    images, labels = np.asarray(images), np.asarray(labels)
    images = images[..., None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or images.dtype != np.uint8:
        raise InputError(
            f"images must be uint8 of shape (N, H, W[, 1 or 3]) with values 0-255. "
            f"Received: {images.dtype} of shape {images.shape}."
        )
    if labels.shape != (len(images),):
        raise InputError(
            f"Expected {len(images)} labels, one per image. Received shape {labels.shape}."
        )
    if class_names is None:
        return images, [str(label) for label in labels]
    if not np.issubdtype(labels.dtype, np.integer) or not 0 <= labels.min() <= labels.max() < len(
        class_names
    ):
        raise InputError(
            f"With {len(class_names)} class_names, labels must be ints from 0 to {len(class_names) - 1}. "
            f"Received: {labels.dtype} from {labels.min()} to {labels.max()}."
        )
    return images, [str(class_names[label]) for label in labels]


def _ordered(names, class_names):
    """The given order of classes; without one, numeric where all names are numbers."""
    if class_names is not None:
        return [str(name) for name in class_names]
    found = sorted(set(names))
    return sorted(found, key=int) if all(name.isdecimal() for name in found) else found


def _resize(image, size):
    resized = Image.fromarray(image.squeeze()).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(resized).reshape(*size, image.shape[-1])


def from_tfds(
    name,
    image_size=224,
    *,
    channels=3,
    resize="stretch",
    batch_size=32,
    splits=(0.8, 0.1, 0.1),
    seed=0,
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
        image_size, channels, resize, batch_size, splits, seed, one_hot, progress: as for
            `from_directory`.

    Returns:
        `ImageData`.

    Raises:
        InputError: TFDS does not know the name, cannot fetch it, or it is not image -> label.
    """
    builder = _tfds_builder(name, data_dir, download)
    decoder = Decoder(image_size, channels, resize)
    pixels = StoredPixels(decoder)
    to_name = builder.info.features["label"].int2str
    digests, labels, parts, bad = [], [], [], []
    for part, data, label in _tfds_files(builder, progress):
        digest = hashlib.sha256(data).hexdigest()
        try:
            if digest not in pixels.store:
                pixels.store.append([digest], decoder(data)[None])
        except InputError as error:
            bad.append(f"{part}/{len(digests)} ({error})")
            continue
        digests.append(digest), labels.append(to_name(label)), parts.append(part)
    photos = photo_rows(
        digests, labels, _tfds_parts(parts, labels, digests, splits, seed), f"tfds:{name}"
    )
    findings = [Finding("damaged", "skipped", bad)] if bad else []
    names = [n for n in builder.info.features["label"].names if n in set(labels)]
    inventory = Inventory(cache_folder(), photos, names, findings)
    return ImageData.assemble(
        pixels, inventory, decoder, batch_size=batch_size, one_hot=one_hot, seed=seed
    )


def _tfds_builder(name, data_dir, download):
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        if download:
            builder.download_and_prepare()
    except tfds.core.DatasetNotFoundError as error:
        raise InputError(
            f"TensorFlow Datasets has no {name!r}: {str(error).splitlines()[0]}"
        ) from error
    except (OSError, AssertionError) as error:
        raise InputError(f"{name!r} could not be fetched: {str(error).splitlines()[0]}") from error
    features = builder.info.features or {}
    if not {"image", "label"} <= set(features) or not hasattr(features["label"], "names"):
        raise InputError(
            f"{name!r} is not a data set of images with one label each; it has {list(features)}."
        )
    return builder


def _tfds_files(builder, progress):
    """Yield (split, encoded bytes, label) in the data set's own fixed order."""
    import tensorflow_datasets as tfds

    wanted = [split for split in SPLITS if split in builder.info.splits]
    total = sum(builder.info.splits[split].num_examples for split in wanted)
    with tqdm(
        total=total, desc="Reading photos", unit="photo", disable=None if progress else True
    ) as bar:
        for split in wanted:
            raw = {"image": tfds.decode.SkipDecoding()}
            for row in builder.as_dataset(
                split=split, decoders=raw, shuffle_files=False
            ).as_numpy_iterator():
                yield split, row["image"], row["label"]
                bar.update()


def _tfds_parts(parts, labels, digests, fractions, seed):
    fractions = [0 if split in parts else share for split, share in zip(SPLITS, fractions)]
    fractions[0] = 1 - fractions[1] - fractions[2]
    free = [i for i, part in enumerate(parts) if part == "train"]
    drawn = stratified_split([labels[i] for i in free], [digests[i] for i in free], fractions, seed)
    for i, split in zip(free, drawn):
        parts[i] = split
    return parts
