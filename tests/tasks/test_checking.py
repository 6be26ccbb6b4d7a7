import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn import InputError, losses
from kerascnn.tasks import check

K, L = keras.losses, keras.layers
X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
INTS = np.array([0, 1, 2, 0, 1, 2])
ONE_HOT = np.eye(3)[INTS]
BINARY = INTS % 2
TARGETS = X[:, 0]


def compiled(loss, units, activation=None, *more):
    model = keras.Sequential([keras.Input((4,)), L.Dense(units, activation, name="out"), *more])
    model.compile("sgd", loss)
    return model


FITTING = [
    (K.SparseCategoricalCrossentropy(), 3, "softmax", INTS),
    (K.SparseCategoricalCrossentropy(from_logits=True), 3, None, INTS[:, None]),
    (K.CategoricalCrossentropy(), 3, "softmax", ONE_HOT),
    (K.CategoricalCrossentropy(), 3, "softmax", 0.5 * ONE_HOT + 0.5 * ONE_HOT[::-1]),
    (K.BinaryCrossentropy(), 1, "sigmoid", BINARY),
    (K.BinaryCrossentropy(from_logits=True), 3, None, ONE_HOT),
    (losses.OrdinalCrossentropy(), 2, "sigmoid", INTS),
    (losses.LogLoss(), 1, None, 2 * BINARY - 1),
    (losses.MaxMarginLoss(), 3, None, INTS),
    (K.Hinge(), 1, "tanh", 2 * BINARY - 1),
    ("mse", 1, None, TARGETS),
    ("mse", 1, "relu", abs(TARGETS)),
    ("mse", 3, "softmax", ONE_HOT),
    (K.Poisson(), 1, "relu", -abs(TARGETS)),  # not known
    (losses.ClassWeighted(K.BinaryCrossentropy(), [1, 2]), 1, "sigmoid", BINARY),
]


@pytest.mark.parametrize(("loss", "units", "activation", "y"), FITTING)
def test_what_fits_is_left_alone(loss, units, activation, y):
    assert check(compiled(loss, units, activation), (X, y)) == []


SPARSE, BCE = K.SparseCategoricalCrossentropy, K.BinaryCrossentropy
MISFITS = {
    "sigmoid in layer and loss": (BCE(from_logits=True), 1, "sigmoid", BINARY, "applied twice"),
    "softmax in layer and loss": (SPARSE(from_logits=True), 3, "softmax", INTS, "applied twice"),
    "logits as probabilities": (BCE(), 1, None, BINARY, "takes probabilities.*without sigmoid"),
    "relu as probabilities": (SPARSE(), 3, "relu", INTS, "takes probabilities.*with relu"),
    "softmax over 1 unit": (BCE(), 1, "softmax", BINARY, "softmax over 1 unit is always 1"),
    "one-hot with sparse": (SPARSE(), 3, "softmax", ONE_HOT, r"takes int labels.*\(N, 3\)"),
    "ints with one-hot": (
        K.CategoricalCrossentropy(),
        3,
        "softmax",
        INTS,
        r"takes one-hot labels.*\(N,\)",
    ),
    "too few units": (SPARSE(), 2, "softmax", INTS, "ints from 0 to 1 for 2 outputs. Found: 2"),
    "labels from 1": (SPARSE(), 3, "softmax", INTS + 1, "Found: 3"),
    "negative label": (SPARSE(), 3, "softmax", INTS - 1, "Found: -1"),
    "half a label": (SPARSE(), 3, "softmax", INTS / 2, "Found: 0.5"),
    "columns": (K.CategoricalCrossentropy(), 4, "softmax", ONE_HOT, r"\(N, 3\).*has 4 outputs"),
    "rows of no distribution": (K.CategoricalCrossentropy(), 3, "softmax", 2 * ONE_HOT, "add up"),
    "signs for binary": (BCE(), 1, "sigmoid", 2 * BINARY - 1, "from 0 to 1.*Found: -1"),
    "ints for many sigmoids": (BCE(), 3, "sigmoid", INTS, r"\(N,\), but .* has 3 outputs"),
    "softmax for binary": (BCE(), 3, "softmax", ONE_HOT, "belongs to sigmoid"),
    "sigmoid for classes": (SPARSE(), 3, "sigmoid", INTS, "belongs to softmax"),
    "probabilities for a hinge": (losses.HingeLoss(), 1, "sigmoid", BINARY, "takes scores"),
    "labels of a hinge": (losses.HingeLoss(), 1, None, INTS, r"-1 \(or 0\) and 1.*Found: 2"),
    "ordinal": (losses.OrdinalCrossentropy(), 2, "sigmoid", INTS + 1, "from 0 to 2.*Found: 3"),
    "relu": ("mse", 1, "relu", TARGETS, "targets go from -.* relu of layer 'out' returns 0 to inf"),
    "sigmoid": ("mse", 1, "sigmoid", 255 * abs(TARGETS), "End with a linear layer, or scale"),
    "targets": ("mse", 2, None, TARGETS, r"\(N,\), but .* has 2 outputs"),
    "NaN": ("mse", 1, None, TARGETS * np.nan, "NaN"),
    "weights": (
        losses.ClassWeighted(SPARSE(), [1, 2]),
        3,
        "softmax",
        INTS,
        "2 class weights for 3 classes",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_misfit_is_named(name):
    loss, units, activation, y, message = MISFITS[name]
    (found,) = check(compiled(loss, units, activation), (X, y))
    assert found.startswith("out: ")
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(found)


def test_an_activation_on_an_activation():
    model = compiled(BCE(), 1, "sigmoid", L.Activation("sigmoid", name="again"))
    (found,) = check(model, (X, BINARY))
    assert "sigmoid of layer 'again' is applied to what sigmoid of layer 'out' returned" in found


def classifier(activation="softmax"):
    return keras.Sequential([keras.Input((4,)), L.Dense(3, activation)])


def over(end):
    inputs = keras.Input((4,))
    return keras.Model(inputs, end(L.Dense(3)(inputs)))


PROBABILITIES = {
    "vote": lambda: kc.ensembles.ensemble([classifier(), classifier()]),
    "weighted vote": lambda: kc.ensembles.ensemble([classifier(), classifier()], [1, 2]),
    "hard vote": lambda: kc.ensembles.ensemble([classifier(), classifier()], vote="hard"),
    "operation": lambda: over(keras.ops.softmax),
    "activation as operation": lambda: over(keras.activations.softmax),
    "layer as activation": lambda: classifier(L.Softmax()),
    "own activation": lambda: classifier(lambda x: keras.ops.softmax(x)),
    "own operations": lambda: over(lambda x: keras.ops.exp(keras.ops.log_softmax(x))),
}


@pytest.mark.parametrize("name", PROBABILITIES)
def test_probabilities_made_otherwise_are_left_alone(name):
    model = PROBABILITIES[name]()
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert check(model, (X, INTS)) == []


@pytest.mark.parametrize("weights", [None, [1, 2]])
def test_a_vote_of_logits_is_named(weights):
    model = kc.ensembles.ensemble([classifier(None), classifier(None)], weights)
    model.compile("sgd", SPARSE())
    (found,) = check(model, (X, INTS))
    assert "takes probabilities, but layer 'vote' ends without softmax" in found
    model.compile("sgd", SPARSE(from_logits=True))
    assert check(model, (X, INTS)) == []


@pytest.mark.parametrize(("activation", "problems"), [("softmax", 0), (None, 1)])
def test_the_mean_over_views_ends_as_its_network(activation, problems):
    layers = [keras.Input((8, 8, 3)), L.Flatten(), L.Dense(3, activation, name="out")]
    model = kc.augment.test_time(keras.Sequential(layers))
    model.compile("sgd", SPARSE())
    found = check(model, (np.zeros((6, 8, 8, 3)), INTS))
    assert len(found) == problems and all("layer 'out' ends without" in f for f in found)


def test_sigmoids_that_are_operations_are_found():
    model = over(keras.ops.sigmoid)
    model.compile("sgd", BCE(from_logits=True))
    (found,) = check(model, (X, ONE_HOT))
    assert "applied twice" in found


def two_outputs(**options):
    inputs = keras.Input((4,))
    outputs = {"a": L.Dense(3, "softmax")(inputs), "b": L.Dense(1)(inputs)}
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"a": SPARSE(), "b": "mse"}, **options)
    return model


def test_each_of_several_outputs():
    assert check(two_outputs(), (X, {"a": INTS, "b": TARGETS})) == []
    found = check(two_outputs(), (X, {"a": ONE_HOT, "b": np.ones((6, 2))}))
    assert [sentence[:3] for sentence in found] == ["a: ", "b: "]
    assert check(two_outputs(), (X, {"a": INTS})) == ["b: `data` has no labels for this output."]
    with pytest.raises(InputError, match="outputs a, b and needs labels for each"):
        check(two_outputs(), (X, INTS))


def test_a_weight_of_an_output_that_does_not_exist():
    """Keras ignores it."""
    model = two_outputs(loss_weights={"a": 0.5, "bb": 10.0})
    (found,) = check(model, (X, {"a": INTS, "b": TARGETS}))
    assert found == "bb: `loss_weights` of compile has it, but the outputs are a, b."


def test_a_list_of_outputs_takes_lists_and_names():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [L.Dense(3, "softmax", name=n)(inputs) for n in "ab"])
    for loss in ("sparse_categorical_crossentropy", [SPARSE(), SPARSE()], {"b": SPARSE()}):
        model.compile("sgd", loss)
        (found,) = check(model, (X, [INTS, INTS + 1]))
        assert found.startswith("b: labels must be ints")


def test_maps_are_not_judged_by_their_labels():
    model = keras.Sequential([keras.Input((4, 4, 2)), L.Conv2D(3, 1, name="out")])
    model.compile("sgd", SPARSE(from_logits=True))
    y = np.zeros((6, 4, 4), int)
    assert check(model, (np.zeros((6, 4, 4, 2)), y)) == []
    model.compile("sgd", SPARSE())
    (found,) = check(model, (np.zeros((6, 4, 4, 2)), y))
    assert "takes probabilities" in found


def test_labels_that_are_no_numbers():
    model = compiled(SPARSE(), 3, "softmax")
    (found,) = check(model, (X, np.array(list("abcabc"))))
    assert "labels must be numbers, not <U1" in found
    assert "has no labels" in check(model, (X[:0], INTS[:0]))[0]


class Batches(keras.utils.PyDataset):
    @property
    def num_batches(self):
        return 3

    def __getitem__(self, index):
        return X[2 * index :][:2], (INTS + 1)[2 * index :][:2]


def test_data_of_every_kind():
    import tensorflow as tf

    model = compiled(SPARSE(), 3, "softmax")
    data = tf.data.Dataset.from_tensor_slices((X, INTS + 1)).batch(4)
    for given in (data, Batches(), iter([(X, INTS + 1)]), (X, [INTS + 1])):
        assert len(check(model, given)) == 1
    assert check(model, (X, INTS, np.ones(6))) == []
    for given in (tf.data.Dataset.from_tensor_slices((X,)).batch(4), X, None, []):
        with pytest.raises(InputError, match="`data` has no labels"):
            check(model, given)


@pytest.mark.parametrize("one_hot", [False, True])
def test_photos_of_fewer_classes_than_outputs(one_hot):
    pixels = np.random.default_rng(0).integers(256, size=(40, 8, 8), dtype="uint8")
    data = kc.data.from_arrays(pixels, ["cat", "dog"] * 20, one_hot=one_hot)
    for classes, problems in ((2, 0), (3, 1 + one_hot)):
        task = kc.tasks.multi_class(classes, one_hot=one_hot)
        inputs = keras.Input((8, 8, 1))
        model = keras.Model(inputs, task.head(L.Flatten()(inputs)))
        model.compile("sgd", task.loss)
        for given in (data, data.train):
            found = check(model, given)
            assert len(found) == problems
            assert all("3" in sentence for sentence in found)


def test_what_cannot_be_checked_is_refused():
    model = keras.Sequential([keras.Input((4,)), L.Dense(1)])
    with pytest.raises(InputError, match="has no loss to check: compile it first"):
        check(model, (X, TARGETS))


@pytest.mark.parametrize("form", ["arrays", "batches", "ImageData", "split", "augmented"])
def test_images_of_another_scale_are_named(form):
    images = np.random.default_rng(0).integers(256, size=(40, 8, 8, 3), dtype="uint8")
    data = kc.data.from_arrays(images, [0, 1] * 20)
    small = images.astype("float32") / 255, np.array([0, 1] * 20)
    for_bytes = L.Rescaling(1 / 255)
    for_shares = L.Normalization(mean=[0.5] * 3, variance=[0.1] * 3)
    scale, given = {
        "arrays": (for_bytes, small),
        "batches": (for_bytes, [small]),
        "ImageData": (for_shares, data),
        "split": (for_shares, data.train),
        "augmented": (for_shares, data.train.augment(kc.augment.RandomAffine("horizontal"))),
    }[form]
    model = keras.Sequential([keras.Input((8, 8, 3)), scale, L.Flatten(), L.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    (found,) = check(model, given)
    assert found.startswith("input: ") and "these images have" in found
