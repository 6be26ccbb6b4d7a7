"""The arithmetic of convolutional networks: by hand, and of any functional model layer by layer.

By hand, with the examples of the usual courses. LeNet-5's first layer, 6 filters of 5x5 on 32x32x1:

>>> convolution((32, 32, 1), 6, 5, padding="valid")
Counts(output_shape=(28, 28, 6), parameters=156, connections=122304, multiply_adds=117600)

4 filters of 4x4 on 32x32x3, only where they overlap it fully, give 29 * 29 * 4 = 3,364 units; in
full mode a map is 35x35. They have 196 parameters, 500 units that read everything 1.5 million:

>>> convolution((32, 32, 3), 4, 4, padding="valid").parameters
196
>>> output_size(32, 4, padding="valid") ** 2 * 4, output_size(32, 4, padding="full")
(3364, 35)
>>> (32 * 32 * 3 + 1) * 500
1536500

A naive inception module on 28x28x256 (128 1x1, 192 3x3, 96 5x5 and pooling) can only grow deeper;
with 64 1x1 filters before the large ones and after the pooling it is 480 deep and 3.15 times
cheaper:

>>> shape = (28, 28, 256)
>>> naive = [convolution(shape, *conv) for conv in [(128, 1), (192, 3), (96, 5)]]
>>> [conv.multiply_adds for conv in naive], sum(conv.multiply_adds for conv in naive)
([25690112, 346816512, 481689600], 854196224)
>>> sum(conv.output_shape[-1] for conv in naive) + 256
672
>>> reduce = convolution(shape, 64, 1)
>>> reduced = [naive[0], reduce, reduce, reduce]
>>> reduced += [convolution(reduce.output_shape, *conv) for conv in [(192, 3), (96, 5)]]
>>> sum(conv.multiply_adds for conv in reduced), 128 + 192 + 96 + 64
(271351808, 480)

Three 3x3 layers see as much as one 7x7, with 27 instead of 49 weights for each pair of maps:

>>> receptive_field([3, 3, 3]), receptive_field([7])
(7, 7)
>>> [convolution((56, 56, 64), 64, size, use_bias=False).parameters for size in (3, 7)]
[36864, 200704]

VGG-16's table: values kept for one image, the image included, and parameters. A dense layer is a
convolution as large as the map:

>>> shape, activations, parameters = (224, 224, 3), 224 * 224 * 3, 0
>>> for filters in [64, 64, 0, 128, 128, 0] + [256] * 3 + [0] + ([512] * 3 + [0]) * 2:
...     if filters:
...         layer = convolution(shape, filters, 3)
...         shape, parameters = layer.output_shape, parameters + layer.parameters
...     else:
...         shape = (shape[0] // 2, shape[1] // 2, shape[2])
...     activations += shape[0] * shape[1] * shape[2]
>>> for units in (4096, 4096, 1000):
...     layer = convolution(shape, units, shape[0], padding="valid")
...     shape, parameters = layer.output_shape, parameters + layer.parameters
...     activations += units
>>> activations, parameters
(15237608, 138357544)

What the layers of all frameworks compute is a cross-correlation: the kernel is dragged over the
image as it is. A convolution drags the kernel turned by 180 degrees:

>>> import keras, numpy as np
>>> from scipy.signal import convolve2d, correlate2d
>>> image, kernel = np.ones((3, 3)), np.array([[1.0, 2.0], [3.0, 4.0]])  # w x / y z
>>> correlate2d(image, kernel, "full")[0]  # z, y + z, y + z, y
array([4., 7., 7., 3.])
>>> np.array_equal(convolve2d(image, kernel[::-1, ::-1], "full"), correlate2d(image, kernel))
True
>>> image = np.arange(9.0).reshape(3, 3)
>>> keras_output = keras.ops.conv(image.reshape(1, 3, 3, 1), kernel.reshape(2, 2, 1, 1))
>>> np.array_equal(np.squeeze(keras_output), correlate2d(image, kernel, "valid"))
True
"""

from kerascnn.arithmetic.analysis import Analysis, LayerCounts, analyze
from kerascnn.arithmetic.by_hand import Counts, convolution, output_size, receptive_field

__all__ = [
    "Analysis",
    "Counts",
    "LayerCounts",
    "analyze",
    "convolution",
    "output_size",
    "receptive_field",
]
