"""The training of `task` as a script: alone, or in several processes by `kerascnn launch`.

Arguments: folder for the results, photos to train on, dropout, step after which worker 1 dies.
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

folder, num_train, dropout, killed_at = Path(sys.argv[1]), *map(float, sys.argv[2:])
kc.distribute.start()
kc.reproducible(0)
worker = kc.distribute.worker()
data = task.data(int(num_train), 13)
train, held = kc.distribute.shard(data.train), kc.distribute.shard(data.validation)


class PowerCut(keras.callbacks.Callback):
    """Ends worker 1 as a machine ends that loses its power."""

    steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if worker == 1 and self.steps == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)


model = task.network(dropout)
history = task.train(model, train, held, folder / "run", [PowerCut()])
np.savez(folder / f"weights-{worker}.npz", *model.get_weights())
Path(folder, f"history-{worker}.json").write_text(json.dumps(history))
print(f"worker {worker} is done")
