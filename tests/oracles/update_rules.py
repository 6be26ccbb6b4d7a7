"""The update rules of the notes and papers in plain NumPy: w after each step, from w before.

A rule is `rule(gradient, w, steps, rate, ...)`, where `gradient` is a function of w. It returns the
list of the weights after each of the `steps`. Differences to Keras's optimisers are named here and
held by tests/optimizers/test_rules_of_keras.py; `kerascnn.optimizers` tells them to users.
"""

import numpy as np


def gradient_descent(gradient, w, steps, rate):
    """IN5400: w = w - rate g. Keras's SGD: the same."""
    path = []
    for _ in range(steps):
        w = w - rate * gradient(w)
        path.append(w)
    return path


def momentum(gradient, w, steps, rate, rho=0.9):
    """IN5400: v = rho v - rate g; w = w + v. Keras's SGD(momentum=rho): the same."""
    path, v = [], 0
    for _ in range(steps):
        v = rho * v - rate * gradient(w)
        w = w + v
        path.append(w)
    return path


def nesterov_ahead(gradient, w, steps, rate, rho=0.9):
    """IN5400's first form: the gradient is taken at w + rho v, and w moves by v.

    Keras's SGD(nesterov=True) stores w + rho v in place of w.
    """
    path, v = [], 0
    for _ in range(steps):
        v = rho * v - rate * gradient(w + rho * v)
        w = w + v
        path.append(w)
    return path


def nesterov_stored(gradient, w, steps, rate, rho=0.9):
    """IN5400's second form, as it must read: w = w + (1 + rho) v - rho v_prev, gradient at w.

    The notes have 1 - rho, and the gradient at w_ahead. Keras's SGD(nesterov=True): the same.
    """
    path, v = [], 0
    for _ in range(steps):
        v_prev = v
        v = rho * v - rate * gradient(w)
        w = w + (1 + rho) * v - rho * v_prev
        path.append(w)
    return path


def adagrad(gradient, w, steps, rate, nu=1e-7):
    """ECE239AS: a = a + g^2 from a = 0; w = w - rate g / (sqrt(a) + nu).

    Keras's Adagrad starts a at 0.1 and has nu inside the root.
    """
    path, a = [], 0
    for _ in range(steps):
        g = gradient(w)
        a = a + g**2
        w = w - rate * g / (np.sqrt(a) + nu)
        path.append(w)
    return path


def rmsprop(gradient, w, steps, rate, beta=0.9, nu=1e-7):
    """Tieleman and Hinton 2012, with ECE239AS's nu: a = beta a + (1 - beta) g^2 from a = 0.

    Keras's RMSprop has nu inside the root.
    """
    path, a = [], 0
    for _ in range(steps):
        g = gradient(w)
        a = beta * a + (1 - beta) * g**2
        w = w - rate * g / (np.sqrt(a) + nu)
        path.append(w)
    return path


def adam_uncorrected(gradient, w, steps, rate, rho_1=0.9, rho_2=0.999, epsilon=1e-8):
    """IN5400, without bias correction. Keras has none; a schedule undoes its correction."""
    path, m, v = [], 0, 0
    for _ in range(steps):
        g = gradient(w)
        m = rho_1 * m + (1 - rho_1) * g
        v = rho_2 * v + (1 - rho_2) * g**2
        w = w - rate * m / (np.sqrt(v) + epsilon)
        path.append(w)
    return path


def adam(gradient, w, steps, rate, rho_1=0.9, rho_2=0.999, epsilon=1e-8, decay=0.0):
    """Kingma and Ba 2015, Algorithm 1, and IN5400, PHYS555, ECE239AS: epsilon beside sqrt(v_hat).

    Keras's Adam has it beside sqrt(v), the "epsilon hat" of the paper's Sec. 2: in step t as large
    as epsilon / sqrt(1 - rho_2^t) here.

    With `decay` it is AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101, Algorithm 2, eta = 1),
    where the decay is not multiplied by the rate. Keras's AdamW does that: decay / rate there.
    """
    path, m, v = [], 0, 0
    for t in range(1, steps + 1):
        g = gradient(w)
        m = rho_1 * m + (1 - rho_1) * g
        v = rho_2 * v + (1 - rho_2) * g**2
        m_hat, v_hat = m / (1 - rho_1**t), v / (1 - rho_2**t)
        w = w - rate * m_hat / (np.sqrt(v_hat) + epsilon) - decay * w
        path.append(w)
    return path


def alexnet(gradient, w, steps, rate, rho=0.9, decay=0.0005):
    """Krizhevsky et al. 2012, Sec. 5: v = 0.9 v - 0.0005 rate w - rate g; w = w + v.

    Keras's SGD(weight_decay=0.0005) shrinks w beside the momentum; L2(0.00025) is this rule.
    """
    path, v = [], 0
    for _ in range(steps):
        v = rho * v - decay * rate * w - rate * gradient(w)
        w = w + v
        path.append(w)
    return path


def prelu(gradient, a, steps, rate, mu=0.9):
    """He et al. 2015, eq. 5: da = mu da + rate dE/da, and a = a - da; no weight decay.

    Keras's SGD(momentum=mu): the same, its velocity is -da.
    """
    path, change = [], 0
    for _ in range(steps):
        change = mu * change + rate * gradient(a)
        a = a - change
        path.append(a)
    return path


def prelu_slope_gradient(y, upstream):
    """He et al. 2015, eq. 3: dE/da of a channel is the sum of dE/df y over its y <= 0.

    Args:
        y: (N, H, W, C) inputs of the activation.
        upstream: (N, H, W, C), dE/df.
    """
    a = np.zeros(y.shape[-1])
    for place in np.ndindex(y.shape):
        if y[place] <= 0:
            a[place[-1]] += upstream[place] * y[place]
    return a


def radam(gradient, w, steps, rate, beta_1=0.9, beta_2=0.999, threshold=4):
    """Liu et al. 2020, Algorithm 2."""
    path, m, v = [], 0, 0
    rho_inf = 2 / (1 - beta_2) - 1
    for t in range(1, steps + 1):
        g = gradient(w)
        v = beta_2 * v + (1 - beta_2) * g**2
        m = beta_1 * m + (1 - beta_1) * g
        m_hat = m / (1 - beta_1**t)
        rho = rho_inf - 2 * t * beta_2**t / (1 - beta_2**t)
        if rho > threshold:
            adaptive = np.sqrt((1 - beta_2**t) / v)
            r = np.sqrt(((rho - 4) * (rho - 2) * rho_inf) / ((rho_inf - 4) * (rho_inf - 2) * rho))
            w = w - rate * r * m_hat * adaptive
        else:
            w = w - rate * m_hat
        path.append(w)
    return path


def levenberg_marquardt(gradient, w, steps, rate, curvature, mu=0.02):
    """LeCun et al. 1998, Sec. III-A: each weight's rate is rate / (mu + h_kk)."""
    path = []
    for _ in range(steps):
        w = w - rate / (mu + curvature) * gradient(w)
        path.append(w)
    return path
