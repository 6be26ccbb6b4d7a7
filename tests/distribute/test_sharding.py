"""What the processes read: all of every batch, and no row twice."""

import keras
import numpy as np
import pytest

import kerascnn as kc
from kerascnn import InputError
from kerascnn.augment import RandomAffine
from kerascnn.distribute._cluster import Cluster
from kerascnn.distribute.sharding import Shard
from tests.distribute import task


def shards(source, processes, devices_each=1):
    parts = [Cluster(processes * devices_each, processes, i) for i in range(processes)]
    return [Shard(source, part) for part in parts]


@pytest.mark.parametrize(("processes", "devices_each"), [(1, 2), (2, 1), (2, 2), (3, 1), (12, 1)])
def test_a_batch_is_shared_out_without_gap_or_overlap(processes, devices_each):
    split = task.data(36).train
    for epoch in (0, 5):
        for index in range(split.num_batches):
            whole = split.batch(epoch, index)
            parts = [part.batch(epoch, index) for part in shards(split, processes, devices_each)]
            for i in (0, 1):
                np.testing.assert_array_equal(np.concatenate([p[i] for p in parts]), whole[i])
            assert {len(part[0]) for part in parts} == {12 // processes}


@pytest.mark.parametrize(("processes", "devices_each"), [(2, 1), (1, 2), (2, 3)])
def test_each_device_reads_the_whole_of_what_cannot_be_divided(processes, devices_each):
    split = task.data(35).train
    whole = split.batch(1, 2)
    for part in shards(split, processes, devices_each):
        images, labels = part.batch(1, 2)
        np.testing.assert_array_equal(images, np.concatenate([whole[0]] * devices_each))
        np.testing.assert_array_equal(labels, np.concatenate([whole[1]] * devices_each))
        assert len(part.batch(1, 1)[0]) == 12 // processes


def test_validation_is_read_whole_unless_all_of_it_divides():
    (first, second) = shards(task.data(num_held=13).validation, 2)
    assert [len(batch[1]) for batch in first] == [len(batch[1]) for batch in second] == [12, 1]
    (first, second) = shards(task.data(num_held=14).validation, 2)
    assert [len(batch[1]) for batch in first] == [len(batch[1]) for batch in second] == [6, 1]


class Pairs(keras.utils.PyDataset):
    """A data set of the user's."""

    num_batches = 2

    def __len__(self):
        return self.num_batches

    def batch(self, epoch, index):
        return {"a": np.arange(4), "b": np.arange(4) + 10 * index}, np.arange(4) + epoch

    def __getitem__(self, index):
        return self.batch(0, index)


def test_data_of_the_users_own():
    (_, second) = shards(Pairs(), 2)
    inputs, labels = second.batch(3, 1)
    assert (inputs["b"].tolist(), labels.tolist()) == ([12, 13], [5, 6])
    assert not hasattr(second, "fingerprint") and not hasattr(second, "manifest")


@pytest.mark.parametrize("layer", [RandomAffine(flip="horizontal"), keras.layers.RandomFlip()])
def test_augmentation_draws_for_a_photo_the_same_wherever_it_is_read(layer):
    augmented = task.data(36).train.augment(layer)
    parts = [part.batch(2, 1)[0] for part in shards(augmented, 2)]
    np.testing.assert_array_equal(np.concatenate(parts), augmented.batch(2, 1)[0])


def test_it_reads_on_as_fit_asks_and_is_the_run_it_was():
    split = task.data().train
    (first, _) = shards(split, 2)
    first.epoch = 4
    np.testing.assert_array_equal(first[1][0], split.batch(4, 1)[0][:6])
    assert first.fingerprint() == split.fingerprint()
    assert first.manifest() == split.manifest()
    with pytest.raises(IndexError):
        first[3]


def test_a_batch_size_that_is_no_multiple_is_refused():
    (first, _) = shards(task.data(batch_size=9).train, 2)
    with pytest.raises(InputError, match="multiple of the 2 devices that train. Received: 9."):
        first.batch(0, 0)


def test_other_data_is_refused():
    with pytest.raises(InputError, match="Received: ndarray. It needs batch"):
        shards(np.zeros(3), 2)


def test_alone_nothing_is_changed():
    split = task.data().train
    assert kc.distribute.shard(split) is split
