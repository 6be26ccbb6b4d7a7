"""The training of `task` on two devices of the CPU, in one process, on either backend.

Arguments: folder for the results, and what is done: fit, continue or finetune.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import kerascnn as kc
from tests.distribute import task


class Error(keras.callbacks.Callback):
    """Ends a training in the middle of its fourth epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 10:
            raise KeyboardInterrupt


def two_devices():
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        devices = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, devices)
    else:
        import jax

        jax.config.update("jax_num_cpu_devices", 2)


def train(folder, name, callbacks=()):
    model, data = kc.distribute.synchronized(task.network()), task.data()
    parts = kc.distribute.shard(data.train), kc.distribute.shard(data.validation)
    history = task.train(model, *parts, folder / name, callbacks)
    np.savez(folder / f"{name}.npz", *model.get_weights())
    Path(folder, f"{name}.json").write_text(json.dumps(history))


def finetune(folder, network, distribute):
    result = kc.transfer.finetune(
        task.data(), network, "full", epochs=3, views=1, engine="keras", verbose=False,
        learning_rate=0.01, class_weight="balanced", distribute=distribute,
    )  # fmt: skip
    np.savez(folder / f"{distribute}.npz", *result.model.get_weights())
    Path(folder, f"{distribute}.json").write_text(json.dumps(result.history))


def main(folder, what):
    two_devices()
    keras.utils.set_random_seed(0)
    if what == "finetune":
        network = keras.Model(*task.features(), name="tiny")
        finetune(folder, network, "none")
        finetune(folder, network, "mirrored")
        return
    with kc.distribute.mirrored() as count:
        assert count == 2
        train(folder, "two")
        if what == "continue":
            try:
                train(folder, "cut", [Error()])
            except KeyboardInterrupt:
                train(folder, "cut")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
