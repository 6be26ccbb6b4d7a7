"""The network as other programs get it: raw photos in, float32 probabilities out."""

import contextlib
import warnings

import keras
import numpy as np

from kerascnn._errors import InputError
from kerascnn._graph import leaves
from kerascnn.compute import to_precision

INPUT, OUTPUT = "images", "probabilities"  # their names in every format
_BATCH = 32


def check_backend():
    """Raise an `InputError` where Keras does not run on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "Models are exported from Keras's TensorFlow backend. Save this one as .keras, set "
            "KERAS_BACKEND=tensorflow and start again: the file opens there."
        )


def exportable(model):
    """The model in float32 (mixed precision is for training); `InputError` if it is unfit."""
    if not isinstance(model, keras.Model):
        raise InputError(f"Pass a run folder, a Run or a keras.Model. Received: {model!r}.")
    inputs, outputs = (getattr(model, side, None) or [] for side in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4:
        raise InputError(
            "Only a model from one image (N, H, W, C) to one output can be exported. "
            f"{model.name!r} has {len(inputs)} inputs and {len(outputs)} outputs."
        )
    if all(layer.compute_dtype == "float32" for layer in leaves(model)):
        return model
    return to_precision(model, "float32")


def graph(model):
    """A `tf.function` from uint8 photos to {OUTPUT: array}, its weights as constants."""
    import tensorflow as tf

    state = [
        [variable.numpy() for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    photos = tf.TensorSpec(model.inputs[0].shape, tf.uint8, name=INPUT)

    @tf.function(autograph=False, input_signature=[photos])
    def network(images):
        outputs, _ = model.stateless_call(*state, tf.cast(images, tf.float32), training=False)
        return tf.cast(tf.nest.flatten(outputs)[0], tf.float32)

    with _any_structure(), _inlined():
        return _closed(network.get_concrete_function(), photos)


def _closed(traced, photos):
    """The same function with everything it holds as constants in it, not only the weights.

    What a layer keeps outside its variables (the mean of a `Normalization`) became an input.
    """
    import tensorflow as tf

    (images, *inputs), held = traced.inputs, traced.captured_inputs
    definition, output = traced.graph.as_graph_def(), traced.outputs[0].name

    @tf.function(autograph=False, input_signature=[photos])
    def network(images_):
        known = {tensor.name: tf.constant(value.numpy()) for tensor, value in zip(inputs, held)}
        known[images.name] = images_
        outputs = tf.graph_util.import_graph_def(definition, known, [output], name="")
        return {OUTPUT: outputs[0]}

    return network


def keras_outputs(model, images):
    """What Keras itself says of uint8 photos: float32 array."""
    with _any_structure():
        return in_batches(lambda x: model.predict_on_batch(x.astype(np.float32)), images)


def in_batches(function, images):
    """The outputs of a function of up to 32 photos for any number of them."""
    parts = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    outputs = [function(part) for part in parts]
    return np.concatenate([keras.ops.convert_to_numpy(keras.tree.flatten(y)[0]) for y in outputs])


@contextlib.contextmanager
def _inlined():
    """Keras 3.15 compiles grouped convolutions by XLA; as a plain operation every program has them.

    A function within the one that is traced is run as Python, so that its operations join it.
    """
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextlib.contextmanager
def _any_structure():
    """A model made as `Model([inputs], outputs)` takes the bare array too, but warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The structure of `inputs`")
        yield
