"""How many devices and processes train together now."""

import dataclasses

import keras

__all__ = ["Cluster", "cluster"]


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Devices and processes, of which each has as many devices.

    >>> Cluster(devices=4, processes=2, process=1).process
    1
    """

    devices: int
    processes: int
    process: int


def cluster():
    """The `Cluster` of the distribution that is in force.

    >>> cluster()
    Cluster(devices=1, processes=1, process=0)
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return Cluster(tf.distribute.get_strategy().num_replicas_in_sync, 1, 0)
    found = keras.distribution.distribution()
    if found is None:
        return Cluster(1, 1, 0)
    return Cluster(found.num_model_replicas, found.num_processes, found.data_shard_id)
