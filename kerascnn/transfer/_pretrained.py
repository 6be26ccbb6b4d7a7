"""A network as it was before the training, and what was computed from it."""

import json

import numpy as np

from kerascnn import _graph
from kerascnn.transfer.features import FeatureExtractor
from kerascnn.transfer.probe import fit_probe


class Pretrained:
    """A network, its features and the linear classifiers on them: each is computed once.

    Keep it, and further trainings on the same photos start at once. They must leave the network
    as it is then: `copy_of` makes one that can be trained.

    Args:
        network: flat `keras.Model` from photos to features.
        data: `ImageData`.
        engine: str. seed: int. progress: bool. See `extract_features`.
    """

    def __init__(self, network, data, engine="auto", seed=0, progress=False):
        self.network, self.data = network, data
        self.boundaries = _graph.stage_boundaries(network)  # before the last stage, the last two
        self.digest = _graph.weights_digest(network)
        self.engines = set()  # that computed features
        self._engine, self._options = engine, {"seed": seed, "progress": progress}
        self._extractors, self._features, self._probes = {}, {}, {}

    def extract(self, name, layers, pooling, views=1, precision="float32"):
        """{layer: `Features`} of the photos of a split, from one pass; `pooling` for each layer.

        Of a layer that is there twice (pooled, and as it is), the second is returned.
        """
        keys = {pair[0]: (name, *pair, views, precision) for pair in zip(layers, pooling)}
        missing = [p for p in zip(layers, pooling) if keys[p[0]] not in self._features]
        if missing:
            found = self._extractor(missing, precision)(
                getattr(self.data, name), views=views, **self._options
            )
            self._features |= {keys[layer]: features for layer, features in found.items()}
            self.engines |= {features.engine for features in found.values()}
        return {layer: self._features[key] for layer, key in keys.items()}

    def _extractor(self, pairs, precision):
        key = precision, *pairs
        if key not in self._extractors:
            layers, pooling = map(list, zip(*pairs))
            self._extractors[key] = FeatureExtractor(
                self.network, layers, pooling=pooling, engine=self._engine, precision=precision
            )
        return self._extractors[key]

    def probe(self, layer, features, held, class_weight):
        """The `Probe` on the features of a layer, of the training and validation photos."""
        key = layer, len(features), json.dumps(class_weight)
        if key not in self._probes:
            train, validation = self.data.train.labels, self.data.validation.labels
            views = len(features) // len(train)
            classes = len(self.data.class_names)
            self._probes[key] = fit_probe(
                features, np.tile(train, views), (held, validation), classes, class_weight
            )
        return self._probes[key]
