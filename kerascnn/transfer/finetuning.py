"""Photos -> a classifier: linear probe, then the last stage, then the whole network, as planned."""

import dataclasses

from kerascnn._errors import InputError
from kerascnn._random import is_reproducible
from kerascnn._runs import CHECKPOINTS, run_folder
from kerascnn.data import ImageData
from kerascnn.transfer._job import Job
from kerascnn.transfer._options import (
    check_compute,
    check_distribute,
    check_engine,
    check_training,
)
from kerascnn.transfer.recipe import checked_recipe

__all__ = ["finetune"]


def finetune(
    data,
    backbone="MobileNetV2",
    strategy="auto",
    *,
    weights="imagenet",
    epochs=12,
    learning_rate=3e-4,
    views="auto",
    class_weight="auto",
    engine="auto",
    precision="float32",
    seed=0,
    recipe=None,
    distribute="none",
    compute="default",
    output=None,
    checkpoints=None,
    verbose=True,
):
    """Adapt a pretrained network to a folder of photos.

    Stages, each from where the one before ended, each kept only if the validation photos are
    classified no worse:

    1. "probe": logistic regression on cached features; its penalty is chosen on validation.
    2. "partial": the last stage of the network, from features cached at the freeze boundary, with
       AdamW, one epoch of warm-up, cosine decay, label smoothing 0.1, the best epoch's weights.
    3. "full": the whole network, at a tenth of the rate.

    Where it is asked for, or the recipe has a hidden layer, "head" comes after the probe: the
    classifier is trained as in 2., from the probe's cached features; one with a hidden layer, which
    starts at random, at ten times the rate.

    Batch normalisation stays frozen, to the bit. "auto" chooses how far to go by lecture note 3's
    table (`kc.transfer.plan`). Test photos are used once, at the end.

    Args:
        data: `ImageData`, e.g. `kc.data.from_directory("photos/", 224)`.
        backbone: name (`kc.transfer.list_backbones()`), or a flat functional or Sequential
            `keras.Model` from raw photos 0-255 to features (N, F).
        strategy: "auto", "probe", "head", "partial" or "full".
        weights: "imagenet", None or the path of a weights file; for a named backbone.
        epochs: int >= 1, of each training stage.
        learning_rate: float > 0. Peak rate of the partial stage.
        views: "auto" (mirrored photos are added if the probe's validation loss falls), or
            int >= 1: that many augmented views, see `kc.data.view`.
        class_weight: "auto" ("balanced" if the largest class has over 10 times the photos of the
            smallest), "balanced", or None.
        engine, precision: what runs the frozen part; see `kc.transfer.extract_features`.
        seed: int. Order of the photos, choice of views and what the head begins with. Python's and
            NumPy's generators are afterwards as they were; Keras's, of layers without a seed of
            their own, goes on from it.
        recipe: `Recipe` (batch size, weight decay, dropout, a hidden layer, how many stages, ...),
            a dict of its fields, or None for the default one.
        distribute: "none", or "mirrored": training by gradients uses all devices of this machine
            (`kc.distribute.mirrored`), each for a part of every batch.
        compute: "default", or "auto": before each stage of training by gradients half a minute
            goes into measuring what trains it fastest here (`kc.tune_compute`); report and
            config.json say what was chosen. The saved model is float32.
        output: path of a run folder to write (see `Result.save`), or None.
        checkpoints: path of a folder, or None: in `<output>.partial`, if there is an output. A call
            that was stopped at any moment continues from there when it is made again. Each call has
            a folder of its own in it, which stays if you named it; nothing else in it is touched.
        verbose: bool. Progress on stderr.

    Returns:
        `Result`; `result.model` is a plain `keras.Model` from raw photos to probabilities, with
        preprocessing inside, which opens without kerascnn if the backbone is of Keras.

    Raises:
        InputError: an argument cannot be used; the message says which and what is possible.

    >>> data = kc.data.from_directory("photos/", 224)  # doctest: +SKIP
    >>> result = finetune(data, backbone="MobileNetV2")  # doctest: +SKIP
    >>> result.model.predict(uint8_photos)  # doctest: +SKIP
    """
    if not isinstance(data, ImageData):
        raise InputError(
            "Fine-tuning needs ImageData (kc.data.from_directory, from_tfds, from_arrays). "
            f"Received: {type(data).__name__}."
        )
    check_training(strategy, epochs, learning_rate, seed, views, class_weight)
    check_engine(engine, precision)
    check_distribute(distribute)
    check_compute(compute, distribute, is_reproducible())
    recipe = checked_recipe(recipe, strategy)
    named = isinstance(backbone, str)
    config = {
        "strategy": strategy, "epochs": int(epochs), "learning_rate": float(learning_rate),
        "views": views if views == "auto" else int(views), "class_weight": class_weight,
        "engine": engine, "precision": precision, "seed": int(seed),
        "backbone": backbone if named else backbone.name,
        "weights": str(weights) if named and weights else None, "reproducible": is_reproducible(),
        "recipe": dataclasses.asdict(recipe), "distribute": distribute, "compute": compute,
    }  # fmt: skip
    if output is None:
        return Job(data, config, recipe, verbose, checkpoints).run(backbone, weights)
    with run_folder(output) as folder:  # refused now rather than after the training
        job = Job(data, config, recipe, verbose, checkpoints or folder / CHECKPOINTS)
        result = job.run(backbone, weights)
        result.write(folder)
    return result
