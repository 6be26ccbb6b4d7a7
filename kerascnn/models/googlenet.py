"""GoogLeNet: Szegedy et al. 2015 (CVPR), arXiv:1409.4842, Table 1 and Fig. 2 and 3."""

from keras import initializers, layers

from kerascnn._errors import InputError, one_of
from kerascnn.layers import LocalResponseNormalization
from kerascnn.models._builder import documented, finish, image_input, output_dtype

__all__ = ["GoogLeNet", "inception", "inception_naive"]

TABLE_1 = {  # module: filters of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
AUX_HEADS = {False: (), True: ("4a", "4d"), "4a": ("4a",), "4d": ("4d",)}


def conv(x, filters, kernel_size, name, strides=1, padding="same"):
    """Convolution and ReLU, with the start of Caffe's bvlc_googlenet."""
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding,
        activation="relu",
        kernel_initializer="lecun_uniform",
        bias_initializer=initializers.Constant(0.2),
        name=name,
    )(x)


def pool(x, name, strides=2):
    """3x3 maximum. "same" halves an even size with windows over the far edge, as Caffe does."""
    return layers.MaxPooling2D(3, strides, "same", name=name)(x)


def norm(x, name):
    """Response normalisation, whose constants the paper leaves out: those of bvlc_googlenet.

    Caffe adds 1 where AlexNet adds 2, and divides the alpha of 1e-4 by the window of 5.
    """
    return LocalResponseNormalization(2, bias=1.0, alpha=1e-4 / 5, name=name)(x)


def inception(x, filters, name):
    """1x1, 3x3, 5x5 and maximum side by side, the last three with 1x1 reductions: Fig. 2(b).

    Args:
        x: Keras tensor (N, H, W, C).
        filters: six ints, a row of `TABLE_1`: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj.
        name: str. Name of the concatenation, and beginning of the names of all layers.

    Returns:
        Keras tensor (N, H, W, sum of the 1x1, 3x3, 5x5 and pool proj filters).

    >>> import keras
    >>> inception(keras.Input((28, 28, 256)), (128, 64, 192, 64, 96, 64), "module").shape
    (None, 28, 28, 480)
    """
    one, reduce_three, three, reduce_five, five, project = filters
    a = conv(x, one, 1, f"{name}_1x1")
    b = conv(x, reduce_three, 1, f"{name}_3x3_reduce")
    b = conv(b, three, 3, f"{name}_3x3")
    c = conv(x, reduce_five, 1, f"{name}_5x5_reduce")
    c = conv(c, five, 5, f"{name}_5x5")
    d = pool(x, f"{name}_pool", strides=1)
    d = conv(d, project, 1, f"{name}_pool_proj")
    return layers.Concatenate(name=name)([a, b, c, d])


def inception_naive(x, filters, name):
    """1x1, 3x3, 5x5 and maximum side by side, without reductions: Fig. 2(a).

    The output is deeper than the input by all filters, so that costs grow from module to module:
    why the paper reduces.

    Args:
        x: Keras tensor (N, H, W, C).
        filters: three ints: 1x1, 3x3, 5x5.
        name: str. Name of the concatenation, and beginning of the names of all layers.

    Returns:
        Keras tensor (N, H, W, C + sum of the filters).

    >>> import keras
    >>> inception_naive(keras.Input((28, 28, 256)), (128, 192, 96), "module").shape
    (None, 28, 28, 672)
    """
    sizes = (1, 3, 5)
    y = [conv(x, n, size, f"{name}_{size}x{size}") for n, size in zip(filters, sizes)]
    return layers.Concatenate(name=name)([*y, pool(x, f"{name}_pool", strides=1)])


def classifier(x, classes, activation, name):
    return layers.Dense(
        classes,
        activation,
        kernel_initializer="lecun_uniform",
        dtype=output_dtype(),
        name=name,
    )(x)


def aux_head(x, classes, activation, name):
    """5x5/3 average, 1x1 to 128, 1,024 units, dropout, classifier: Sec. 5."""
    x = layers.AveragePooling2D(5, 3, name=f"{name}_pool")(x)
    x = conv(x, 128, 1, f"{name}_conv")
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = layers.Dense(
        1024,
        "relu",
        kernel_initializer="lecun_uniform",
        bias_initializer=initializers.Constant(0.2),
        name=f"{name}_fc",
    )(x)
    x = layers.Dropout(0.7, name=f"{name}_dropout")(x)
    return classifier(x, classes, activation, f"{name}_output")


def modules(image):
    """The outputs of the inception modules above the stem, by their names in Table 1."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(image)
    x = conv(x, 64, 7, "conv1", strides=2, padding="valid")
    x = norm(pool(x, "pool1"), "norm1")
    x = conv(x, 64, 1, "conv2_reduce")
    x = norm(conv(x, 192, 3, "conv2"), "norm2")
    x = pool(x, "pool2")
    outputs = {}
    for module, filters in TABLE_1.items():
        x = outputs[module] = inception(x, filters, f"inception{module}")
        if module in ("3b", "4e"):
            x = pool(x, f"pool{module[0]}")
    return outputs


@documented
def GoogLeNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="googlenet",
    *,
    aux_heads=False,
):
    """GoogLeNet, 22 layers of small convolutions side by side: 6,998,552 parameters.

    | layer         | output     | parameters |
    |---------------|------------|------------|
    | `conv1`       | 112x112x64 | 9,472      |
    | `pool1`       | 56x56x64   |            |
    | `conv2`       | 56x56x192  | 110,784    |
    | `pool2`       | 28x28x192  |            |
    | `inception3a` | 28x28x256  | 163,696    |
    | `inception3b` | 28x28x480  | 388,736    |
    | `pool3`       | 14x14x480  |            |
    | `inception4a` | 14x14x512  | 376,176    |
    | `inception4b` | 14x14x512  | 449,160    |
    | `inception4c` | 14x14x512  | 510,104    |
    | `inception4d` | 14x14x528  | 605,376    |
    | `inception4e` | 14x14x832  | 868,352    |
    | `pool4`       | 7x7x832    |            |
    | `inception5a` | 7x7x832    | 1,043,456  |
    | `inception5b` | 7x7x1024   | 1,444,080  |
    | `avg_pool`    | 1024       |            |
    | `output`      | 1000       | 1,025,000  |

    `norm1` follows `pool1`, `conv2_reduce` and `norm2` stand around `conv2`, dropout 0.4 before
    `output`. The layers of a module are named `inception3a_1x1`, `inception3a_3x3_reduce` and so
    on. Inputs: RGB of 0-255 minus the training set's mean.

    Any size from 32x32 up works, since `avg_pool` averages all of the map (7x7 at 224x224); with
    auxiliary heads any known size from 65x65 up. Without the top the network ends in `inception5b`.

    Source: Szegedy et al. 2015, arXiv:1409.4842, Table 1, Fig. 3, Sec. 5. Differs from the paper
    where it says nothing: the start (uniform within sqrt(3 / fan-in), biases 0.2, those of the
    classifiers 0) and the constants of the normalisation are those of Caffe's bvlc_googlenet. Its
    1.5 billion multiply-adds are 1.58: Table 1 counts 34 million for `conv1`, which takes 118.

    Args:
        aux_heads: False; or True, "4a" or "4d" for the form to train, whose further outputs are the
            classifiers on top of `inception4a` and `inception4d` (3,188,840 and 3,190,888
            parameters, 13,378,280 with both). The outputs are a list: `output`, `aux4a_output`,
            `aux4d_output`. The paper weights their losses by 0.3:
            `compile(..., loss_weights=[1, 0.3, 0.3])`. To drop the heads after the training take
            `keras.Model(model.input, model.get_layer("output").output)`.

    >>> model = GoogLeNet(input_shape=(96, 96, 3), classes=10, aux_heads=True)
    >>> [output.shape for output in model.outputs]
    [(None, 10), (None, 10), (None, 10)]
    """
    heads = AUX_HEADS[one_of(aux_heads, AUX_HEADS, "aux_heads")]
    if heads and not include_top:
        raise InputError(
            "Auxiliary heads are classifiers beside the top. Received: include_top=False and "
            f"aux_heads={aux_heads!r}. Leave one of the two out."
        )
    image = image_input(
        input_tensor,
        input_shape,
        default=(224, 224, 3),
        minimum=65 if heads else 32,
        fixed_size=bool(heads),
    )
    maps = modules(image)

    def top(x, classes):
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dropout(0.4, name="dropout")(x)
        y = classifier(x, classes, classifier_activation, "output")
        aux = [aux_head(maps[h], classes, classifier_activation, f"aux{h}") for h in heads]
        return [y, *aux] if heads else y

    x = maps["5b"]
    return finish(image, x, top, "GoogLeNet", include_top, weights, pooling, classes, name)
