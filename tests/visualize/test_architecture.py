"""Graphs in pictures: the blocks of the papers, and what must hold for every network."""

import keras
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from kerascnn import InputError, models
from kerascnn.visualize import graph_layout
from kerascnn.visualize.architecture import text_width


def image():
    return keras.Input((32, 32, 3), name="image")


def dense_block():
    """Each convolution reads all before it, as in DenseNet."""
    found = [image()]
    for i in range(5):
        x = keras.layers.Concatenate(name=f"join{i}")(found) if i else found[0]
        found.append(keras.layers.Conv2D(4, 3, padding="same", name=f"conv{i}")(x))
    return keras.Model(found[0], found[-1])


SMALL = {"input_shape": (32, 32, 3), "classes": 5}
NETWORKS = {
    "LeNet5": lambda: models.LeNet5(),
    "AlexNet": lambda: models.AlexNet(input_shape=(67, 67, 3), classes=2),
    "GoogLeNet": lambda: models.GoogLeNet(input_shape=(65, 65, 3), aux_heads=True),
    "ResNet18": lambda: models.ResNet(depth=18, shortcut="C", **SMALL),
    "ResNet50-v2": lambda: models.ResNet(depth=50, variant="v2", **SMALL),
    "CifarResNet20": lambda: models.CifarResNet20(),
    "ResNeXt-a": lambda: models.CifarResNeXt(depth=11, cardinality=3, width=2, form="a"),
    "FractalNet": lambda: models.FractalNet(num_columns=3, filters=(4, 4), dropout_rates=None),
    "MobileNetV2": lambda: keras.applications.MobileNetV2(weights=None, input_tensor=image()),
    "dense block": lambda: dense_block(),
}


def histories(node):
    """The names of the layers whose tensors a call reads, in a Keras config."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        yield node["config"]["keras_history"][0]
    elif isinstance(node, dict | list | tuple):
        for part in node.values() if isinstance(node, dict) else node:
            yield from histories(part)


@pytest.fixture(params=NETWORKS, scope="module")
def network(request):
    model = NETWORKS[request.param]()
    return model, graph_layout(model)


def names(drawing):
    return [box.layers[0] for box in drawing.boxes]


def edges(drawing):
    name = names(drawing)
    return {(name[arrow.source], name[arrow.target]) for arrow in drawing.arrows}


def test_every_layer_is_in_one_box(network):
    model, drawing = network
    shown = [name for box in drawing.boxes for name in box.layers]
    steering = {layer.name for layer in model.layers if type(layer).__name__ == "FractalPath"}
    assert sorted(shown) == sorted({layer.name for layer in model.layers} - steering)


def test_every_edge_is_an_arrow_or_inside_a_box(network):
    model, drawing = network
    box = {name: i for i, shown in enumerate(drawing.boxes) for name in shown.layers}
    expected = {
        (box[source], box[layer["name"]])
        for layer in model.get_config()["layers"]
        for source in histories(layer["inbound_nodes"])
        if source in box and layer["name"] in box
    }
    within = {(i, i) for i, shown in enumerate(drawing.boxes) if len(shown.layers) > 1}
    assert {(a.source, a.target) for a in drawing.arrows} == expected - within
    assert within <= expected


def test_boxes_do_not_overlap_and_are_inside_the_picture(network):
    _, drawing = network
    for i, box in enumerate(drawing.boxes):
        assert box.x - box.width / 2 > 0 and box.x + box.width / 2 < drawing.width
        assert box.y - box.height / 2 > 0 and box.y + box.height / 2 < drawing.height
        for other in drawing.boxes[:i]:
            beside = abs(box.x - other.x) >= (box.width + other.width) / 2
            below = abs(box.y - other.y) >= (box.height + other.height) / 2
            assert beside or below, (box, other)


def test_arrows_lead_down_from_box_to_box_around_the_others(network):
    _, drawing = network
    for arrow in drawing.arrows:
        source, target = drawing.boxes[arrow.source], drawing.boxes[arrow.target]
        assert arrow.points[0] == pytest.approx((source.x, source.y + source.height / 2))
        assert arrow.points[-1] == pytest.approx((target.x, target.y - target.height / 2))
        heights = [y for _, y in arrow.points]
        assert heights == sorted(heights)
        for x, y in arrow.points[1:-1]:
            for box in drawing.boxes:
                at_its_height = abs(y - box.y) <= box.height / 2 + 1e-3
                assert not at_its_height or abs(x - box.x) > box.width / 2


def test_residual_block_has_two_paths():
    drawing = graph_layout(models.CifarResNet20(), "stage1_block1_out", "stage1_block2_out")
    start, one, two, out = drawing.boxes
    assert (one.kind, two.kind) == ("Conv2D 3x3 + BN + ReLU", "Conv2D 3x3 + BN")
    assert (start.kind, start.output) == ("Add + ReLU", "32x32x16")
    assert one.layers == tuple(f"stage1_block2_1_{part}" for part in ("conv", "bn", "relu"))
    assert start.x == one.x == two.x == out.x
    (skip,) = [a for a in drawing.arrows if (a.source, a.target) == (0, 3)]
    assert len(skip.points) == 6  # past two boxes
    assert all(abs(x - one.x) > one.width / 2 for x, _ in skip.points[1:-1])


def test_pre_activation_has_its_own_box():
    model = models.CifarResNet(depth=20, variant="v2")
    drawing = graph_layout(model, "stage1_block1_out", "stage1_block2_out")
    assert [box.kind for box in drawing.boxes] == [
        "Add",
        "BN + ReLU",
        "Conv2D 3x3 + BN + ReLU",
        "Conv2D 3x3",
        "Add",
    ]


def test_inception_module_has_four_branches():
    drawing = graph_layout(models.GoogLeNet(), "pool2", "inception3a")
    heads = [box for box in drawing.boxes if box.y == sorted({b.y for b in drawing.boxes})[1]]
    assert [box.layers[0] for box in sorted(heads, key=lambda box: box.x)] == [
        "inception3a_1x1",
        "inception3a_3x3_reduce",
        "inception3a_5x5_reduce",
        "inception3a_pool",
    ]
    kinds = dict(zip(names(drawing), (f"{box.kind}: {box.output}" for box in drawing.boxes)))
    assert kinds["pool2"] == "MaxPooling2D 3x3/2: 28x28x192"
    assert kinds["inception3a_5x5"] == "Conv2D 5x5, relu: 28x28x32"
    assert len(drawing.boxes) == 9 and len(drawing.arrows) == 4 + 3 + 4


def test_fractal_block_has_columns_and_joins():
    drawing = graph_layout(models.FractalNet20(), "stage1_pool", "stage2_join4")
    x = dict(zip(names(drawing), (box.x for box in drawing.boxes)))
    columns = [
        {x[f"stage2_column{c}_{i}_conv"] for i in range(1, 2 ** (c - 1) + 1)} for c in (1, 2, 3)
    ]
    assert [len(column) for column in columns] == [1, 1, 1]
    assert sorted(columns, key=min) == columns
    assert {source for source, target in edges(drawing) if target == "stage2_join4"} == {
        "stage2_column1_1_conv",
        "stage2_column2_2_conv",
        "stage2_column3_4_conv",
    }


def test_options_that_matter_are_named():
    kinds = [
        box.kind
        for box in graph_layout(models.CifarResNeXt(depth=11, cardinality=4, width=8)).boxes
    ]
    assert "Conv2D 3x3/2, 4 groups + BN + ReLU" in kinds
    lenet = graph_layout(models.LeNet5()).boxes
    assert lenet[2].kind == "TrainableSubsampling 2x2, scaled_tanh"


def test_a_layer_called_twice_has_two_boxes():
    x = keras.Input((4,), name="x")
    dense = keras.layers.Dense(4, name="dense")
    drawing = graph_layout(keras.Model(x, dense(dense(x))))
    assert names(drawing) == ["x", "dense", "dense"]
    assert [(arrow.source, arrow.target) for arrow in drawing.arrows] == [(0, 1), (1, 2)]


def test_unknown_sizes_can_be_filled():
    image = keras.Input((None, None, 3), name="image")
    model = keras.Model(image, keras.layers.Conv2D(4, 3, name="conv")(image))
    assert graph_layout(model, input_shape=(8, 6, 3)).boxes[1].output == "6x4x4"


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("c4", None, "Unknown layer 'c4'"),
        (None, "nothing", "Unknown layer 'nothing'"),
        ("f6", "c1", "No path leads from 'f6' to 'c1': swap them, or choose others."),
    ],
)
def test_wrong_layers(first, last, message):
    with pytest.raises(InputError, match=message):
        graph_layout(models.LeNet5(), first, last)


def test_more_boxes_than_a_picture_shows():
    layers = [keras.layers.Identity() for _ in range(400)]
    model = keras.Sequential([keras.Input((2,)), *layers], name="long")
    with pytest.raises(InputError, match="at most 400 boxes. 'long' has 401 between"):
        graph_layout(model)
    assert len(graph_layout(model, layers[0].name).boxes) == 400


def test_width_of_text_is_that_of_the_font():
    text, font = "inception3a_3x3_reduce · 5x5", FontProperties("DejaVu Sans Mono")
    drawn = TextPath((0, 0), text, 8, prop=font).get_extents().width / 72
    assert drawn <= text_width(text, 8) < drawn * 1.05
