"""LeNet-5 on MNIST: trains the weights that `kc.models.LeNet5(weights="mnist")` loads.

    python recipes/pretrain_mnist.py                            (Keras downloads MNIST)
    python recipes/pretrain_mnist.py --data mnist.npz           (a local copy)

Test error: paper 0.95 % (LeCun et al. 1998, Sec. III, without distortions), ours 0.82 % (seed 0).
As in the paper: the network, its start, 32x32 images with paper at -0.1 and ink at 1.175.
Differs from the paper: softmax output; AdamW with cosine decay, batches of 64, 18 passes (there: 20
passes of single images with a second-order method). Rate and decay were chosen on the last 5,000
training images, which the weights never saw; the test images were used once, at the end.
Time: about 3 minutes on two CPU cores.
"""

import argparse
import hashlib
import platform
from pathlib import Path

import keras
import numpy as np
from small_images import mnist, padded  # beside this file

import kerascnn as kc
from kerascnn._runs import write_json

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--data", help="a local mnist.npz (default: Keras downloads it)")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--quick", action="store_true", help="one pass over 2,000; writes nothing")
args = parser.parse_args()


def prepared(images, labels):
    """28x28 bytes, bright ink, to 32x32 with paper at -0.1 and ink at 1.175."""
    return padded(images) * np.float32(1.275 / 255) - np.float32(0.1), labels.astype("int32")


(x, y), (x_test, y_test) = [prepared(*part) for part in mnist(args.data)]
held_out = (x[55000:], y[55000:])
number, epochs = (2000, 1) if args.quick else (55000, 18)

keras.utils.set_random_seed(args.seed)
model = kc.models.LeNet5()
rate = keras.optimizers.schedules.CosineDecay(5e-3, decay_steps=epochs * -(-number // 64))
optimizer = keras.optimizers.AdamW(rate, weight_decay=0.1)
optimizer.exclude_from_weight_decay(var_names=["bias"])
model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x[:number], y[:number], batch_size=64, epochs=epochs, validation_data=held_out, verbose=2
)
wrong = model.predict(x_test, batch_size=1000, verbose=0).argmax(-1) != y_test
test_error = 100 * float(wrong.mean())
print(f"test error {test_error:.2f} %")

if not args.quick:
    root = Path(__file__).parents[1]
    weights = root / "kerascnn/weights/lenet5_mnist.weights.h5"
    plain = kc.models.LeNet5()  # its file holds no state of the optimiser
    plain.set_weights(model.get_weights())
    plain.save_weights(weights)
    result = {
        "command": f"python recipes/pretrain_mnist.py --seed {args.seed}",
        "seed": args.seed,
        "test_error_percent": round(test_error, 2),
        "held_out_error_percent": round(100 * (1 - history.history["val_accuracy"][-1]), 2),
        "paper_test_error_percent": 0.95,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "backend": keras.backend.backend(),
    }
    write_json(root / "recipes/results/pretrain_mnist.json", result)
