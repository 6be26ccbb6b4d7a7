"""Networks as published, with the signature of `keras.applications`.

Each builder returns a plain functional `keras.Model` whose layer names are part of the API.

>>> import kerascnn as kc
>>> kc.models.LeNet5().get_layer("f6").output.shape
(None, 84)
"""

from kerascnn.models.alexnet import AlexNet
from kerascnn.models.cifar_resnet import (
    CifarPlainNet,
    CifarPlainNet20,
    CifarPlainNet32,
    CifarPlainNet44,
    CifarPlainNet56,
    CifarPlainNet110,
    CifarResNet,
    CifarResNet20,
    CifarResNet32,
    CifarResNet44,
    CifarResNet56,
    CifarResNet110,
    CifarResNet1202,
)
from kerascnn.models.fractalnet import (
    FractalNet,
    FractalNet20,
    FractalNet34,
    extract_column,
)
from kerascnn.models.fully_convolutional import to_fully_convolutional
from kerascnn.models.googlenet import GoogLeNet
from kerascnn.models.lenet import LeNet5
from kerascnn.models.resnet import (
    ResNet,
    ResNet18,
    ResNet34,
    ResNet50,
    ResNet101,
    ResNet152,
)
from kerascnn.models.resnext import (
    CifarResNeXt,
    CifarResNeXt29x8x64d,
    CifarResNeXt29x16x64d,
    ResNeXt,
    ResNeXt50,
    ResNeXt101,
)
from kerascnn.models.stochastic_depth import (
    StochasticDepthResNet,
    StochasticDepthResNet110,
    StochasticDepthResNet1202,
)
from kerascnn.models.vgg import (
    VGG,
    VGG11,
    VGG11LRN,
    VGG13,
    VGG16,
    VGG16C,
    VGG19,
    initialize_from,
)
from kerascnn.models.wide_resnet import (
    WideBottleneckResNet,
    WideResNet,
    WideResNet16x2,
    WideResNet16x4,
    WideResNet28x10,
    WideResNet40x4,
    WideResNet50x2,
)
from kerascnn.models.zfnet import ZFNet

__all__ = [
    "AlexNet",
    "CifarPlainNet",
    "CifarPlainNet110",
    "CifarPlainNet20",
    "CifarPlainNet32",
    "CifarPlainNet44",
    "CifarPlainNet56",
    "CifarResNeXt",
    "CifarResNeXt29x16x64d",
    "CifarResNeXt29x8x64d",
    "CifarResNet",
    "CifarResNet110",
    "CifarResNet1202",
    "CifarResNet20",
    "CifarResNet32",
    "CifarResNet44",
    "CifarResNet56",
    "FractalNet",
    "FractalNet20",
    "FractalNet34",
    "GoogLeNet",
    "LeNet5",
    "ResNeXt",
    "ResNeXt101",
    "ResNeXt50",
    "ResNet",
    "ResNet101",
    "ResNet152",
    "ResNet18",
    "ResNet34",
    "ResNet50",
    "StochasticDepthResNet",
    "StochasticDepthResNet110",
    "StochasticDepthResNet1202",
    "VGG",
    "VGG11",
    "VGG11LRN",
    "VGG13",
    "VGG16",
    "VGG16C",
    "VGG19",
    "WideBottleneckResNet",
    "WideResNet",
    "WideResNet16x2",
    "WideResNet16x4",
    "WideResNet28x10",
    "WideResNet40x4",
    "WideResNet50x2",
    "ZFNet",
    "extract_column",
    "initialize_from",
    "to_fully_convolutional",
]
