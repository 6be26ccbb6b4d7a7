"""How the arrays of a file fit a model: what differs, in words, and the call that mends it."""

import math

import numpy as np

__all__ = ["HEAD", "adapted_input", "differences", "mend", "same_variant", "told"]

HEAD = ("f6", "fc6", "fc7", "output")  # what `include_top=False` leaves out
AUXILIARY = "aux"  # so begin the names of heads that only training needs
# The layer that halves H and W in the first bottleneck of stage 3.
STRIDED = {"v1": "stage3_block1_1_conv", "v1.5": "stage3_block1_2_conv"}


def differences(layers, found):
    """{layer: (shapes in the file or None, shapes in the model or None)}, where they differ.

    Args:
        layers: {name: layer} of the model.
        found: {name: arrays} of the file.
    """
    model = {name: [tuple(w.shape) for w in layer.weights] for name, layer in layers.items()}
    file = {name: [array.shape for array in arrays] for name, arrays in found.items()}
    both = {name: (file.get(name), model.get(name)) for name in [*model, *file]}
    return {name: (a, b) for name, (a, b) in both.items() if a != b}


def told(wrong):
    """The first three differences in words."""
    parts = [
        f"`{name}` is {_words(in_file)} in the file and {_words(in_model)} in the model"
        for name, (in_file, in_model) in list(wrong.items())[:3]
    ]
    more = f", and {len(wrong) - 3} further layers" if len(wrong) > 3 else ""
    return "; ".join(parts) + more


def _words(shapes):
    return " + ".join(map(str, shapes)) if shapes else "missing"


def adapted_input(layers, found):
    """{name: arrays} of the first convolution, if it reads RGB and the model other channels.

    One channel reads the sum of the three kernels, so that grey pictures give what they gave as
    RGB; C channels read the kernels repeated, times 3 / C. Source: timm's `adapt_input_conv`.
    """
    name = next((n for n in layers if n in found and found[n][0].ndim == 4), None)
    if name is None:
        return {}
    kernel, *rest = found[name]
    height, width, channels, filters = kernel.shape
    wanted = tuple(layers[name].weights[0].shape)
    if len(wanted) != 4 or wanted != (height, width, wanted[2], filters):
        return {}
    if channels != 3 or wanted[2] == 3:
        return {}
    if wanted[2] == 1:
        return {name: [kernel.sum(axis=2, keepdims=True), *rest]}
    repeated = np.tile(kernel, (1, 1, math.ceil(wanted[2] / 3), 1))[:, :, : wanted[2]]
    return {name: [repeated * np.float32(3 / wanted[2]), *rest]}


def same_variant(layers, variant):
    """Whether a ResNet has its strides where the file's has them; the shapes do not tell.

    Args:
        layers: {name: layer} of the model.
        variant: str or None, as `kerascnn.weights.reading.read` returns it.
    """
    strided = layers.get(STRIDED.get(variant))
    return strided is None or strided.strides != (1, 1)


def mend(wrong, adapted, variant, weights, passed):
    """The end of a refusal: what to do about the differences.

    Args:
        wrong: as `differences` returns it.
        adapted: as `adapted_input` returns it.
        variant: str or None, the file's.
        weights: what the user passed, and `passed` the other arguments, {name: value}.
    """
    if not wrong:
        return f'they are of variant="{variant}". Build the model with it.'
    call = _mending_arguments(wrong, adapted)
    if call is None:
        form = f' (variant="{variant}")' if variant else ""
        return (
            f". Build the model with the options, channels and classes of the weights{form}, or "
            "pass weights=None."
        )
    new, skip = [*passed["new"], *call["new"]], [*passed["skip"], *call["skip"]]
    adapt_input = passed["adapt_input"] or call["adapt_input"]
    named = "" if str(weights).endswith((".h5", ".hdf5", ".safetensors")) else passed["builder"]
    arguments = {"builder": named, "new": new, "skip": skip, "adapt_input": adapt_input}
    said = "".join(f", {name}={value!r}" for name, value in arguments.items() if value)
    return (
        ". For the rest build the model with weights=None and call "
        f"kerascnn.weights.load(model, {str(weights)!r}{said})."
    )


def _mending_arguments(wrong, adapted):
    """The arguments of `load` that allow all of `wrong`, or None if it is another network."""
    extra = [name for name, (_, in_model) in wrong.items() if not in_model]
    aux = [name for name in extra if name.startswith(AUXILIARY)]
    skip = [name for name in extra if name in HEAD]
    new = [name for name in wrong if name in HEAD and name not in skip]
    adapt_input = [name for name in adapted if name in wrong]
    if set(wrong) - {*aux, *skip, *new, *adapt_input}:
        return None
    skip += [f"{AUXILIARY}*"] if aux else []
    return {"new": new, "skip": skip, "adapt_input": bool(adapt_input)}
