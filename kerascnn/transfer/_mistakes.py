"""The test photos that were misclassified most confidently, and what the model looked at."""

import numpy as np

from kerascnn import report, visualize
from kerascnn._errors import InputError

_SHOWN = 12


def confident_mistakes(predictions):
    """Numbers of the rows of wrong predictions, the surest first; 12 at most.

    >>> rows = [("a", "a", 0.9), ("a", "b", 0.5), ("b", "a", 0.8)]
    >>> confident_mistakes([dict(zip(("true", "predicted", "probability"), row)) for row in rows])
    [2, 1]
    """
    wrong = [i for i, row in enumerate(predictions) if row["true"] != row["predicted"]]
    return sorted(wrong, key=lambda i: -predictions[i]["probability"])[:_SHOWN]


def pictures(model, split, predictions):
    """{path: {"thumbnail", "map"}} of the confident mistakes, as the report takes them.

    The map is Grad-CAM of the class that was predicted; None if the model has no feature maps.
    """
    numbers = confident_mistakes(predictions)
    if not numbers:
        return {}
    images = split.images(numbers)
    targets = [split.class_names.index(predictions[i]["predicted"]) for i in numbers]
    try:
        maps = visualize.grad_cam(model, images.astype(np.float32), np.array(targets))
    except InputError:
        maps = [None] * len(images)
    return {
        predictions[i]["path"]: {
            "thumbnail": report.thumbnail(image),
            "map": None if heat is None else report.thumbnail(image, heat=heat),
        }
        for i, image, heat in zip(numbers, images, maps)
    }
