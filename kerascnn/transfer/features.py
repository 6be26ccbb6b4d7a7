"""Features of a frozen network, computed once and kept on disk."""

import hashlib
import json
import shutil
import tempfile
import weakref

import keras
import numpy as np
from tqdm import tqdm

from kerascnn import _graph
from kerascnn._errors import InputError, one_of, whole
from kerascnn._random import is_reproducible
from kerascnn.data import RowStore, Split, cache_folder
from kerascnn.data import view as view_of
from kerascnn.transfer._options import check_engine
from kerascnn.transfer.engines import choose_engine, usable_engines

__all__ = ["FeatureExtractor", "Features", "extract_features"]

_SAMPLE = 16  # photos on which engines are compared
_HELD_BYTES = 4_000_000  # features in memory before they are written
_POOLING = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    None: None,
}


class Features:
    """Features of one split on disk: index it like an array, `np.asarray` reads all.

    Attributes:
        shape: (N * views, ...); row `v * N + i` is view `v` of photo `i`.
        num_computed: int. Rows that were not in the cache before.
        engine: str. What computed them: "keras", "tensorflow", "openvino-float32" or
            "openvino-bfloat16".
    """

    def __init__(self, store, rows, num_computed, engine):
        self._store = store
        self._rows = rows
        self.num_computed = num_computed
        self.engine = engine
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
        backbone: flat functional or Sequential `keras.Model` over raw photos, e.g.
            `kc.transfer.backbone(...)`.
        split: a `Split`, e.g. `data.train`; photos in its own order, unshuffled.
        layer: name of a layer, list of names, or None for the model's output.
        pooling: "avg" averages feature maps (N, H, W, C) over H and W, "max" takes their maxima;
            None keeps them.
        views: int >= 1. Augmented views of each photo, see `kc.data.view`.
        cache: bool. False computes everything; it is on disk only as long as it is in use.
        engine: "auto", "keras" (bit-equal to `predict`), "tensorflow" or "openvino"; see
            `choose_engine`.
        precision: "float32", or "bfloat16" on CPUs with matrix units (OpenVINO; features differ).
        seed: int. Seed of views 2, 3, ...
        progress: bool. A progress bar on stderr if that is a terminal.

    Returns:
        `Features` of float32, or for a list of layers a dict name -> `Features`.

    Raises:
        InputError: `split` is no `Split`, there is no such layer or pooling, or the engine is not
            available.

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

    Args:
        backbone, layer, cache, engine, precision: as for `extract_features`.
        pooling: as for `extract_features`, or a list, one for each layer.

    Raises:
        InputError: also when it is called after the network was trained: make a new one then.
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
        check_engine(engine, precision)
        self._layers = layer if isinstance(layer, list | tuple) else [layer]
        self._single = self._layers is not layer
        each = pooling if isinstance(pooling, list) else [pooling] * len(self._layers)
        tensors = [_tensor(backbone, *pair) for pair in zip(self._layers, each)]
        image = backbone.inputs[0]
        self._model = keras.Model(image, tensors[0] if len(tensors) == 1 else tensors)
        self._digests = _digests(self._model)
        # Each output by its own part of the graph: found again, whatever it was computed with.
        parts = [keras.Model(image, tensor) for tensor in tensors]
        self._identities = [_identity(part, self._digests) for part in parts]
        self._wanted = engine, precision
        self._root = cache_folder() / "features" if cache else None
        self._opened = {}
        self._engine = None

    def __call__(self, split, *, views=1, seed=0, progress=True):
        """`Features` of a split, or a dict layer -> `Features` if a list of layers was given."""
        if not isinstance(split, Split):
            raise InputError(
                "Features are of a Split, e.g. data.train of kc.data.from_arrays(images, labels). "
                f"Received: {type(split).__name__}."
            )
        photos = Views(split, whole(views, "views", 1), seed)
        names = [self._engine.name] if self._engine else _engine_names(*self._wanted)
        missing = {name: _missing(self._stores(name), photos.keys) for name in names}
        name = min(names, key=lambda name: len(missing[name]))
        if len(missing[name]):
            self._check_weights()
        if len(missing[name]) and self._engine is None:  # all cached: nothing to start
            begun = name if len(missing[name]) <= len(photos.keys) / 2 else None
            self._engine = self._choose(split, begun)
            name = self._engine.name
        stores = self._stores(name)
        rows = missing[name] if name in missing else _missing(stores, photos.keys)
        self._compute(stores, photos, rows, progress)
        features = [Features(store, store.find(photos.keys), len(rows), name) for store in stores]
        return features[0] if self._single else dict(zip(self._layers, features))

    def _check_weights(self):
        if self._digests != _digests(self._model):
            raise InputError(
                f"{self._model.name!r} was trained since its features were first asked for. "
                "Make a new FeatureExtractor for what it is now."
            )

    def _choose(self, split, begun):
        """The engine that has computed most of the photos already, else as it was asked for."""
        engine, precision = self._wanted
        if engine == "auto" and begun and begun.split("-")[0] in usable_engines():
            engine = begun.split("-")[0]
        sample = split.images(np.arange(min(_SAMPLE, split.num_photos)))
        return choose_engine(self._model, engine, precision, sample)

    def _stores(self, engine_name):
        if engine_name not in self._opened:
            made_by = f"{engine_name} {keras.backend.backend()}"
            keys = [f"{identity} {made_by}".encode() for identity in self._identities]
            shapes = [tuple(tensor.shape[1:]) for tensor in self._model.outputs]
            names = [hashlib.sha256(key).hexdigest()[:24] for key in keys]
            self._opened[engine_name] = [self._open(*pair) for pair in zip(names, shapes)]
        return self._opened[engine_name]

    def _open(self, name, shape):
        if self._root:
            return RowStore(self._root / name, shape, "float32")
        store = RowStore(tempfile.mkdtemp(prefix="kerascnn-"), shape, "float32")
        weakref.finalize(store, shutil.rmtree, store.folder, ignore_errors=True)
        return store

    def _compute(self, stores, photos, missing, progress):
        if not len(missing):
            return
        size = self._engine.batch_size
        chunks = [missing[i : i + size] for i in range(0, len(missing), size)]
        quiet = None if progress else True  # None: a bar on a terminal only
        name = f"Features ({self._engine.name})"
        bar = tqdm(total=len(missing), desc=name, unit="photo", disable=quiet)
        kept = []
        with bar:
            for chunk, outputs in zip(chunks, self._engine(map(photos.images, chunks))):
                kept.append((chunk, outputs))
                # A write is a disk flush: not one for each batch.
                if sum(output.nbytes for _, parts in kept for output in parts) > _HELD_BYTES:
                    _keep(stores, photos.keys, kept)
                    kept = []
                bar.update(len(chunk))
            _keep(stores, photos.keys, kept)


class Views:
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
    pool = _POOLING[one_of(pooling, _POOLING, "pooling")]
    whole = name is None
    tensor = _graph.result_of(backbone) if whole else _graph.output_of(backbone, name)
    return pool()(tensor) if pool and len(tensor.shape) == 4 else tensor


def _engine_names(engine, precision):
    """The names under which features may be in the cache, best first."""
    if precision != "float32":
        return [f"openvino-{precision}"]
    if engine == "auto":
        if is_reproducible():  # what happens to be in the cache must not decide
            return usable_engines()[:1]
        return ["openvino-float32", "tensorflow", "keras"]
    return ["openvino-float32" if engine == "openvino" else engine]


def _missing(stores, keys):
    """Rows that a store lacks, int64 array; of equal photos the first."""
    absent = np.flatnonzero(np.any([store.find(keys) < 0 for store in stores], axis=0))
    first = {keys[i]: i for i in absent[::-1]}
    return np.array([i for i in absent if first[keys[i]] == i], np.int64)


def _keep(stores, keys, kept):
    if not kept:
        return
    names = [keys[i] for chunk, _ in kept for i in chunk]
    for number, store in enumerate(stores):
        store.append(names, np.concatenate([outputs[number] for _, outputs in kept]))


def _digests(model):
    """{id of a layer: digest of its weights}: large networks are read once for all outputs."""
    return {id(layer): _graph.weights_digest(layer) for layer in model.layers}


def _identity(model, digests):
    """What the outputs of a model depend on: its graph, whatever its names, and its weights."""
    config = model.get_config()
    numbers = {layer["name"]: f"#{i}" for i, layer in enumerate(config["layers"])}
    numbers[config["name"]] = "#model"
    text = json.dumps(_anonymous(config, numbers), sort_keys=True, default=str)
    weights = [digests[id(layer)] for layer in model.layers]
    return hashlib.sha256(" ".join([text, *weights]).encode()).hexdigest()


_NAMED = ("name", "keras_history", "input_layers", "output_layers")  # where names of layers are


def _anonymous(value, numbers, named=False):
    """A model's config with numbers for its layers' names, without what only training reads."""
    if isinstance(value, dict):
        items = {key: item for key, item in value.items() if key != "trainable"}
        return {key: _anonymous(item, numbers, key in _NAMED) for key, item in items.items()}
    if isinstance(value, list | tuple):
        return [_anonymous(item, numbers, named) for item in value]
    return numbers.get(value, value) if named and isinstance(value, str) else value
