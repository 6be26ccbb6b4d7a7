"""A photo painted in the style of another picture."""

import contextlib

import keras
import numpy as np
import tqdm
from keras import ops

from kerascnn import _graph
from kerascnn._calls import calls
from kerascnn._errors import InputError, one_of, whole
from kerascnn.visualize._descent import METHODS, Descent
from kerascnn.visualize._inside import forward, gradient_of, infer, position

__all__ = ["gram_matrix", "style_transfer"]

_TERMS = "content", "style", "variation"
_NO_ENDS = "Pool", "Pad"  # in names of layers that begin the next resolution


def style_transfer(
    model,
    content,
    style,
    *,
    content_layers=None,
    style_layers=None,
    content_weight=1.0,
    style_weight=10.0,
    variation_weight=0.0,
    pooling="max",
    method="L-BFGS",
    steps=200,
    start="content",
    seed=0,
    verbose=True,
):
    """Change a photo until it has its own feature maps, but the Gram matrices of another picture.

    What is minimised, over the pixels, is the weighted sum of three terms:

    - content: sum (F - P)^2 / sum P^2, where F are the feature maps of the picture and P those of
      the photo, the mean over the content layers;
    - style: sum (G - A)^2 / sum A^2, where G are the Gram matrices of the picture and A those of
      the style, the mean over the style layers;
    - variation: the mean square difference of neighbouring pixels, as a share of the photo's.

    So weights mean the same in every network and at every size: 0 is a perfect match, 1 about none.
    The two pictures may have different sizes; strokes keep the size in pixels that they have in the
    style. A network of random filters does as well, for textures.

    Source: Gatys, Ecker and Bethge 2016, "Image style transfer using convolutional neural networks"
    (CVPR), eq. 1 to 7, with their layers for VGG. Differs: each term is divided by the size of its
    target, where the paper has 1/2 and 1 / (4 N^2 M^2) and rescales the network; Gram matrices are
    means over places, so that sizes may differ; pixels stay within 0-255; the start is the photo,
    where the paper prefers noise, which needs more steps. Variation: Johnson et al. 2016.

    Args:
        model: functional or Sequential `keras.Model` over photos of 0-255, its preprocessing
            inside, e.g. `kc.transfer.backbone("VGG19")`; models may be nested in it. Only layers
            up to the last one that is named are computed, on pictures of any size.
        content, style: arrays (H, W, 3), values 0-255, each of its own size.
        content_layers, style_layers: lists of names, or None: conv4_2, and conv1_1 to conv5_1, of a
            VGG of `keras.applications` or `kerascnn.models`; of other networks the widest last
            layer of each resolution as style, and of these as content that at 1/8 of the size.
        content_weight, style_weight, variation_weight: floats >= 0. Larger style, less photo: 1 to
            100 are worth trying. Some 0.01 to 1 of variation take noise away.
        pooling: "max", or "average", which the paper found to look slightly better.
        method: "L-BFGS" (SciPy's; the paper's) or "Adam".
        steps: int >= 1. Steps of the method: each one evaluation of the network and its gradient,
            of L-BFGS some a few more.
        start: "content", "noise", or an array like content: a picture of before, to go on with it.
        seed: int. Decides the noise.
        verbose: bool. Whether progress is shown.

    Returns:
        `(picture, history)`: uint8 (H, W, 3) of the content's size, the one of the lowest loss; and
        {"loss", "content", "style", "variation", "seconds"}, lists with a number for each
        evaluation. Ctrl-C ends the work early and gives the best picture until then.

    Raises:
        InputError: a picture has another form, or there is no such layer.
        NonFiniteError: the loss at the start is NaN or infinite.

    >>> model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Rescaling(1 / 255),
    ...                           keras.layers.Conv2D(8, 3, activation="relu", name="conv")])
    >>> photo, painting = np.random.default_rng(0).integers(256, size=(2, 16, 16, 3))
    >>> picture, history = style_transfer(model, photo, painting, content_layers=["conv"],
    ...                                   style_layers=["conv"], steps=5, verbose=False)
    >>> picture.shape, history["loss"][-1] < history["loss"][0]
    ((16, 16, 3), True)
    """
    one_of(method, METHODS, "method")
    one_of(pooling, ("max", "average"), "pooling")
    steps = whole(steps, "`steps`", 1)
    content, style = _picture(content, "content"), _picture(style, "style")
    own, painted = _positions(model, content.shape[1:], content_layers, style_layers)
    read = _reader(model, [*own, *painted], pooling)
    weights = content_weight, style_weight, variation_weight
    evaluate = _evaluation(model, read, len(own), content, style, weights)
    start = _start(start, content, seed)
    with tqdm.tqdm(total=steps, desc=method, disable=not verbose) as progress:
        descent = Descent(evaluate, start, progress)
        with contextlib.suppress(KeyboardInterrupt):
            METHODS[method](descent, steps)
    return np.round(descent.best[0]).astype("uint8"), descent.history


def gram_matrix(maps):
    """How strongly each two channels of feature maps fire together, wherever that is.

    Source: Gatys et al. 2016, eq. 3. Differs: the mean over all places, not the sum.

    Args:
        maps: tensor (..., H, W, C).

    Returns:
        float32 tensor (..., C, C), symmetric.

    >>> ops.convert_to_numpy(gram_matrix(np.array([[[1.0, 2.0], [3.0, 0.0]]])))
    array([[5., 1.],
           [1., 2.]], dtype=float32)
    """
    maps = ops.cast(maps, "float32")
    height, width, channels = maps.shape[-3:]
    rows = ops.reshape(maps, (*maps.shape[:-3], height * width, channels))
    return ops.matmul(ops.swapaxes(rows, -1, -2), rows) / (height * width)


def _picture(array, name):
    """float32 (1, H, W, 3)."""
    picture = np.asarray(array)
    if picture.ndim != 3 or picture.shape[-1] != 3 or picture.dtype.kind not in "uif":
        raise InputError(
            f"`{name}` must be a picture (H, W, 3) with values 0-255. "
            f"Received: {picture.dtype} of shape {picture.shape}."
        )
    if not (picture.min() >= 0 and 1 < picture.max() <= 255):
        raise InputError(
            f"`{name}` must have values 0-255. "
            f"Received: {picture.min():g} to {picture.max():g}. Multiply by 255 what is 0-1."
        )
    return picture[None].astype("float32")


def _start(start, content, seed):
    if isinstance(start, str):
        one_of(start, ("content", "noise"), "start")
        noise = np.random.default_rng(seed).uniform(0, 255, content.shape)
        return content if start == "content" else noise.astype("float32")
    start = _picture(start, "start")
    if start.shape != content.shape:
        raise InputError(
            f"`start` must have the content's shape {content.shape[1:]}. "
            f"Received: {start.shape[1:]}."
        )
    return start


def _positions(model, shape, content_layers, style_layers):
    """The calls of the content layers and of the style layers."""
    if len(getattr(model, "inputs", None) or ()) != 1:
        raise InputError(f"The model must be functional with one input. Received: {model!r}.")
    sizes = [own or size for own, size in zip(model.inputs[0].shape[1:], shape)]
    found, _ = calls(model, tuple(sizes))
    if content_layers is None or style_layers is None:
        defaults = _default_layers(model, found)
        content_layers = defaults[0] if content_layers is None else content_layers
        style_layers = defaults[1] if style_layers is None else style_layers
    for name, layers in (("content_layers", content_layers), ("style_layers", style_layers)):
        if isinstance(layers, str) or not layers:
            raise InputError(f"`{name}` must be a list of one name or more. Received: {layers!r}.")
    return [[position(found, name) for name in layers] for layers in (content_layers, style_layers)]


def _default_layers(model, found):
    """Names of content layers and of style layers."""
    names = {call.name.split("/")[-1] for call in found}
    for stage in ("block", "stage"):
        content, style = f"{stage}4_conv2", [f"{stage}{i}_conv1" for i in range(1, 6)]
        if names.issuperset([content, *style]):
            return [content], style
    cuts, widest = set(_graph.cut_points(_graph.flatten(model))), {}
    for call in found[_first_kernel(found) :]:
        shape = call.outputs[0].shape
        is_cut = {call.name.split("/")[-1], call.name.replace("/", "_")} & cuts
        if is_cut and len(shape) == 4 and not any(x in type(call.layer).__name__ for x in _NO_ENDS):
            _, most = widest.get(shape[1:3], ("", 0))
            if shape[3] >= most:
                widest[shape[1:3]] = call.name, shape[3]
    if not widest:
        raise InputError(f"{model.name!r} has no feature maps that all goes through. Name layers.")
    style = [name for name, _ in widest.values()]
    eighth = found[0].outputs[0].shape[1] / 8
    content = [name for (height, _), (name, _) in widest.items() if height >= eighth]
    return (content or style)[-1:], style


def _first_kernel(found):
    """Where preprocessing ends."""
    weights = [getattr(call.layer, "weights", []) for call in found]
    kernels = [i for i, own in enumerate(weights) if any(len(weight.shape) > 1 for weight in own)]
    return kernels[0] if kernels else len(found)


def _reader(model, positions, pooling):
    """Function of a picture that gives what these calls give, and computes no more than that."""

    def run(layer, args, kwargs):
        if pooling == "average" and isinstance(layer, keras.layers.MaxPooling2D):
            return ops.average_pool(args[0], layer.pool_size, layer.strides, layer.padding)
        return infer(layer, args, kwargs)

    def read(picture):
        _, seen = forward(model, picture, positions, run=run)
        return [ops.cast(maps, "float32") for maps in seen]

    return read


def _evaluation(model, read, num_content, content, style, weights):
    """Function of a picture that gives {"loss" and its terms} and the gradient."""
    maps = _seen(read, content, "content")[:num_content]
    grams = [gram_matrix(one) for one in _seen(read, style, "style")[num_content:]]
    photo = max(float(_variation(ops.convert_to_tensor(content))), 1e-6)

    def measure(tensors):
        found = read(tensors[0])
        painting = [gram_matrix(one) for one in found[num_content:]]
        terms = _mismatch(found, maps), _mismatch(painting, grams), _variation(tensors[0]) / photo
        return sum(weight * term for weight, term in zip(weights, terms)), terms

    gradient = gradient_of(model, measure)

    def evaluate(pixels):
        terms, (slopes,) = gradient([ops.convert_to_tensor(pixels)])
        values = {name: float(term) for name, term in zip(_TERMS, terms)}
        loss = sum(weight * value for weight, value in zip(weights, values.values()))
        return {"loss": loss} | values, ops.convert_to_numpy(slopes)

    return evaluate


def _seen(read, picture, name):
    try:
        return read(ops.convert_to_tensor(picture))
    except Exception as error:  # each backend has its own for maps of size 0
        height, width = picture.shape[1:3]
        raise InputError(
            f"`{name}`, {height}x{width}, does not go through these layers: {error} "
            "Take a larger picture, one of the model's size, or earlier layers."
        ) from error


def _mismatch(tensors, targets):
    """The mean over the targets of the square differences, as shares of the target's squares."""
    shares = [
        ops.sum(ops.square(tensor - target)) / ops.maximum(ops.sum(ops.square(target)), 1e-12)
        for tensor, target in zip(tensors, targets)
    ]
    return sum(shares) / len(shares)


def _variation(picture):
    across = picture[:, :, 1:] - picture[:, :, :-1]
    down = picture[:, 1:] - picture[:, :-1]
    return (ops.mean(ops.square(across)) + ops.mean(ops.square(down))) / 255.0**2
