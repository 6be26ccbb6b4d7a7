"""What belongs together: output, loss, form of the labels, metrics and decision of a task.

>>> import keras, numpy as np
>>> task = multi_class(["cat", "dog", "horse"])
>>> inputs = keras.Input((8,))
>>> model = keras.Model(inputs, task.head(inputs))
>>> model.compile("sgd", loss=task.loss, metrics=task.metrics)
>>> features, labels = np.ones((2, 8)), ["dog", "cat"]
>>> history = model.fit(features, task.encode(labels), verbose=0)
>>> task.decide(model.predict(features, verbose=0)).shape
(2,)
>>> check(model, (features, task.encode(labels)))
[]
"""

from kerascnn.tasks._task import Task
from kerascnn.tasks.auxiliary import auxiliary_heads
from kerascnn.tasks.checking import check
from kerascnn.tasks.classes import binary, multi_class, multi_label
from kerascnn.tasks.multi_task import multi_task
from kerascnn.tasks.ordinal import ordinal
from kerascnn.tasks.regression import regression

__all__ = [
    "Task",
    "auxiliary_heads",
    "binary",
    "check",
    "multi_class",
    "multi_label",
    "multi_task",
    "ordinal",
    "regression",
]
