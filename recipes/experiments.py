"""The papers' experiments as data: what `reproduce.py` trains, and the figures it is held to.

Errors are in percent.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Schedule:
    """How a network is trained. None: the paper prints no number.

    Attributes:
        epochs: int, passes over the training images.
        rate: float, the (highest) learning rate.
        falls: {epoch: factor}: from this epoch on the rate is `rate` * factor. None: one cycle of
            cosines, up over a quarter of the steps and down to nothing.
        warm_up: (rate, steps) before all others, or None.
        weight_decay: float. "SGD" and "diagonal LM": half of it times the squared kernels joins
            the loss. "AdamW": all but biases shrink by it times the rate.
        held_out: int, training images that are left out, as papers do that chose by them.
        optimizer: "SGD", with momentum; "AdamW"; or "diagonal LM", of LeCun et al. 1998, App. C.
    """

    epochs: int
    rate: float
    falls: dict | None = None
    warm_up: tuple | None = None
    batch_size: int = 128
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    held_out: int = 0
    optimizer: str = "SGD"


@dataclass(frozen=True)
class Experiment:
    """One row of a paper's table.

    Attributes:
        title: str, the row's name in tables.
        builder: str, a name of `kerascnn.models`; options: its arguments.
        data: "MNIST", "CIFAR-10", "Tiny-ImageNet 32x32" or "ImageNet".
        full: the paper's `Schedule`; short: one cycle of ours that two CPU cores do in about an
            hour at depth 20, two to three at depth 56 (MNIST: in minutes), or None.
        source: str, with table or section.
        multiply_adds: int, of one image on its way forward (`kerascnn.arithmetic.analyze`).
        published: float, the error in %, or None if the paper prints none.
        measure: str, which error of which images.
        augmentation: "crop and flip" (4 pixels of the mean colour on all sides, windows of the
            size, mirror images), "crop, flip and erasing" (half of them lose a rectangle to
            the mean grey), "crop of reflections and flip" (the 4 pixels are the image's own,
            mirrored), "distortions", None, or words for what the recipe does not do (ImageNet).
        loss: a loss of Keras by name, or "rbf" (`kerascnn.losses.RBFLoss`).
        differs: str, in what our full run differs from the paper's; "" for nothing.
        settings: {what: words}, what the paper says beyond all this. Rows with it are not run.
    """

    title: str
    builder: str
    data: str
    full: Schedule
    source: str
    multiply_adds: int
    published: float | None = None
    measure: str = "test error"
    options: dict = field(default_factory=dict)
    augmentation: str | None = "crop and flip"
    short: Schedule | None = None
    loss: str = "sparse_categorical_crossentropy"
    differs: str = ""
    settings: dict = field(default_factory=dict)


# --- MNIST: LeCun, Bottou, Bengio and Haffner 1998, Proc. IEEE 86(11) -----------------------------

LECUN = "LeCun et al. 1998, Proc. IEEE 86(11)"
# Sec. III-B: 20 passes of single images at 5e-4 for two, 2e-4 for three, 1e-4 for three, 5e-5 for
# four, then 1e-5; mu is 0.02, the curvature that of 500 images before each pass (App. C).
# Of 5,000 images 5e-4 leaves 90 % wrong after three passes, 1e-4 17 %, 5e-5 4.5 %, 2e-5 4.3 %.
DIAGONAL_LM = Schedule(
    epochs=20, rate=5e-5, falls={12: 0.2}, batch_size=1, momentum=0.0, optimizer="diagonal LM"
)
LENET = Experiment(
    "LeNet-5", "LeNet5", "MNIST", DIAGONAL_LM, f"{LECUN}, Sec. III-B and Fig. 9", 326_520, 0.95,
    options={"output": "rbf", "classifier_activation": None}, augmentation=None, loss="rbf",
    short=Schedule(epochs=18, rate=5e-3, batch_size=64, weight_decay=0.1, optimizer="AdamW"),
    differs="rates of at most 5e-5 (the paper's first ones saturate the units); the loss is "
    "eq. 9 with j = 10, of which the paper prints no value; curvature of the whole Gauss-Newton "
    "diagonal, estimated from random projections",
)  # fmt: skip

# --- CIFAR-10 -------------------------------------------------------------------------------------

HE = "He et al. 2016, arXiv:1512.03385"
MEAN = "mean and deviation of each channel for the mean of each pixel"
KERNELS = "weight decay on kernels alone; each pass leaves out the last images that fill no batch"
COMMON = f"{MEAN}; {KERNELS}"
# Sec. 4.2: the rate falls after 32,000 and 48,000 steps, the end is at 64,000. Passes over 45,000
# images have 351 steps of 128: the first that are not shorter end at 32,292, 48,087 and 64,233.
# The steps were chosen "on a 45k/5k train/val split"; that the errors are of these is our reading.
RESNET = Schedule(
    epochs=183, rate=0.1, falls={92: 0.1, 137: 0.01}, weight_decay=1e-4, held_out=5000
)
WARM_RESNET = replace(RESNET, warm_up=(0.01, 400))
SHORT = Schedule(epochs=40, rate=0.2, nesterov=True, weight_decay=5e-4)


def cifar(title, builder, full, source, multiply_adds, published, **changes):
    changes = {"differs": KERNELS, **changes}
    return Experiment(title, builder, "CIFAR-10", full, source, multiply_adds, published, **changes)


def resnet(depth, multiply_adds, published):
    return cifar(
        f"ResNet-{depth}", f"CifarResNet{depth}", RESNET, f"{HE}, Table 6", multiply_adds,
        published, short=SHORT, differs=COMMON,
    )  # fmt: skip


def plain(depth, multiply_adds):
    return cifar(
        f"plain-{depth}", f"CifarPlainNet{depth}", RESNET, f"{HE}, Fig. 6 left", multiply_adds,
        None, short=SHORT, differs=COMMON,
    )  # fmt: skip


def wide(depth, width, multiply_adds, published, table):
    # Sec. 3: the rate falls by 0.2 at 60, 120 and 160.
    full = Schedule(
        epochs=200, rate=0.1, falls={60: 0.2, 120: 0.04, 160: 0.008}, nesterov=True,
        weight_decay=5e-4,
    )  # fmt: skip
    return cifar(
        f"WRN-{depth}-{width}", f"WideResNet{depth}x{width}", full,
        f"Zagoruyko and Komodakis 2016, arXiv:1605.07146, {table}", multiply_adds, published,
        augmentation="crop of reflections and flip",
    )  # fmt: skip


# Sec. 4.1: p = 0.5; the batch, weight decay and the falls are of the authors' code
# (zhunzhong07/Random-Erasing, cifar.py).
ERASING = cifar(
    "ResNet-20, random erasing", "CifarResNet20",
    Schedule(epochs=300, rate=0.1, falls={150: 0.1, 225: 0.01}, weight_decay=5e-4),
    "Zhong et al. 2020, arXiv:1708.04896, Table 1", 40_551_040, 6.73,
    augmentation="crop, flip and erasing", short=replace(SHORT, epochs=80),
    differs=f"{KERNELS}; rectangles as `keras.layers.RandomErasing` draws them, of the mean "
    "grey; shortcuts without parameters; the error is that after the last epoch, not the lowest",
)  # fmt: skip
PRE_ACTIVATION = cifar(
    "pre-activation ResNet-110", "CifarResNet110", WARM_RESNET,
    "He et al. 2016, arXiv:1603.05027, Table 2", 252_887_680, 6.37, options={"variant": "v2"},
    differs=f"{COMMON}; 5,000 images are held out, as in the first paper",
)  # fmt: skip
STOCHASTIC_DEPTH = cifar(
    "ResNet-110, stochastic depth", "StochasticDepthResNet110",
    Schedule(
        epochs=500, rate=0.1, falls={250: 0.1, 375: 0.01}, nesterov=True, weight_decay=1e-4,
        held_out=5000,
    ),
    "Huang et al. 2016, arXiv:1603.09382, Table 1 and Sec. 4", 252_887_680, 5.25,
    differs=f"{MEAN}; {KERNELS}; the error is that after the last epoch, not of the epoch with the "
    "best validation",
)  # fmt: skip
# "Momentum 0.9"; the authors' code (facebookresearch/ResNeXt, train.lua) has Nesterov's.
RESNEXT = cifar(
    "ResNeXt-29, 8x64d", "CifarResNeXt29x8x64d",
    Schedule(epochs=300, rate=0.1, falls={150: 0.1, 225: 0.01}, nesterov=True, weight_decay=5e-4),
    "Xie et al. 2017, arXiv:1611.05431, Table 7", 5_387_266_048, 3.65,
)  # fmt: skip
# Sec. 4: the rate falls to a tenth whenever the epochs that remain have halved.
FRACTALNET = cifar(
    "FractalNet-20", "FractalNet20",
    Schedule(
        epochs=400, rate=0.02, falls={200: 0.1, 300: 0.01, 350: 1e-3, 375: 1e-4}, batch_size=100
    ),
    "Larsson et al. 2017, arXiv:1605.07648, Table 1", 845_222_912, 4.60,
    differs="dropout at the end of each block (the paper does not say where; its author's code has "
    "it after each convolution); no weight decay, of which the paper says nothing; the mean of all "
    "columns predicts",
)  # fmt: skip

# --- weights to transfer, and photos --------------------------------------------------------------


def tiny_imagenet(title, builder, epochs, multiply_adds):
    schedule = replace(SHORT, epochs=epochs, weight_decay=2e-4)
    return Experiment(
        title, builder, "Tiny-ImageNet 32x32", schedule, "ours: no paper", multiply_adds,
        measure="top-1 error, validation", options={"classes": 200},
    )  # fmt: skip


def imagenet(title, builder, full, source, multiply_adds, published, measure, **changes):
    return Experiment(
        title, builder, "ImageNet", full, source, multiply_adds, published, measure, **changes
    )


TEN_CROPS = "ten crops: corners and centre of 224 pixels, mirrored too, of images with 256 on the "
ALEXNET = imagenet(
    "AlexNet", "AlexNet",
    Schedule(epochs=90, rate=0.01, falls={}, weight_decay=5e-4),
    "Krizhevsky et al. 2012, Table 2 (one CNN)", 724_406_816, 40.7, "top-1 error, 10 crops",
    augmentation="crops of 227 pixels of 256x256 (the paper says 224), mirror images, PCA colours "
    "of deviation 0.1 (`kerascnn.augment.FancyPCA`)",
    settings={
        "rate": "divided by 10 three times, whenever the validation error stopped to fall",
        "input": "227x227, RGB of 0-255 minus the training set's mean image; shorter side to 256, "
        "centre 256x256",
        "start": "N(0, 0.01^2); biases 1 in conv2, conv4, conv5, fc6, fc7, else 0",
        "dropout": "0.5 after fc6 and fc7",
        "test": f"{TEN_CROPS}shorter side, mean of the softmax; top-5 error 18.2",
    },
)  # fmt: skip
VGG16 = imagenet(
    "VGG-16 (D)", "VGG16",
    Schedule(epochs=74, rate=0.01, falls={}, batch_size=256, weight_decay=5e-4),
    "Simonyan and Zisserman 2015, arXiv:1409.1556, Table 3 (S = Q = 256)", 15_470_264_320, 27.0,
    "top-1 error, dense",
    augmentation="crops of 224 pixels of images whose shorter side is 256, mirror images, PCA "
    "colours",
    settings={
        "rate": "divided by 10 three times, whenever the validation accuracy stopped to rise; "
        "370,000 steps",
        "input": "224x224, RGB of 0-255 minus the training set's mean RGB",
        "start": "first four convolutions and the dense layers from a trained VGG-11 "
        "(`kerascnn.models.initialize_from`), else N(0, 0.01^2), biases 0; the paper prints "
        "10^-2 as the variance",
        "dropout": "0.5 after fc6 and fc7",
        "test": "shorter side to 256, the whole image and its mirror image through the fully "
        "convolutional form (`kerascnn.models.to_fully_convolutional`), mean; top-5 error 8.8",
    },
)  # fmt: skip
GOOGLENET = imagenet(
    "GoogLeNet", "GoogLeNet",
    Schedule(epochs=None, rate=None, falls={}, batch_size=None),
    "Szegedy et al. 2015, arXiv:1409.4842, Table 3 (1 model, 1 crop)", 1_582_671_872, 10.07,
    "top-5 error, 1 crop",
    augmentation="crops of 8 to 100 % of the area and sides of 3:4 to 4:3 "
    "(`kerascnn.augment.AreaCrop`), photometric distortions, random interpolation: what the paper "
    "recommends in hindsight",
    settings={
        "rate": "falls by 4 % every 8 epochs; asynchronous SGD of momentum 0.9, Polyak's average "
        "of the weights at the end; rate, batch, epochs and weight decay are not printed",
        "input": "224x224, RGB of 0-255 minus the training set's mean",
        "start": "not printed",
        "dropout": "0.4 before the output, 0.7 in the auxiliary heads, whose losses count 0.3",
        "test": "the centre crop of 224 pixels; 144 crops have 7.89, seven models with 144 6.67",
    },
)  # fmt: skip


def imagenet_resnet(depth, multiply_adds, published, top5, table, **options):
    return imagenet(
        f"ResNet-{depth}", f"ResNet{depth}",
        Schedule(epochs=120, rate=0.1, falls={}, batch_size=256, weight_decay=1e-4),
        f"{HE}, {table}", multiply_adds, published, "top-1 error, 10 crops", options=options,
        augmentation="shorter side drawn from 256 to 480, crops of 224 pixels, mirror images, PCA "
        "colours",
        settings={
            "rate": "divided by 10 whenever the error stopped to fall; up to 600,000 steps",
            "input": "224x224, minus the mean of each pixel",
            "start": "N(0, 2 / fan-in): He et al. 2015, arXiv:1502.01852, eq. 10",
            "dropout": "none; batch normalisation after each convolution",
            "test": f"{TEN_CROPS}shorter side, mean; top-5 error {top5}",
        },
    )  # fmt: skip


EXPERIMENTS = {
    "lenet5": LENET,
    "lenet5-distortions": replace(
        LENET, title="LeNet-5, distortions", augmentation="distortions", published=0.8,
        differs=f"{LENET.differs}; each pass draws distortions anew, of strengths of ours, for ten "
        "fixed images of each",
    ),
    "plain20": plain(20, 40_551_040),
    "plain56": plain(56, 125_485_696),
    "resnet20": resnet(20, 40_551_040, 8.75),
    "resnet32": resnet(32, 68_862_592, 7.51),
    "resnet44": resnet(44, 97_174_144, 7.17),
    "resnet56": resnet(56, 125_485_696, 6.97),
    "resnet110": replace(
        resnet(110, 252_887_680, 6.61), full=WARM_RESNET, short=None,
        source=f"{HE}, Table 6 (mean; the best of 5 is 6.43)",
    ),
    "resnet20-erasing": ERASING,
    "preactivation110": PRE_ACTIVATION,
    "wrn16x4": wide(16, 4, 392_612_352, 5.02, "Table 6"),
    "wrn40x4": wide(40, 4, 1_298_582_016, 4.53, "Table 5"),
    "wrn28x10": wide(28, 10, 5_243_328_768, 4.00, "Table 5"),
    "resnext29": RESNEXT,
    "stochastic110": STOCHASTIC_DEPTH,
    "fractalnet20": FRACTALNET,
    "resnet20-tiny-imagenet32": tiny_imagenet("ResNet-20", "CifarResNet20", 12, 40_563_200),
    "wrn16x2-tiny-imagenet32": tiny_imagenet("WRN-16-2", "WideResNet16x2", 12, 101_131_264),
    "alexnet": ALEXNET,
    "vgg16": VGG16,
    "googlenet": GOOGLENET,
    "resnet34": imagenet_resnet(34, 3_663_761_408, 24.52, 7.46, "Table 3 (B)"),
    "resnet50": imagenet_resnet(50, 3_857_973_248, 22.85, 6.71, "Table 3", variant="v1"),
}  # fmt: skip
