"""The papers' experiments as data: what `reproduce.py` trains, and the figures it is held to.

Test errors are in percent. "SGD" is stochastic gradient descent with momentum. `weight_decay` is
the papers' coefficient: half of it times the squared weights joins the loss.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Schedule:
    """How a network is trained.

    Attributes:
        epochs: int, passes over the training images.
        rate: float, the (highest) learning rate.
        falls: {epoch: factor}: from this epoch on the rate is `rate` * factor. None: one cycle of
            cosines, up over a quarter of the steps and down to nothing.
        warm_up: (rate, steps) before all others, or None.
        held_out: int, training images that are left out, as papers do that chose by them.
        optimizer: "SGD", or "diagonal LM": LeCun et al. 1998, App. C.
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
        augmentation: "crop and flip" (4 pixels of padding, windows of the size, mirror images),
            "distortions" or None.
        full: the paper's `Schedule`; short: one of ours that a CPU can do, or None.
        published: float, test error in %, or None if the paper prints none.
        source: str, with table or section.
        differs: str, in what the full schedule differs from the paper; "" for nothing.
        loss: a loss of Keras by name, or "rbf" (`kerascnn.losses.RBFLoss`).
    """

    title: str
    builder: str
    data: str
    full: Schedule
    source: str
    published: float | None = None
    options: dict = field(default_factory=dict)
    augmentation: str | None = "crop and flip"
    short: Schedule | None = None
    differs: str = ""
    loss: str = "sparse_categorical_crossentropy"


# He et al. 2016: 64,000 steps of 128 of 45,000 images are 182 epochs; the rate falls after 32,000
# and 48,000.
RESNET = Schedule(
    epochs=182, rate=0.1, falls={91: 0.1, 137: 0.01}, weight_decay=1e-4, held_out=5000
)
SHORT = Schedule(epochs=40, rate=0.2, nesterov=True, weight_decay=5e-4)
HE = "He et al. 2016, arXiv:1512.03385"


def resnet(depth, published, **changes):
    return Experiment(
        f"ResNet-{depth}", f"CifarResNet{depth}", "CIFAR-10", RESNET, f"{HE}, Table 6", published,
        short=SHORT, **changes,
    )  # fmt: skip


def plain(depth):
    return Experiment(
        f"plain-{depth}", f"CifarPlainNet{depth}", "CIFAR-10", RESNET, f"{HE}, Fig. 6 left",
        short=SHORT,
    )  # fmt: skip


EXPERIMENTS = {
    "plain20": plain(20),
    "plain56": plain(56),
    "resnet20": resnet(20, 8.75),
    "resnet32": resnet(32, 7.51),
    "resnet44": resnet(44, 7.17),
    "resnet56": resnet(56, 6.97),
}
