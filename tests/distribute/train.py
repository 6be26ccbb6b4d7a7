"""The training of `task` as a script: alone, or in several processes by `kerascnn launch`.

Arguments: folder for the results, of which worker {} has its own if it holds these braces; photos
to train on; dropout; step after which worker 1 dies.
"""

import json
import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np

import kerascnn as kc
from tests.distribute import task


class PowerCut(keras.callbacks.Callback):
    """Ends worker 1 as a machine ends that loses its power."""

    def __init__(self, after):
        super().__init__()
        self.after, self.steps = after, 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps == self.after and kc.distribute.worker() == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, num_train, dropout, killed_after):
    kc.distribute.start()
    kc.reproducible(0)
    worker = kc.distribute.worker()
    folder, data = Path(folder.format(worker)), task.data(int(num_train))
    train, held = kc.distribute.shard(data.train), kc.distribute.shard(data.validation)
    model = task.network(float(dropout))
    history = task.train(model, train, held, folder / "run", [PowerCut(int(killed_after))])
    np.savez(folder / f"weights-{worker}.npz", *model.get_weights())
    Path(folder, f"history-{worker}.json").write_text(json.dumps(history))
    kc.distribute.save(model, folder / "model.keras")
    print(f"worker {worker} is done")


if __name__ == "__main__":
    main(*sys.argv[1:])
