"""Four things that lectures say of convolutional networks, measured on MNIST.

    python recipes/small_claims.py                          (Keras downloads MNIST)
    python recipes/small_claims.py --data mnist.npz         (a local copy)

1. ReLU learns several times faster than tanh: "6x" to a training error of 25 % in a network of four
   layers on CIFAR-10 (Krizhevsky et al. 2012, Fig. 1; each with its own best rate, no
   regularisation). Here: steps to a training loss of 0.1, four layers.
2. He's start trains deep networks that Xavier's stalls: 22 layers converge earlier with He's, 30 do
   with He's only (He et al. 2015, arXiv:1502.01852, Fig. 2 and 3). Here: training loss after the
   same steps, 22 and 30 convolutions with ReLU.
3. Dropout "roughly doubles the number of iterations required to converge" (Krizhevsky et al. 2012,
   Sec. 4.2). Here: steps to a training loss of 0.1, measured without dropout.
4. Removing any middle layer costs about 2 % (Krizhevsky et al. 2012, Sec. 7). Here: the test error
   of five equal convolutions, and of four.

Every figure is the mean of --seeds, with all of them beside it: recipes/RESULTS.md. Killed, it goes
on where it was: finished rows are in the result file, and are measured anew only when it is moved
away. It writes recipes/results/small_claims.json; with --quick, digits of scikit-learn
and a few steps, written to the folder it is started in.
"""

import argparse
import functools
from pathlib import Path

import keras
import numpy as np
from benchmarks.transfer import versions  # beside this file
from experiment_report import begun  # beside this file
from small_images import digits, mnist  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json

RATES = (0.003, 0.01, 0.03, 0.1)
TARGET = 0.1  # of the training loss


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a local mnist.npz (default: Keras downloads it)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600, help="at most, of each training")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    data, rates = digits() if args.quick else mnist(args.data), RATES
    if args.quick:
        args.seeds, args.steps, rates = 1, 20, RATES[2:3]
    file = (Path() if args.quick else Path(__file__).parent / "results") / "small_claims.json"
    settings = {"steps": args.steps, "seeds": args.seeds}
    result = begun(file, settings, {"rows": []})
    done = {(row["claim"], row["arm"]) for row in result["rows"]}
    for claim, arms in claims(data, rates, args).items():
        for arm, measure in arms.items():
            if (claim, arm) not in done:
                values = [measure(seed) for seed in range(args.seeds)]
                row = {"claim": claim, "arm": arm, "value": float(np.mean(values))}
                result["rows"].append(row | {"values": values})
                write_json(file, result | {"versions": versions()})
    for row in result["rows"]:
        print("{claim}: {arm}: {value:.4g} {values}".format(**row))


def claims(data, rates, args):
    """{claim: {arm: function of a seed that returns a number}}."""
    (x, y), test = [(images[..., None], labels) for images, labels in data]
    shape = x.shape[1:]

    def steps_to_target(make, seed):
        """With the rate that is fastest; `args.steps` if none gets there."""
        return min(steps_until(make, rate, seed, x, y, args.steps) for rate in rates)

    def loss_after(make, seed):
        return min(trained(make, rate, seed, x, y, args.steps)[1] for rate in rates)

    def test_error(make, seed):
        model, _ = trained(make, rates[0] if len(rates) == 1 else rates[2], seed, x, y, args.steps)
        return 100 * (1 - model.evaluate(*test, batch_size=500, verbose=0)[1])

    depths = (22, 30) if not args.quick else (22,)
    return {
        "steps to the loss, by activation": {
            name: functools.partial(steps_to_target, functools.partial(network, shape, 4, name))
            for name in ("relu", "tanh")
        },
        "loss after all steps, by start": {
            f"{name}, {depth} layers": functools.partial(
                loss_after, functools.partial(network, shape, depth, "relu", start=name)
            )
            for depth in depths
            for name in ("he_normal", "glorot_normal")
        },
        "steps to the loss, by dropout": {
            f"dropout {rate}": functools.partial(
                steps_to_target, functools.partial(network, shape, 4, "relu", dropout=rate)
            )
            for rate in (0.0, 0.5)
        },
        "test error in %, by a middle layer": {
            f"{depth} convolutions": functools.partial(
                test_error, functools.partial(network, shape, depth, "relu")
            )
            for depth in (5, 4)
        },
    }


def network(shape, depth, activation, start="he_normal", dropout=0.0):
    """`depth` convolutions, the first two with stride 2, and a linear classifier."""
    layers = [keras.layers.Rescaling(1 / 127.5, -1)]
    for i in range(depth):
        layers.append(
            keras.layers.Conv2D(
                24, 3, 2 if i < 2 else 1, "same", activation=activation, kernel_initializer=start
            )
        )
    layers += [keras.layers.Flatten(), keras.layers.Dropout(dropout)]
    layers.append(keras.layers.Dense(10, "softmax"))
    return kc.releasable(keras.Sequential([keras.Input(shape), *layers]))


def compiled(make, rate, seed):
    keras.utils.set_random_seed(seed)
    model = make()
    optimizer = keras.optimizers.SGD(rate, momentum=0.9)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, metrics=["accuracy"], steps_per_execution=10)
    return model


def steps_until(make, rate, seed, x, y, most, every=10):
    """Steps until the loss of 1,000 training images, seen without dropout, is at the target."""
    model = compiled(make, rate, seed)
    order = np.random.default_rng(seed).permutation(len(x))
    for step in range(0, most, every):
        rows = np.take(order, np.arange(step * 64, (step + every) * 64), mode="wrap")
        model.fit(x[rows], y[rows], batch_size=64, verbose=0)
        if model.evaluate(x[:1000], y[:1000], batch_size=500, verbose=0)[0] <= TARGET:
            return step + every
    return most


def trained(make, rate, seed, x, y, steps):
    """(model, its loss on 1,000 training images)."""
    model = compiled(make, rate, seed)
    order = np.random.default_rng(seed).permutation(len(x))
    rows = np.take(order, np.arange(64 * steps), mode="wrap")
    model.fit(x[rows], y[rows], batch_size=64, verbose=0)
    loss = model.evaluate(x[:1000], y[:1000], batch_size=500, verbose=0)[0]
    return model, loss if np.isfinite(loss) else float("inf")


if __name__ == "__main__":
    main()
