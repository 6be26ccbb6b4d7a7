"""TensorFlow's SavedModel: what TensorFlow Serving loads."""

from kerascnn.export._network import INPUT, OUTPUT

FILE, NEEDS, INT8 = "saved_model.pb", (), False


def write(network, folder, labels, calibration=None):
    """Write the network; `labels`, the path of labels.json, becomes an asset of it."""
    import tensorflow as tf

    module = tf.Module()
    module.labels = tf.saved_model.Asset(str(labels))
    tf.saved_model.save(module, str(folder), signatures=network)


def runner(file):
    """A function from uint8 photos to probabilities."""
    import tensorflow as tf

    network = tf.saved_model.load(str(file.parent)).signatures["serving_default"]
    return lambda images: network(**{INPUT: tf.constant(images)})[OUTPUT]


def labels_in(file):
    """The text of labels.json that travels with it."""
    return (file.parent / "assets" / "labels.json").read_text("utf-8")
