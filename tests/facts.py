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

# Multiplications of the module on 28x28x256 with 128 1x1, 192 3x3 and 96 5x5 filters, by hand:
# 28 * 28 * 256 * (128 + 9 * 192 + 25 * 96); with 64 1x1 filters before 3x3, 5x5 and after pooling:
# 28 * 28 * (256 * (128 + 3 * 64) + 64 * (9 * 192 + 25 * 96)).
INCEPTION_NAIVE_MULTIPLIES = 854_196_224
INCEPTION_REDUCED_MULTIPLIES = 271_351_808

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

# Trainable parameters. Residual networks for ImageNet: He et al. 2016 as torchvision's documentation
# counts them ("num_params" of each weights entry); ResNeXt: Xie et al. 2017, Table 1 ("25.0 x 10^6")
# and torchvision; WRN-50-2: torchvision.
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
