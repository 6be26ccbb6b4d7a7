"""How many train together."""

from kerascnn.distribute._cluster import Cluster, cluster


def test_without_a_distribution_one_device_trains():
    assert cluster() == Cluster(devices=1, processes=1, process=0)
