"""What the papers' networks were trained with, and three strengths for photos, by name."""

from kerascnn._errors import InputError, one_of
from kerascnn.augment._checks import size_of
from kerascnn.augment.area_crop import AreaCrop
from kerascnn.augment.color_jitter import ColorJitter
from kerascnn.augment.combine import Sequence
from kerascnn.augment.fancy_pca import FancyPCA
from kerascnn.augment.pad_and_crop import PadAndCrop
from kerascnn.augment.rand_augment import RandAugment
from kerascnn.augment.random_affine import RandomAffine
from kerascnn.augment.scale_jitter import ScaleJitter

__all__ = ["preset"]


def preset(name, image_size=None, value_range=(0, 255), seed=None):
    """The augmentation of a paper, or of a strength, as one layer.

    | name | what it does | source |
    |---|---|---|
    | "lenet" | digits moved, scaled, squeezed, sheared, not mirrored | LeCun et al. 1998, III-B |
    | "alexnet" | a 224 crop (of 256), mirrored, fancy PCA | Krizhevsky et al. 2012, Sec. 4.1 |
    | "vgg" | shorter side 256 to 512, a 224 crop, mirrored, fancy PCA | arXiv:1409.1556, Sec. 3.1 |
    | "googlenet" | 8 % to 100 % of the area, mirrored, photometric | arXiv:1409.4842, Sec. 6 |
    | "resnet-imagenet" | as "vgg", shorter side 256 to 480 | arXiv:1512.03385, Sec. 3.4 |
    | "resnet-cifar" | padded by 4, cropped, mirrored | arXiv:1512.03385, Sec. 4.2 |
    | "light" | mirrored, moved and turned a little | |
    | "medium" | the same, stronger, and colours | |
    | "strong" | mirrored, zoomed, stretched, `RandAugment` | |

    The mirror image is left and right, with probability 1/2. The paper of LeNet does not say how
    far digits are moved; those numbers are ours, as are the last three rows. AlexNet's paper says
    224 pixels, but its first layer fits 227: for `kerascnn.models.AlexNet` pass `image_size=227`.

    Args:
        name: str, as above.
        image_size: int or (height, width) of what comes out. None: the paper's 224, or the images'
            own size. Lengths of the shorter side grow with it. Only for presets that crop.
        value_range, seed: see `ImageAugmentation`.

    Returns:
        `Sequence`.

    Raises:
        InputError: an unknown name, or `image_size` for a preset that does not crop.

    >>> import kerascnn as kc
    >>> [type(layer).__name__ for layer in kc.augment.preset("alexnet").layers]
    ['PadAndCrop', 'RandomAffine', 'FancyPCA']
    """
    one_of(name, [*_CROPPING, *_KEEPING], "preset")
    if name in _CROPPING:
        layers = _CROPPING[name](image_size)
    elif image_size is None:
        layers = _KEEPING[name]()
    else:
        raise InputError(
            f"The preset {name!r} keeps the size of images: leave image_size away, or put a crop "
            "first, Sequence([AreaCrop(size), *preset(name).layers])."
        )
    return Sequence(layers, value_range=value_range, seed=seed, name=name.replace("-", "_"))


def _mirrored():
    return RandomAffine(flip="horizontal")


def _alexnet(size):
    return [PadAndCrop(padding=0, size=size or 224), _mirrored(), FancyPCA()]


def _scaled(size, longest):
    """The paper's lengths are for crops of 224 pixels."""
    size = size or 224
    side = max(size_of("image_size", size))
    jitter = ScaleJitter(size, shorter=(side * 256 / 224, side * longest / 224))
    return [jitter, _mirrored(), FancyPCA()]


def _googlenet(size):
    return [AreaCrop(size or 224), _mirrored(), ColorJitter(0.5, 0.5, 0.5)]


def _resnet_cifar(size):
    return [PadAndCrop(padding=4, size=size), _mirrored()]


def _lenet():
    moves = {"shift": 0.07, "zoom": 0.15, "stretch": 0.15, "shear": 15}
    return [RandomAffine(**moves, fill_mode="constant")]


def _light():
    return [RandomAffine("horizontal", rotation=5, shift=0.05, zoom=0.1)]


def _medium():
    moves = RandomAffine("horizontal", rotation=15, shift=0.1, zoom=0.2, stretch=0.1)
    return [moves, ColorJitter(0.3, 0.3, 0.3, hue=0.02)]


def _strong():
    moves = RandomAffine("horizontal", shift=0.1, zoom=0.3, stretch=0.3)
    return [moves, RandAugment(num_ops=2, magnitude=15)]


_CROPPING = {  # name: function of the size, None for the paper's
    "alexnet": _alexnet,
    "vgg": lambda size: _scaled(size, longest=512),
    "googlenet": _googlenet,
    "resnet-imagenet": lambda size: _scaled(size, longest=480),
    "resnet-cifar": _resnet_cifar,
}
_KEEPING = {"lenet": _lenet, "light": _light, "medium": _medium, "strong": _strong}
