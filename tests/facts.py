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
