"""The training of `task` on one device and on two of the CPU, in one process on either backend.

Argument: folder for the results.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import kerascnn as kc
from tests.distribute import task

folder = Path(sys.argv[1])
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
else:
    import jax

    jax.config.update("jax_num_cpu_devices", 2)


class Error(keras.callbacks.Callback):
    """Ends a training in the middle of its fourth epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 10:
            raise KeyboardInterrupt


def train(name, callbacks=(), shared=True):
    model = kc.distribute.synchronized(task.network())
    data = task.data(35, 13)
    parts = [
        kc.distribute.shard(part) if shared else part for part in (data.train, data.validation)
    ]
    history = task.train(model, *parts, folder / name, callbacks)
    np.savez(folder / f"{name}.npz", *model.get_weights())
    Path(folder, f"{name}.json").write_text(json.dumps(history))
    return model, data


keras.utils.set_random_seed(0)
train("one")
with kc.distribute.mirrored() as count:
    assert count == 2
    model, data = train("two")
    loss, accuracy = model.evaluate(kc.distribute.shard(data.validation), verbose=0)
    try:
        train("cut", [Error()])
    except KeyboardInterrupt:
        train("cut")
