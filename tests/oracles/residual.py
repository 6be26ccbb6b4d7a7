"""Residual blocks in NumPy, read from the papers' figures; weights are found by layer names."""

import numpy as np


def convolve(x, kernel, stride=1, groups=1):
    """(N, H, W, C) with (K, K, C / groups, F); zeros K // 2 around, windows centred."""
    size, filters = kernel.shape[0], kernel.shape[3]
    pad = size // 2
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    rows, columns = (x.shape[1] - size) // stride + 1, (x.shape[2] - size) // stride + 1
    y = np.empty((len(x), rows, columns, filters))
    inputs, outputs = x.shape[3] // groups, filters // groups
    for g in range(groups):
        part, some = x[..., g * inputs :][..., :inputs], kernel[..., g * outputs :][..., :outputs]
        for i in range(rows):
            for j in range(columns):
                window = part[:, i * stride : i * stride + size, j * stride : j * stride + size]
                y[:, i, j, g * outputs : (g + 1) * outputs] = np.tensordot(window, some, 3)
    return y


class Network:
    """The layers of a model as functions of arrays."""

    def __init__(self, model):
        self.model = model

    def has(self, name):
        return any(layer.name == name for layer in self.model.layers)

    def conv(self, x, name, stride=1, groups=1):
        (kernel,) = self.model.get_layer(f"{name}_conv").get_weights()
        return convolve(x, kernel, stride, groups)

    def bn(self, x, name):
        gamma, beta, mean, variance = self.model.get_layer(f"{name}_bn").get_weights()
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    def conv_bn(self, x, name, stride=1, groups=1):
        return self.bn(self.conv(x, name, stride, groups), name)

    def bn_relu(self, x, name):
        return relu(self.bn(x, name))


def relu(x):
    return np.maximum(x, 0)


def zero_pad(x, filters, stride):
    """Option A."""
    y = np.zeros((*x[:, ::stride, ::stride].shape[:3], filters))
    y[..., : x.shape[3]] = x[:, ::stride, ::stride]
    return y


def basic_v1(net, x, name, filters, stride):
    """He et al. 2016, Fig. 5 left; a projection if the model has one."""
    y = relu(net.conv_bn(x, f"{name}_1", stride))
    y = net.conv_bn(y, f"{name}_2")
    if net.has(f"{name}_0_conv"):
        return relu(net.conv_bn(x, f"{name}_0", stride) + y)
    return relu(zero_pad(x, filters, stride) + y)


def bottleneck_v1(net, x, name, strides, groups=1):
    """He et al. 2016, Fig. 5 right; Xie et al. 2017, Fig. 3c."""
    y = relu(net.conv_bn(x, f"{name}_1", strides[0]))
    y = relu(net.conv_bn(y, f"{name}_2", strides[1], groups))
    y = net.conv_bn(y, f"{name}_3")
    skip = net.conv_bn(x, f"{name}_0", max(strides)) if net.has(f"{name}_0_conv") else x
    return relu(skip + y)


def basic_v2(net, x, name, stride, first=False):
    """He et al. 2016b, Fig. 1b. `first`: the stem's activation is the block's own."""
    y = activated = x if first else net.bn_relu(x, f"{name}_1")
    y = net.conv(y, f"{name}_1", stride)
    y = net.conv(net.bn_relu(y, f"{name}_2"), f"{name}_2")
    return skip_v2(net, x, activated, f"{name}_0", y.shape[-1], stride) + y


def skip_v2(net, x, activated, name, filters, stride):
    """Identities are of the input (eq. 9), projections of the activation (Appendix)."""
    if net.has(f"{name}_conv"):
        return net.conv(activated, name, stride)
    return zero_pad(x, filters, stride)


def bottleneck_v2(net, x, name, stride, first=False):
    y = activated = x if first else net.bn_relu(x, f"{name}_1")
    y = net.conv(y, f"{name}_1")
    y = net.conv(net.bn_relu(y, f"{name}_2"), f"{name}_2", stride)
    y = net.conv(net.bn_relu(y, f"{name}_3"), f"{name}_3")
    return skip_v2(net, x, activated, f"{name}_0", y.shape[-1], stride) + y


def randomise(model, seed=0):
    """Weights under which every part matters: moving statistics and biases are no 0 or 1."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if len(layer.get_weights()) == 4:
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, w.shape) if i in (0, 3) else rng.normal(0, 0.3, w.shape)
                    for i, w in enumerate(layer.get_weights())
                ]
            )
    return model
