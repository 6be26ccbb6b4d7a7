import keras
import numpy as np
import pytest

from kerascnn import InputError, tasks
from kerascnn.models import GoogLeNet
from kerascnn.tasks import auxiliary_heads, multi_class

ROWS = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


def three_outputs(units=4):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    return keras.Model(inputs, [keras.layers.Dense(units, "softmax")(inputs) for _ in range(3)])


def test_googlenet_has_its_weights():
    model = GoogLeNet(input_shape=(65, 65, 3), classes=4, aux_heads=True)
    heads = auxiliary_heads(model, multi_class(4))
    model.compile("sgd", heads.loss, loss_weights=heads.loss_weights, metrics=heads.metrics)
    x, y = np.zeros((2, 65, 65, 3)), heads.encode([0, 3])
    assert tasks.check(model, (x, y)) == []
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    main, *aux = (logs[f"{name}_loss"] for name in model.output_names)
    assert logs["loss"] == pytest.approx(main + 0.3 * sum(aux), rel=1e-5)
    assert [name for name in logs if name.endswith("accuracy")] == [
        "output_accuracy",
        "output_balanced_accuracy",
    ]


def test_the_first_output_decides():
    model, task = three_outputs(), multi_class(list("abcd"))
    heads = auxiliary_heads(model, task, weight=0.1)
    model.compile("sgd", heads.loss, loss_weights=heads.loss_weights)
    model.fit(ROWS, heads.encode(list("abcdabcd")), verbose=0)
    predictions = model.predict(ROWS, verbose=0)
    assert heads.decide(predictions).tolist() == task.decide(predictions[0]).tolist()
    assert heads.loss_weights == [1.0, 0.1, 0.1]


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"\(N, 5\) for this task. Received: .*\(None, 4\)"):
        auxiliary_heads(three_outputs(), multi_class(5))
    with pytest.raises(InputError, match="no list of outputs"):
        auxiliary_heads(
            keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)]), multi_class(4)
        )
    with pytest.raises(InputError, match="`weight` must be at least 0"):
        auxiliary_heads(three_outputs(), multi_class(4), weight=-0.3)
