"""Numbers typed by hand from papers, each with its source. Code must meet them exactly."""

# LeCun et al. 1998, Proc. IEEE 86(11), Sec. II-B: "trainable parameters" and "connections" of each
# layer. The output layer: 84 x 10 fixed codes; as a dense layer 84 x 10 + 10.
LENET5_PARAMETERS = {
    "c1": 156,
    "s2": 12,
    "c3": 1_516,
    "s4": 32,
    "c5": 48_120,
    "f6": 10_164,
    "output": 850,
}
LENET5_CONNECTIONS = {
    "c1": 122_304,
    "s2": 5_880,
    "c3": 151_600,
    "s4": 2_000,
    "c5": 48_120,
    "f6": 10_164,
    "output": 840,
}
LENET5_ALL_CONNECTIONS = 340_908
LENET5_TRAINABLE = 60_000  # with the RBF output
LENET5_SOFTMAX = 60_850
LENET5_MODERN = 61_706  # full C3, average pooling

# The maps of S2 that each map of C3 reads. Table I, read column by column.
LENET5_C3_READS = [
    [0, 1, 2],
    [1, 2, 3],
    [2, 3, 4],
    [3, 4, 5],
    [0, 4, 5],
    [0, 1, 5],
    [0, 1, 2, 3],
    [1, 2, 3, 4],
    [2, 3, 4, 5],
    [0, 3, 4, 5],
    [0, 1, 4, 5],
    [0, 1, 2, 5],
    [0, 1, 3, 4],
    [1, 2, 4, 5],
    [0, 2, 3, 5],
    [0, 1, 2, 3, 4, 5],
]
LENET5_TEST_ERROR_PERCENT = 0.95  # Sec. III, Fig. 9, without distortions

# Krizhevsky, Sutskever and Hinton 2012, Sec. 3.3.
ALEXNET_LRN = {"n": 5, "k": 2, "alpha": 1e-4, "beta": 0.75}

# Zeiler and Fergus 2013, Sec. 3: "whose RMS value exceeds a fixed radius of 10^-1".
ZFNET_MAX_RMS = 0.1

# Xu et al. 2015, Sec. 2.4: U(3, 8).
RRELU_BOUNDS = (3, 8)

# Huang et al. 2016, Sec. 3: p_L = 0.5; "E(L) ~ 40" of the 54 blocks of the 110-layer network.
STOCHASTIC_DEPTH_LAST = 0.5
STOCHASTIC_DEPTH_MEAN_BLOCKS = 40

# Larsson et al. 2017, Sec. 4: local drop-path with 15 % across the entire network.
FRACTALNET_DROP_RATE = 0.15

# Krizhevsky, Sutskever and Hinton 2012, Fig. 2 and Sec. 3.5. Parameters and multiply-adds: kernel x
# kernel x maps read x filters (+ filters), x places, summed by hand; two-tower layers read half.
ALEXNET_PARAMETERS = {
    "two-tower": 60_965_224,
    "single-tower": 62_378_344,
    "one-weird-trick": 61_100_840,  # also torchvision's documentation of `alexnet`
}
ALEXNET_MULTIPLY_ADDS = {
    "two-tower": 724_406_816,
    "single-tower": 1_135_256_096,
    "one-weird-trick": 714_188_480,
}
ALEXNET_SIZES = {"conv1": 55, "pool1": 27, "conv2": 27, "pool2": 13, "conv5": 13, "pool5": 6}
ALEXNET_TWO_TOWERS = ["conv2", "conv4", "conv5"]  # Sec. 3.5: conv3 reads all maps
# Sec. 5: "zero-mean Gaussian distribution with standard deviation 0.01"; biases of 1 in these.
ALEXNET_STD = 0.01
ALEXNET_BIASES_OF_ONE = ["conv2", "conv4", "conv5", "fc6", "fc7"]
ALEXNET_DROPOUT = 0.5  # Sec. 4.2

# Zeiler and Fergus 2013, arXiv:1311.2901, Fig. 3; wide: Table 2, "512, 1024, 512".
ZFNET_PARAMETERS, ZFNET_MULTIPLY_ADDS = 62_357_608, 1_168_032_896
ZFNET_WIDE_PARAMETERS, ZFNET_WIDE_MULTIPLY_ADDS = 107_627_624, 2_476_704_896
ZFNET_SIZES = {"conv1": 110, "pool1": 55, "conv2": 26, "pool2": 13, "conv5": 13, "pool5": 6}

# Simonyan and Zisserman 2015, arXiv:1409.1556, Table 1 (Table 2 gives 133, 133, 134, 138 and 144
# millions). Parameters, those with batch normalisation that train, multiply-adds.
VGG_COUNTS = {
    "VGG11": (132_863_336, 132_868_840, 7_609_090_048),
    "VGG11LRN": (132_863_336, 132_868_840, 7_609_090_048),
    "VGG13": (133_047_848, 133_053_736, 11_308_466_176),
    "VGG16C": (133_638_952, 133_647_400, 11_770_888_192),
    "VGG16": (138_357_544, 138_365_992, 15_470_264_320),
    "VGG19": (143_667_240, 143_678_248, 19_632_062_464),
}
VGG_TABLE_2_MILLIONS = {"VGG11": 133, "VGG11LRN": 133, "VGG13": 133}
VGG_TABLE_2_MILLIONS |= {"VGG16C": 134, "VGG16": 138, "VGG19": 144}
VGG_STD = 0.01  # Sec. 3.1: "zero mean and 10^-2 variance" is read as the standard deviation

# Szegedy et al. 2015, arXiv:1409.4842, Table 1: output size, and "ops" in millions.
GOOGLENET_TABLE_1 = {
    "conv1": ((112, 112, 64), 34),
    "pool1": ((56, 56, 64), None),
    "conv2": ((56, 56, 192), 360),
    "pool2": ((28, 28, 192), None),
    "inception3a": ((28, 28, 256), 128),
    "inception3b": ((28, 28, 480), 304),
    "pool3": ((14, 14, 480), None),
    "inception4a": ((14, 14, 512), 73),
    "inception4b": ((14, 14, 512), 88),
    "inception4c": ((14, 14, 512), 100),
    "inception4d": ((14, 14, 528), 119),
    "inception4e": ((14, 14, 832), 170),
    "pool4": ((7, 7, 832), None),
    "inception5a": ((7, 7, 832), 54),
    "inception5b": ((7, 7, 1024), 71),
    "avg_pool": ((1024,), None),
    "output": ((1000,), 1),
}
# Over 3 % off. conv1: 7 x 7 x 3 x 64 filters at 112 x 112 places are 118 million, and 9,408 weights
# where it prints 2.7 K. inception5a: its own row of filters gives 51.
GOOGLENET_TABLE_1_SLIPS = {"conv1": 118, "inception5a": 51}
GOOGLENET_PARAMETERS = 6_998_552
GOOGLENET_AUX_PARAMETERS = {"4a": 3_188_840, "4d": 3_190_888}
GOOGLENET_BOTH_AUX_PARAMETERS = 13_378_280
GOOGLENET_MULTIPLY_ADDS = 1_582_671_872
GOOGLENET_DROPOUT, GOOGLENET_AUX_DROPOUT = 0.4, 0.7  # Table 1; Sec. 5
GOOGLENET_AUX_POOL = {"4a": (4, 4, 512), "4d": (4, 4, 528)}  # Sec. 5
# Inception on 28x28x256 with 128 1x1, 192 3x3 and 96 5x5, naive and with 64 1x1 to reduce:
# multiplies and depth, a common exercise.
INCEPTION_NAIVE = (854_196_224, 672)
INCEPTION_REDUCED = (271_351_808, 480)

# Values of one forward pass of VGG-16, the image included: the sum of the well-known layer table.
VGG16_ACTIVATIONS = 15_237_608

# Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks",
# doi:10.23915/distill.00021, table of modern networks: the last feature map.
RECEPTIVE_FIELDS = {
    "AlexNet": 195,
    "VGG16": 212,
    "ResNet50": 483,
    "MobileNet": 315,
    "InceptionV3": 1311,
}

# Trainable parameters. Residual networks for ImageNet: He et al. 2016, as torchvision's pages count
# them ("num_params" of each weights entry); ResNeXt: Xie et al. 2017, Table 1 ("25.0 x 10^6"), and
# torchvision; WRN-50-2: torchvision.
RESNET_PARAMETERS = {
    "ResNet18": 11_689_512,
    "ResNet34": 21_797_672,
    "ResNet50": 25_557_032,
    "ResNet101": 44_549_160,
    "ResNet152": 60_192_808,
    "WideResNet50x2": 68_883_240,
    "ResNeXt50": 25_028_904,
    "ResNeXt101": 44_177_704,
}
# Pre-activation, without biases in the convolutions; 50 is timm's resnetv2_50.
RESNET_V2_PARAMETERS = {
    18: 11_687_720,
    34: 21_795_880,
    50: 25_549_352,
    101: 44_541_480,
    152: 60_185_128,
}
# All weights, moving statistics included: `keras.applications`, model.count_params().
RESNET_V2_KERAS_PARAMETERS = {50: 25_613_800, 101: 44_675_560, 152: 60_380_648}
RESNET34_SHORTCUTS = {"A": 21_623_848, "B": 21_797_672, "C": 22_716_840}
# Xie et al. 2017, Table 2: the cost of ResNet-50 at (cardinality, width).
RESNEXT50_EQUAL_COST = {
    (1, 64): 25_557_032,
    (2, 40): 25_425_000,
    (4, 24): 25_292_968,
    (8, 14): 25_603_016,
    (32, 4): 25_028_904,
}
RESNEXT101_PARAMETERS = {(32, 4): 44_177_704, (64, 4): 83_455_272, (32, 8): 88_791_336}

# He et al. 2016, Table 6 (0.27, 0.46, 0.66, 0.85, 1.7, 19.4 million), Zagoruyko and Komodakis 2016,
# Table 4 (8.9 and 36.5 million), Xie et al. 2017, Table 7 (34.4 and 68.1 million), to the unit.
# FractalNet by its expansion rule with biases and batch normalisation (checked by formula in
# tests/models/test_fractalnet.py).
CIFAR_PARAMETERS = {
    "CifarResNet20": 269_722,
    "CifarResNet32": 464_154,
    "CifarResNet44": 658_586,
    "CifarResNet56": 853_018,
    "CifarResNet110": 1_727_962,
    "CifarResNet1202": 19_421_274,
    "CifarPlainNet20": 269_722,
    "CifarPlainNet32": 464_154,
    "CifarPlainNet44": 658_586,
    "CifarPlainNet56": 853_018,
    "CifarPlainNet110": 1_727_962,
    "StochasticDepthResNet110": 1_727_962,
    "StochasticDepthResNet1202": 19_421_274,
    "WideResNet16x2": 691_674,
    "WideResNet16x4": 2_748_890,
    "WideResNet28x10": 36_479_194,
    "WideResNet40x4": 8_949_210,
    "CifarResNeXt29x8x64d": 34_426_698,
    "CifarResNeXt29x16x64d": 68_155_210,
    "FractalNet20": 33_734_922,
}
CIFAR_RESNET20_B = 272_474

# (H, W, C) after each stage: He et al. 2016, Table 1 and Sec. 4.2; Zagoruyko and Komodakis 2016,
# Table 1 (k = 4); Xie et al. 2017, Sec. 5.3; Larsson et al. 2017, Sec. 4.
RESNET18_SHAPES = [(56, 56, 64), (56, 56, 64), (28, 28, 128), (14, 14, 256), (7, 7, 512)]
RESNET50_SHAPES = [(56, 56, 64), (56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048)]
CIFAR_RESNET_SHAPES = [(32, 32, 16), (32, 32, 16), (16, 16, 32), (8, 8, 64)]
WRN_40_4_SHAPES = [(32, 32, 16), (32, 32, 64), (16, 16, 128), (8, 8, 256)]
CIFAR_RESNEXT_SHAPES = [(32, 32, 64), (32, 32, 256), (16, 16, 512), (8, 8, 1024)]
FRACTALNET20_SHAPES = [(16, 16, 64), (8, 8, 128), (4, 4, 256), (2, 2, 512), (1, 1, 512)]
FRACTALNET34_SHAPES = [(56, 56, 64), (28, 28, 128), (14, 14, 256), (7, 7, 512), (7, 7, 1024)]

# Multiply-adds in 10^9: kernel sizes x places of He et al. 2016, Table 1 (v1.5), Xie et al. 2017,
# Table 1, and Zagoruyko and Komodakis 2016; to two decimals torchvision's documentation ("GFLOPS").
MULTIPLY_ADDS = {
    "ResNet18": 1.814,
    "ResNet34": 3.664,
    "ResNet50": 4.089,
    "ResNet101": 7.801,
    "ResNet152": 11.514,
    "WideResNet50x2": 11.398,
    "ResNeXt50": 4.230,
    "ResNeXt101": 7.970,
    "CifarResNet20": 0.041,
    "CifarResNet32": 0.069,
    "CifarResNet44": 0.097,
    "CifarResNet56": 0.125,
    "CifarResNet110": 0.253,
    "CifarResNet1202": 2.829,
    "WideResNet16x2": 0.101,
    "WideResNet16x4": 0.393,
    "WideResNet40x4": 1.299,
    "WideResNet28x10": 5.243,
    "CifarResNeXt29x8x64d": 5.387,
    "CifarResNeXt29x16x64d": 10.689,
    "FractalNet20": 0.845,
}
# What papers print themselves. Multiply-adds: Szegedy et al. 2015, Sec. 1; He et al. 2016, Table 1
# and Fig. 3 (VGG-19); Xie et al. 2017, Table 1; Howard et al. 2017, Table 4; Sandler et al. 2018,
# Table 4; Zoph et al. 2018, Table 2; Liu et al. 2022, Table 1. Parameters: Krizhevsky et al. 2012,
# abstract; Szegedy et al. 2015, the sum of Table 1; Zagoruyko and Komodakis 2016, Tables 5 and 8;
# Xie et al. 2017, Tables 1 and 7; He et al. 2016, Table 6; FractalNet: Huang et al. 2017, Table 2.
PRINTED_MULTIPLY_ADDS = {
    "GoogLeNet": 1.5e9,
    "VGG19": 19.6e9,
    "ResNet18": 1.8e9,
    "ResNet34": 3.6e9,
    "ResNet50": 3.8e9,
    "ResNet101": 7.6e9,
    "ResNet152": 11.3e9,
    "ResNeXt50": 4.2e9,
    "MobileNet": 569e6,
    "MobileNetV2": 300e6,
    "NASNetMobile": 564e6,
    "NASNetLarge": 23.8e9,
    "ConvNeXtTiny": 4.5e9,
    "ConvNeXtSmall": 8.7e9,
    "ConvNeXtBase": 15.4e9,
    "ConvNeXtLarge": 34.4e9,
    "ConvNeXtXLarge": 60.9e9,
}
PRINTED_PARAMETERS = {
    "AlexNet": 60e6,
    "GoogLeNet": 6.8e6,
    "WideResNet40x4": 8.9e6,
    "WideResNet28x10": 36.5e6,
    "WideResNet50x2": 68.9e6,
    "ResNeXt50": 25.0e6,
    "CifarResNeXt29x8x64d": 34.4e6,
    "CifarResNeXt29x16x64d": 68.1e6,
    "CifarResNet20": 0.27e6,
    "CifarResNet32": 0.46e6,
    "CifarResNet44": 0.66e6,
    "CifarResNet56": 0.85e6,
    "CifarResNet110": 1.7e6,
    "CifarResNet1202": 19.4e6,
    "FractalNet20": 38.6e6,
}
# Of these, more than 3 % off what the networks have, and why.
PRINTED_OTHERWISE = {
    "GoogLeNet": "1.58 G; Table 1 counts 34 M in its first row, whose convolution has 118 M",
    "ResNet50": "4.09 G; v1.5 has its stride on the 3x3 convolution, v1 has 3.86 G",
    "FractalNet20": "33.7 M; 38.6 M does not follow from the expansion rule",
}
# Convolution and dense layers from the input to the output: longest and shortest way. Wide ResNets'
# names count two projections besides; FractalNet's 20 leave the dense layer out. The shortest way
# leads over projections (one in each stage that has one), or over 1x1 convolutions.
DEPTHS = {
    "LeNet5": (5, 5),
    "AlexNet": (8, 8),
    "ZFNet": (8, 8),
    "VGG11": (11, 11),
    "VGG16": (16, 16),
    "GoogLeNet": (22, 3 + 9 + 1),
    "ResNet18": (18, 1 + 3 + 1),
    "ResNet50": (50, 1 + 4 + 1),
    "CifarPlainNet20": (20, 20),
    "CifarResNet1202": (1202, 2),
    "StochasticDepthResNet110": (110, 2),
    "WideResNet28x10": (28 - 2, 1 + 3 + 1),
    "CifarResNeXt29x8x64d": (29, 1 + 3 + 1),
    "ResNeXt101": (101, 1 + 4 + 1),
    "FractalNet20": (20 + 1, 5 + 1),
    "FractalNet34": (34, 1 + 4 + 1),
    "MobileNet": (28, 28),
    "DenseNet121": (121, 1 + 3 + 1),
}

# Published error in percent, (top-1, top-5), None where the paper prints none. ImageNet validation:
# Krizhevsky et al. 2012, Table 2; Zeiler and Fergus 2014, Table 2; Simonyan and Zisserman 2015,
# Table 3; Szegedy et al. 2015, Table 3 (top-1: Caffe's bvlc_googlenet); He et al. 2016, Tables 2
# and 3; Zagoruyko and Komodakis 2016, Table 8; Xie et al. 2017, Tables 3 and 4; Larsson et al.
# 2017, Table 2; keras.io/api/applications as 100 - accuracy. CIFAR-10: He et al. 2016, Table 6;
# Huang et al. 2016, Table 1; Zagoruyko and Komodakis 2016, Tables 5 and 6; Xie et al. 2017, Table
# 7; Larsson et al. 2017, Table 1.
TEST_ERRORS = {
    "LeNet5": (LENET5_TEST_ERROR_PERCENT, None),
    "AlexNet": (40.7, 18.2),
    "ZFNet": (38.4, 16.5),
    "VGG11": (29.6, 10.4),
    "VGG11LRN": (29.7, 10.5),
    "VGG13": (28.7, 9.9),
    "VGG16C": (27.3, 8.8),
    "VGG16": (25.6, 8.1),
    "VGG19": (25.5, 8.0),
    "GoogLeNet": (31.3, 10.07),
    "ResNet18": (27.88, None),
    "ResNet34": (24.52, 7.46),
    "ResNet50": (22.85, 6.71),
    "ResNet101": (21.75, 6.05),
    "ResNet152": (21.43, 5.71),
    "WideResNet50x2": (21.9, 5.79),
    "ResNeXt50": (22.2, None),
    "ResNeXt101": (21.2, 5.6),
    "FractalNet34": (24.12, 7.39),
    "MobileNetV2": (28.7, 9.9),
    "Xception": (21.0, 5.5),
    "ConvNeXtXLarge": (13.3, None),
    "CifarResNet20": (8.75, None),
    "CifarResNet32": (7.51, None),
    "CifarResNet44": (7.17, None),
    "CifarResNet56": (6.97, None),
    "CifarResNet110": (6.43, None),
    "CifarResNet1202": (7.93, None),
    "StochasticDepthResNet110": (5.25, None),
    "StochasticDepthResNet1202": (4.91, None),
    "WideResNet16x4": (5.02, None),
    "WideResNet40x4": (4.53, None),
    "WideResNet28x10": (4.00, None),
    "CifarResNeXt29x8x64d": (3.65, None),
    "CifarResNeXt29x16x64d": (3.58, None),
    "FractalNet20": (4.60, None),
}
