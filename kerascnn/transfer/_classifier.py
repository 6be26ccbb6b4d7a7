"""The model that is trained: a network and its head, in one flat graph."""

import keras

from kerascnn import _graph
from kerascnn._errors import InputError
from kerascnn._state import clone, set_weights
from kerascnn.layers import check_value_range
from kerascnn.transfer.backbones import backbone as build_backbone


def network_for(backbone, weights, data):
    """The network to adapt; of one that was passed a copy, so that it stays as it is."""
    if isinstance(backbone, keras.Model):
        network = copy_of(backbone)
    else:
        height, width, channels = data.image_shape
        network = build_backbone(backbone, weights, image_size=(height, width), channels=channels)
    if network.input_shape[1:] != data.image_shape or len(network.output_shape) != 2:
        raise InputError(
            f"The backbone must lead from photos {data.image_shape} to features (N, F). "
            f"Received: {network.input_shape[1:]} to {network.output_shape}."
        )
    if isinstance(backbone, keras.Model):
        some = range(min(32, data.train.num_photos))
        check_value_range(network, data.train.images(some))
    return network


def copy_of(network):
    """The same network with layers of its own: training it leaves the first as it is."""
    copy = clone(network)
    set_weights(copy, network.get_weights())
    return copy


def with_head(network, layer, num_classes, recipe, seed):
    """One flat model from photos to probabilities, by way of a layer (None: the output).

    The head is a hidden layer, dropout, as the recipe asks for them, and the classifier.
    """
    x = _graph.result_of(network) if layer is None else _graph.output_of(network, layer)
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name=_free_name(network, "pool"))(x)
    if recipe.hidden_units:
        x = keras.layers.Dense(
            recipe.hidden_units,
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed),
            name=_free_name(network, "hidden"),
        )(x)
    if recipe.dropout:
        x = keras.layers.Dropout(recipe.dropout, seed=seed, name=_free_name(network, "dropout"))(x)
    predictions = keras.layers.Dense(
        num_classes,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        dtype="float32",
        name=_free_name(network, "predictions"),
    )
    return keras.Model(network.inputs[0], predictions(x), name=f"{network.name}_classifier")


def head_of(model, recipe):
    """What `with_head` put behind the features, as a model that shares its layers."""
    count = 1 + bool(recipe.hidden_units) + bool(recipe.dropout)
    return keras.Model(model.layers[-count].input, model.output, name=f"{model.name}_head")


def _free_name(network, name):
    taken = {layer.name for layer in network.layers}
    return next(n for n in (name, *(f"{name}_{i}" for i in range(2, 100))) if n not in taken)
