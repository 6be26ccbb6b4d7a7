"""Networks as published, with the signature of `keras.applications`.

Each builder returns a plain functional `keras.Model` whose layer names are part of the API.

>>> import kerascnn as kc
>>> kc.models.LeNet5().get_layer("f6").output.shape
(None, 84)
"""

from kerascnn.models.lenet import LeNet5

__all__ = ["LeNet5"]
