"""Features of a frozen network, computed once and kept on disk."""

import hashlib
import json

import keras
import numpy as np
from tqdm import tqdm

from kerascnn import _graph
from kerascnn._errors import InputError
from kerascnn.data import RowStore, cache_folder
from kerascnn.data import view as view_of
from kerascnn.transfer.engines import choose_engine

__all__ = ["Features", "extract_features"]

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
    if views < 1:
        raise InputError(f"views must be an int >= 1. Received: {views}.")
    layers = layer if isinstance(layer, list | tuple) else [layer]
    model = _feature_model(backbone, layers, pooling)
    extraction = _Extraction(model, split, views, seed, cache)
    features = extraction.run(engine, precision, progress)
    return dict(zip(layers, features)) if isinstance(layer, list | tuple) else features[0]


def _feature_model(backbone, layers, pooling):
    """A model from photos to the (pooled) outputs of `layers`, sharing the backbone's weights."""
    tensors = [
        backbone.output if name is None else _graph.output_of(backbone, name) for name in layers
    ]
    if pooling == "avg":
        pool = keras.layers.GlobalAveragePooling2D
        tensors = [pool()(x) if len(x.shape) == 4 else x for x in tensors]
    return keras.Model(backbone.inputs[0], tensors if len(tensors) > 1 else tensors[0])


class _Extraction:
    """One pass over the photos and views that some of the stores still miss."""

    def __init__(self, model, split, views, seed, cache):
        self.model = model
        self.split = split
        self.seed = seed
        self.cache = cache
        self.identity = _identity(model)
        self.keys = [
            f"{digest} {split.decoder.key} view{view}{f' seed{seed}' if view > 1 else ''}"
            for view in range(views)
            for digest in split.digests
        ]

    def run(self, engine, precision, progress):
        for name in self._engine_names(engine, precision):  # all cached: nothing to build
            stores = self._stores(name)
            if not len(self._missing(stores)):
                return [Features(s, s.find(self.keys), 0) for s in stores]
        sample = self.split.images(np.arange(min(_SAMPLE, self.split.num_photos)))
        runner = choose_engine(self.model, engine, precision, sample)
        stores = self._stores(runner.name)
        missing = self._missing(stores)
        self._compute(runner, stores, missing, progress)
        return [Features(store, store.find(self.keys), len(missing)) for store in stores]

    def _engine_names(self, engine, precision):
        if precision != "float32":
            return [f"openvino-{precision}"]
        names = {"keras": ["keras"], "openvino": ["openvino-float32"]}
        return names.get(engine, ["openvino-float32", "keras"])

    def _stores(self, engine_name):
        key = hashlib.sha256(f"{self.identity} {engine_name}".encode()).hexdigest()[:24]
        root = cache_folder() / "features" if self.cache else _temporary(self)
        shapes = [tuple(tensor.shape[1:]) for tensor in self.model.outputs]
        return [RowStore(root / f"{key}-{i}", shape, "float32") for i, shape in enumerate(shapes)]

    def _missing(self, stores):
        absent = np.any([store.find(self.keys) < 0 for store in stores], axis=0)
        return np.flatnonzero(absent)

    def _compute(self, runner, stores, missing, progress):
        size = runner.batch_size
        chunks = [missing[i : i + size] for i in range(0, len(missing), size)]
        quiet = None if progress else True  # None: a bar on a terminal only
        name = f"Features ({runner.name})"
        bar = tqdm(total=len(missing), desc=name, unit="photo", disable=quiet)
        kept, held = [], 0
        with bar:
            for chunk, outputs in zip(chunks, runner(map(self._images, chunks))):
                kept.append((chunk, outputs))
                held += sum(output.nbytes for output in outputs)
                if held > 4_000_000:  # a write is a disk flush: not one for each batch
                    self._keep(stores, kept)
                    kept, held = [], 0
                bar.update(len(chunk))
            self._keep(stores, kept)

    def _keep(self, stores, kept):
        if not kept:
            return
        keys = [self.keys[i] for chunk, _ in kept for i in chunk]
        for number, store in enumerate(stores):
            store.append(keys, np.concatenate([outputs[number] for _, outputs in kept]))

    def _images(self, rows):
        """uint8 photos of the given rows; row v * N + i is view v of photo i."""
        count = self.split.num_photos
        images = self.split.images(rows % count)
        digests = [self.split.digests[i] for i in rows % count]
        views = rows // count
        for view in np.unique(views[views > 0]):
            chosen = np.flatnonzero(views == view)
            names = [digests[i] for i in chosen]
            images[chosen] = view_of(images[chosen], names, int(view), self.seed)
        return images


def _temporary(owner):
    """A folder that goes with the process."""
    import atexit
    import shutil
    import tempfile
    from pathlib import Path

    if not hasattr(owner, "folder"):
        owner.folder = Path(tempfile.mkdtemp(prefix="kerascnn-"))
        atexit.register(shutil.rmtree, owner.folder, ignore_errors=True)
    return owner.folder


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
