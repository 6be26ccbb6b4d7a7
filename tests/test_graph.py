import keras
import numpy as np
import pytest
from keras import layers

from kerascnn import InputError, _graph

# Keras 3.15 converts its own variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def mobilenet_v2():
    return keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(224, 224, 3), pooling="avg"
    )


@pytest.fixture
def small_mobilenet():
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNet(
        weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.25, pooling="avg"
    )


def photos(n, size=32):
    return np.random.default_rng(0).uniform(-1, 1, (n, size, size, 3)).astype("float32")


def random_graph(rng, size):
    """A random network of additions, and its edges: {node: the nodes that it reads}."""
    reads = {1: [0]}
    for node in range(2, size):
        reads[node] = sorted({node - 1, *rng.choice(node, rng.integers(0, 3)).tolist()} - {0})
    tensors = [keras.Input((3,))]
    for node in range(1, size):
        x = [tensors[i] for i in reads[node]]
        join = layers.Add(name=f"n{node}") if len(x) > 1 else layers.ReLU(name=f"n{node}")
        tensors.append(join(x if len(x) > 1 else x[0]))
    return keras.Model(tensors[0], tensors[-1]), reads


def reaches_the_end_without(reads, removed):
    reached = {0}
    for node in range(1, len(reads) + 1):
        if node != removed and reached & set(reads[node]):
            reached.add(node)
    return len(reads) in reached


@pytest.mark.parametrize("seed", range(20))
def test_cut_points_are_the_nodes_whose_removal_parts_the_graph(seed):
    model, reads = random_graph(np.random.default_rng(seed), size=12)
    articulations = [n for n in range(1, 11) if not reaches_the_end_without(reads, n)]
    assert _graph.cut_points(model) == [f"n{node}" for node in articulations]


def test_cut_points_of_mobilenet_v2(mobilenet_v2):
    cuts = _graph.cut_points(mobilenet_v2)
    assert {"Conv1_relu", "block_12_add", "block_13_expand_relu", "out_relu"} <= set(cuts)
    # block 12 has a shortcut around all but its last layer
    assert [name for name in cuts if name.startswith("block_12")] == ["block_12_add"]


def test_an_operation_that_is_no_layer_can_be_a_shortcut():
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="first")(inputs)
    y = layers.Dense(4, name="branch")(x)
    x = layers.Dense(4, name="last")(x * 2.0 + y)
    model = keras.Model(inputs, layers.Dense(2)(x))
    assert _graph.cut_points(model) == ["first", "last"]


def test_a_layer_that_is_called_twice_is_no_cut_point():
    inputs, shared = keras.Input((4,)), layers.Dense(4, name="shared")
    x = layers.ReLU(name="between")(shared(inputs))
    model = keras.Model(inputs, layers.Dense(2)(shared(x)))
    assert "shared" not in _graph.cut_points(model)


def test_nothing_goes_around_an_output():
    inputs = keras.Input((4,))
    a = layers.Dense(4, name="a")(inputs)
    b = layers.Dense(4, name="b")(a)
    model = keras.Model(inputs, [b, layers.Dense(2, name="c")(b)])
    assert _graph.cut_points(model) == ["a"]


BOUNDARIES = [  # builder, size, boundary of the last stage, its shape: read off the published nets
    ("MobileNet", 224, "conv_pw_11_relu", (14, 14, 512)),
    ("MobileNetV3Small", 224, "expanded_conv_7_add", (14, 14, 48)),
    ("EfficientNetB0", 224, "block5c_add", (14, 14, 112)),
    ("ResNet50", 224, "conv4_block6_out", (14, 14, 1024)),
    # Keras has the stride of version 2 in the last block of a stage
    ("ResNet50V2", 224, "conv4_block5_out", (14, 14, 1024)),
    # after the transition's pooling, before the first dense block at 7x7
    ("DenseNet121", 224, "pool4_pool", (7, 7, 512)),
    ("VGG16", 224, "block4_pool", (14, 14, 512)),
    ("InceptionV3", 299, "mixed7", (17, 17, 768)),
    # two tensors join its cells from the stem on
    ("NASNetMobile", 224, "stem_bn1", (111, 111, 32)),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("builder", "size", "name", "shape"), BOUNDARIES)
def test_freeze_boundary(builder, size, name, shape):
    model = getattr(keras.applications, builder)(
        weights=None, include_top=False, input_shape=(size, size, 3)
    )
    assert _graph.freeze_boundary(model) == name
    assert _graph.output_of(model, name).shape[1:] == shape


def test_freeze_boundary_ignores_the_top_and_pooling(mobilenet_v2):
    assert _graph.freeze_boundary(mobilenet_v2) == "block_12_add"
    whole = keras.applications.MobileNetV2(weights=None)
    assert _graph.freeze_boundary(whole) == "block_12_add"


def test_boundaries_before_several_stages(mobilenet_v2):
    names = ["block_12_add", "block_5_add", "block_2_add", "expanded_conv_project_BN"]
    assert _graph.stage_boundaries(mobilenet_v2) == names
    assert _graph.freeze_boundary(mobilenet_v2, num_stages=2) == "block_5_add"
    with pytest.raises(InputError, match="has no stage to freeze before its last 5"):
        _graph.freeze_boundary(mobilenet_v2, num_stages=5)


def test_preprocessing_is_no_stage():
    photos = keras.Input((32, 32, 3))
    x = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 1.0, 1.0])(photos)
    x = layers.Conv2D(4, 3, 2, padding="same", name="first")(x)
    x = layers.Conv2D(8, 3, 2, padding="same", name="second")(x)
    assert _graph.stage_boundaries(keras.Model(photos, x)) == ["first"]


def test_freeze_boundary_says_when_there_is_none():
    inputs = keras.Input((8, 8, 3))
    x = layers.Rescaling(2.0)(inputs)
    one_stage = keras.Model(inputs, layers.Conv2D(4, 3, padding="same")(x), name="flat")
    with pytest.raises(InputError, match="'flat' has no stage to freeze"):
        _graph.freeze_boundary(one_stage)
    any_size = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3)(any_size)
    with pytest.raises(InputError, match="fixed image size"):
        _graph.freeze_boundary(keras.Model(any_size, layers.Conv2D(4, 3, 2)(x)))


def test_stage_ends_has_one_layer_per_resolution(mobilenet_v2):
    ends = _graph.stage_ends(mobilenet_v2)
    sizes = [mobilenet_v2.get_layer(name).output.shape[1] for name in ends]
    assert sizes == [112, 56, 28, 14, 7]
    cuts = _graph.cut_points(mobilenet_v2)
    assert [cuts.index(name) for name in ends] == sorted(cuts.index(name) for name in ends)
    # the next cut point, if it is an image still, is smaller or only padded
    assert ends[-1] == "out_relu" and ends[3] == "block_13_expand_relu"


def test_split_shares_weights_and_gives_the_same_numbers(small_mobilenet):
    model, x = small_mobilenet, photos(4)
    trunk, tail = _graph.split(model, "conv_pw_5_relu")
    assert np.array_equal(tail(trunk(x)), model(x))
    parts = [id(w) for w in trunk.weights + tail.weights]
    assert parts == [id(w) for w in model.weights]


def test_split_through_blocks_with_shortcuts():
    model = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35
    )
    x = photos(2)
    for name in _graph.cut_points(model)[::8]:
        trunk, tail = _graph.split(model, name)
        assert np.array_equal(tail(trunk(x)), model(x)), name


def test_split_refuses_a_layer_with_a_way_around_it(mobilenet_v2):
    with pytest.raises(InputError, match="cannot be cut after 'block_12_expand'"):
        _graph.split(mobilenet_v2, "block_12_expand")


def test_training_the_tail_trains_the_model(small_mobilenet):
    model = small_mobilenet
    trunk, tail = _graph.split(model, "conv_pw_12_relu")
    features = trunk.predict(photos(8), verbose=0)
    before, frozen = _graph.weights_digest(model), _graph.weights_digest(trunk)
    tail.compile("sgd", "mse")
    tail.fit(features, np.ones((8, 256), "float32"), verbose=0)
    assert _graph.weights_digest(model) != before
    assert _graph.weights_digest(trunk) == frozen
    assert np.array_equal(tail(trunk(photos(2))), model(photos(2)))


def test_output_of_an_unknown_layer(mobilenet_v2):
    with pytest.raises(InputError, match="Did you mean 'block_12_add'"):
        _graph.output_of(mobilenet_v2, "block12_add")


def test_output_of_a_layer_of_a_nested_model():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="deep")], name="inner")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.ReLU()(inner(inputs)))
    with pytest.raises(InputError, match="inside the nested model 'inner'"):
        _graph.output_of(model, "deep")


def test_output_of_a_layer_of_a_part(small_mobilenet):
    _, tail = _graph.split(small_mobilenet, "conv_pw_12_relu")
    with pytest.raises(InputError, match="was cut from another model"):
        _graph.output_of(tail, "conv_pw_13_relu")


def test_flatten_dissolves_sequential_models():
    pair = [layers.Dense(3, name="a"), layers.BatchNormalization(name="b")]
    inner = keras.Sequential([keras.Input((4,)), keras.Sequential(pair)])
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, layers.Dense(2, name="c")(inner(inputs)))
    pair[1].set_weights([np.full(3, i, "float32") for i in (1, 2, 3, 4)])
    flat = _graph.flatten(model)
    assert [layer.name for layer in flat.layers[1:]] == ["a", "b", "c"]
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    assert np.array_equal(flat(x), model(x))
    assert _graph.flatten(flat) is flat
    trunk, tail = _graph.split(flat, "a")
    assert np.array_equal(tail(trunk(x)), model(x))


def test_flatten_opens_backbones_and_keeps_what_is_shared():
    x = keras.Input((8, 8, 3), name="photo")
    shared = layers.Conv2D(3, 3, padding="same", name="conv")
    y = layers.BatchNormalization(name="bn")(shared(layers.ReLU(name="relu")(shared(x))))
    backbone = keras.Model(x, [layers.Add(name="add")([y, x]), y], name="backbone")
    normal = layers.Normalization(mean=[1.0, 2, 3], variance=[4.0, 5, 6], name="normal")
    image = keras.Input((8, 8, 3), name="image")
    one, other = backbone(keras.Sequential([normal, layers.Dense(3, name="mix")])(image))
    again, _ = backbone(other)
    x = layers.Conv2D(2, 1, name="conv")(layers.Concatenate(name="concat")([again, one * 2.0]))
    model = keras.Model({"image": image}, {"maps": x, "mean": layers.Flatten(name="flat")(x)})
    for weight in model.weights:
        weight.assign(np.random.default_rng(0).uniform(0.5, 1, weight.shape))
    flat = _graph.flatten(model)
    names = {layer.name for layer in flat.layers if layer.weights}
    assert names == {"mix", "backbone_conv", "bn", "conv"}
    photo = {"image": photos(2, 8)}
    expected, found = model(photo), flat(photo)
    for name in ("maps", "mean"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
    assert flat.count_params() == model.count_params()
    assert model.get_layer("backbone").get_layer("relu").output.shape == (None, 8, 8, 3)


@pytest.mark.thorough
def test_frozen_batch_norm_keeps_its_statistics_under_fit(small_mobilenet):
    model = small_mobilenet
    whole = keras.Model(model.input, layers.Dense(2, activation="softmax")(model.output))
    assert _graph.freeze_batch_norm(whole) == 27
    model.get_layer("conv_pw_13_bn").trainable = True  # shows that this fit does move the others
    before = {weight.path: weight.numpy() for weight in model.weights}
    # A tiny epsilon: through untrained batch normalisation hardly any gradient arrives.
    optimizer = keras.optimizers.Adam(epsilon=1e-30)
    whole.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    whole.fit(photos(8), np.arange(8) % 2, epochs=2, verbose=0)
    changed = {w.path for w in model.weights if not np.array_equal(w, before[w.path])}
    assert {path for path in changed if "_bn/" in path} == {
        f"conv_pw_13_bn/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")
    }
    assert {path for path in changed if path.endswith("/kernel")} == {
        path for path in before if path.endswith("/kernel")
    }


def test_batch_norm_of_nested_models_is_frozen_too():
    inner = keras.Sequential([keras.Input((4,)), layers.BatchNormalization(name="b")])
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.BatchNormalization()(inner(inputs)))
    assert _graph.freeze_batch_norm(model) == 2
    assert not inner.get_layer("b").trainable and not model.trainable_weights


def test_batch_norm_of_a_model_in_a_wrapper_is_frozen_too():
    frames = layers.TimeDistributed(keras.Sequential([layers.BatchNormalization(name="b")]))
    model = keras.Sequential([keras.Input((5, 4)), frames])
    assert _graph.freeze_batch_norm(model) == 1 and not model.trainable_weights


def test_weights_digest_sees_every_bit_and_the_order():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2), layers.Dense(2)])
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    digest = _graph.weights_digest(model)
    assert _graph.weights_digest(twin) == digest
    kernel, *rest = model.get_weights()
    kernel[0, 0] = np.nextafter(kernel[0, 0], np.float32(9))
    twin.set_weights([kernel, *rest])
    assert _graph.weights_digest(twin) != digest
    a, b, c, d = model.get_weights()
    twin.set_weights([c, d, a, b])
    assert _graph.weights_digest(twin) != digest
