"""Features of a frozen network, computed once and kept on disk."""

import atexit
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from kerascnn import _graph
from kerascnn._errors import InputError
from kerascnn.data import RowStore, cache_folder
from kerascnn.data import view as view_of
from kerascnn.transfer.engines import choose_engine

__all__ = ["FeatureExtractor", "Features", "extract_features"]

_SAMPLE = 32  # photos on which engines are compared


class Features:
    """Features of one split on disk: index it like an array, `np.asarray` reads all.

    Attributes:
        shape: (N * views, ...); row `v * N + i` is view `v` of photo `i`.
        num_computed: int. Rows that were not in the cache before.
    """

    def __init__(self, store, rows, num_computed):
        self._store = store
        self._rows = rows
        self.num_computed = num_computed
        self.shape = (len(rows), *store.shape)
        self.dtype = store.dtype

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, index):
        rows = self._rows[index]
        values = self._store.read(np.atleast_1d(rows))
        return values if np.ndim(rows) else values[0]

    def __array__(self, dtype=None, copy=None):
        return self._store.read(self._rows).astype(dtype or self.dtype, copy=False)


def extract_features(
    backbone,
    split,
    layer=None,
    *,
    pooling="avg",
    views=1,
    cache=True,
    engine="auto",
    precision="float32",
    seed=0,
    progress=True,
):
    """Outputs of a network, or of layers inside it, for every photo of a split.

    Each photo is computed once: rows are kept in `cache_folder()`, keyed by the weights, the
    network (its preprocessing included), the layer, the engine, the photo's bytes, how it was
    decoded, and the view. Ten new photos compute ten; a killed extraction goes on where it was.

    Args:
        backbone: flat functional `keras.Model` over raw photos, e.g. `kc.transfer.backbone(...)`.
        split: a `Split`, e.g. `data.train`; photos in its own order, unshuffled.
        layer: name of a layer, list of names, or None for the model's output.
        pooling: "avg" averages feature maps (N, H, W, C) over H and W; None keeps them.
        views: int >= 1. Augmented views of each photo, see `kc.data.view`.
        cache: bool. False computes everything and keeps it in a temporary folder.
        engine: "auto", "keras" or "openvino"; see `choose_engine`.
        precision: "float32", or "bfloat16" on CPUs with matrix units (OpenVINO; features differ).
        seed: int. Seed of views 2, 3, ...
        progress: bool. A progress bar on stderr if that is a terminal.

    Returns:
        `Features` of float32, or for a list of layers a dict name -> `Features`.

    Raises:
        InputError: no such layer, or the engine is not available.

    >>> data = kc.data.from_directory("photos/", 224)  # doctest: +SKIP
    >>> network = kc.transfer.backbone("MobileNetV2")  # doctest: +SKIP
    >>> np.asarray(kc.transfer.extract_features(network, data.train)).shape  # doctest: +SKIP
    (1624, 1280)
    """
    extractor = FeatureExtractor(
        backbone, layer, pooling=pooling, cache=cache, engine=engine, precision=precision
    )
    return extractor(split, views=views, seed=seed, progress=progress)


class FeatureExtractor:
    """`extract_features` for several splits: the network is prepared, and the engine chosen, once.

    The network must not be trained while an extractor for it is in use.

    Args:
        backbone, layer, pooling, cache, engine, precision: as for `extract_features`.
    """

    def __init__(
        self,
        backbone,
        layer=None,
        *,
        pooling="avg",
        cache=True,
        engine="auto",
        precision="float32",
    ):
        self._layers = layer if isinstance(layer, list | tuple) else [layer]
        self._single = self._layers is not layer
        tensors = [_tensor(backbone, name, pooling) for name in self._layers]
        image = backbone.inputs[0]
        self._model = keras.Model(image, tensors[0] if len(tensors) == 1 else tensors)
        # Each output by its own part of the graph: found again, whatever it was computed with.
        self._identities = [_identity(keras.Model(image, tensor)) for tensor in tensors]
        self._shapes = [tuple(tensor.shape[1:]) for tensor in tensors]
        self._wanted = engine, precision
        self._root = cache_folder() / "features" if cache else _temporary_folder()
        self._engine = None

    def __call__(self, split, *, views=1, seed=0, progress=True):
        """`Features` of a split, or a dict layer -> `Features` if a list of layers was given."""
        if views < 1:
            raise InputError(f"views must be an int >= 1. Received: {views}.")
        photos = _Views(split, views, seed)
        names = [self._engine.name] if self._engine else _engine_names(*self._wanted)
        for name in names:  # all cached: nothing to start
            stores = self._stores(name)
            if not len(_missing(stores, photos.keys)):
                return self._found(stores, photos.keys, 0)
        if self._engine is None:
            sample = split.images(np.arange(min(_SAMPLE, split.num_photos)))
            self._engine = choose_engine(self._model, *self._wanted, sample)
        stores = self._stores(self._engine.name)
        missing = _missing(stores, photos.keys)
        self._compute(stores, photos, missing, progress)
        return self._found(stores, photos.keys, len(missing))

    def _found(self, stores, keys, num_computed):
        features = [Features(store, store.find(keys), num_computed) for store in stores]
        return features[0] if self._single else dict(zip(self._layers, features))

    def _stores(self, engine_name):
        keys = [f"{identity} {engine_name}".encode() for identity in self._identities]
        folders = [self._root / hashlib.sha256(key).hexdigest()[:24] for key in keys]
        return [RowStore(f, shape, "float32") for f, shape in zip(folders, self._shapes)]

    def _compute(self, stores, photos, missing, progress):
        size = self._engine.batch_size
        chunks = [missing[i : i + size] for i in range(0, len(missing), size)]
        quiet = None if progress else True  # None: a bar on a terminal only
        name = f"Features ({self._engine.name})"
        bar = tqdm(total=len(missing), desc=name, unit="photo", disable=quiet)
        kept, held = [], 0
        with bar:
            for chunk, outputs in zip(chunks, self._engine(map(photos.images, chunks))):
                kept.append((chunk, outputs))
                held += sum(output.nbytes for output in outputs)
                if held > 4_000_000:  # a write is a disk flush: not one for each batch
                    _keep(stores, photos.keys, kept)
                    kept, held = [], 0
                bar.update(len(chunk))
            _keep(stores, photos.keys, kept)


class _Views:
    """The views of a split's photos; row v * N + i is view v of photo i."""

    def __init__(self, split, views, seed):
        self.split = split
        self.seed = seed
        self.keys = [
            f"{digest} {split.decoder.key} view{number}{f' seed{seed}' if number > 1 else ''}"
            for number in range(views)
            for digest in split.digests
        ]

    def images(self, rows):
        """uint8 photos (n, H, W, C) of these rows."""
        count = self.split.num_photos
        images, numbers = self.split.images(rows % count), rows // count
        for number in np.unique(numbers[numbers > 0]):
            chosen = np.flatnonzero(numbers == number)
            names = [self.split.digests[rows[i] % count] for i in chosen]
            images[chosen] = view_of(images[chosen], names, int(number), self.seed)
        return images


def _tensor(backbone, name, pooling):
    tensor = backbone.output if name is None else _graph.output_of(backbone, name)
    if pooling == "avg" and len(tensor.shape) == 4:
        return keras.layers.GlobalAveragePooling2D()(tensor)
    return tensor


def _engine_names(engine, precision):
    """The names under which features may be in the cache, best first."""
    if precision != "float32":
        return [f"openvino-{precision}"]
    names = {"keras": ["keras"], "openvino": ["openvino-float32"]}
    return names.get(engine, ["openvino-float32", "keras"])


def _missing(stores, keys):
    return np.flatnonzero(np.any([store.find(keys) < 0 for store in stores], axis=0))


def _keep(stores, keys, kept):
    if not kept:
        return
    names = [keys[i] for chunk, _ in kept for i in chunk]
    for number, store in enumerate(stores):
        store.append(names, np.concatenate([outputs[number] for _, outputs in kept]))


def _temporary_folder():
    """A folder that goes with the process."""
    folder = Path(tempfile.mkdtemp(prefix="kerascnn-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _identity(model):
    """What the outputs of a model depend on: its graph, whatever its layers are called, and weights."""
    config = model.get_config()
    numbers = {layer["name"]: f"#{i}" for i, layer in enumerate(config["layers"])}
    numbers[config["name"]] = "#model"
    text = json.dumps(_renamed(config, numbers), sort_keys=True, default=str)
    return hashlib.sha256(f"{text} {_graph.weights_digest(model)}".encode()).hexdigest()


def _renamed(value, names):
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value
