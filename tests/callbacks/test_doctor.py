"""The doctor says what goes wrong once, keeps it through a kill, and changes nothing."""

import logging

import keras
import pytest

import kerascnn as kc
from kerascnn import InputError
from kerascnn.callbacks import Doctor
from tests.callbacks.runs import FLOATS, LABELS, KillAt, Killed, assert_same, ended, train

pytestmark = pytest.mark.thorough

L = keras.layers
DEAD = {"bias_initializer": keras.initializers.Constant(-1e9)}


def network(rate=0.01, activation="relu", **options):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((6, 6, 1)),
        L.Rescaling(1 / 255),
        L.Conv2D(8, 3, activation=activation, name="conv", **options),
        L.Dropout(0.2),
        L.Flatten(),
        L.Dense(3, "softmax", name="head"),
    ]
    model = keras.Sequential(layers)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        run_eagerly=True,  # starts at once
    )
    return model


def fitted(model, doctor, epochs=2, **options):
    model.fit(FLOATS, LABELS, batch_size=8, epochs=epochs, callbacks=[doctor], verbose=0, **options)
    return doctor


def checks(diagnosis, *severities):
    return {finding.check for finding in diagnosis if finding.severity in severities}


def test_it_says_a_problem_once(caplog):
    with caplog.at_level(logging.WARNING, "kerascnn"):
        doctor = fitted(network(**DEAD), Doctor((FLOATS, LABELS), every_steps=1), epochs=4)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith(
        "Doctor: 100 % of the ReLUs of 'conv' are 0 for every image of the batch (epoch 1, step 1)."
    )
    assert len(set(said)) == len(said) and sum("ReLUs of" in line for line in said) == 1
    assert "dead ReLUs" in checks(doctor.diagnosis, "problem")


def test_training_is_the_same_to_the_bit():
    results = []
    for callbacks in ([], [Doctor((FLOATS, LABELS), every_steps=1)], [Doctor(train())]):
        model = network()
        history = model.fit(FLOATS, LABELS, epochs=2, callbacks=callbacks, shuffle=False, verbose=0)
        results.append(ended(model, history))
    assert_same(results[1], results[0])
    assert_same(results[2], results[0])


def test_it_looks_early_and_then_at_its_interval(monkeypatch):
    steps, look_at = [], Doctor._look_at

    def noted(self, kernels):
        steps.append(self._step)
        look_at(self, kernels)

    monkeypatch.setattr(Doctor, "_look_at", noted)
    fitted(network(), Doctor(every_steps=6), epochs=4)  # of 5 steps
    assert steps == [1, 2, 4, 6, 12, 18]


def test_without_images_the_rest_is_judged():
    doctor = fitted(network(rate=1e-9), Doctor(), epochs=4)
    assert "update ratio" in checks(doctor.diagnosis, "problem")
    assert not {"dead ReLUs", "gradients"} & {finding.check for finding in doctor.diagnosis}


@pytest.mark.parametrize(
    "make", [train, lambda: Batches(), lambda: dataset()], ids=["kc", "Keras", "tf"]
)
def test_every_kind_of_data(make):
    doctor = Doctor(make())
    network().fit(FLOATS, LABELS, callbacks=[doctor], verbose=0)
    assert "dead ReLUs" in checks(doctor.diagnosis, "fine")


class Batches(keras.utils.PyDataset):
    num_batches = 5

    def __getitem__(self, index):
        return FLOATS[8 * index : 8 * index + 8], LABELS[8 * index : 8 * index + 8]


def dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((FLOATS, LABELS)).batch(8)


class Endless(keras.utils.PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return Batches()[index % 5]


def test_data_without_an_end():
    """Its last batch cannot be compared with its first."""
    doctor = Doctor(Endless())
    network().fit(Endless(), steps_per_epoch=3, callbacks=[doctor], shuffle=False, verbose=0)
    assert "dead ReLUs" in checks(doctor.diagnosis, "fine")
    assert "order" not in {finding.check for finding in doctor.diagnosis}


def test_a_run_that_was_killed_remembers(tmp_path):
    """What it found, said and counted is what it would be without the kill."""

    def run(folder, kill=None):
        doctor = Doctor((FLOATS, LABELS), every_steps=2)
        resume = kc.callbacks.Resume(folder, train(), [doctor], every=1)
        callbacks = [resume, KillAt(*kill)] if kill else [resume]
        network(rate=1e-9, **DEAD).fit(
            resume.data, epochs=4, callbacks=callbacks, shuffle=False, verbose=0,
            initial_epoch=resume.initial_epoch,
        )  # fmt: skip
        return doctor.get_state(), doctor.diagnosis

    expected = run(tmp_path / "a")
    with pytest.raises(Killed):
        run(tmp_path / "b", (1, 2))
    assert run(tmp_path / "b") == expected


def test_it_can_watch_a_second_fit():
    doctor = fitted(network(**DEAD), Doctor((FLOATS, LABELS)), epochs=1)
    assert "dead ReLUs" in checks(doctor.diagnosis, "problem")
    assert "dead ReLUs" in checks(fitted(network(), doctor, epochs=1).diagnosis, "fine")


def test_penalties_are_no_high_start():
    penalty = {"kernel_regularizer": keras.regularizers.L2(50.0)}
    doctor = fitted(network(rate=0.0, **penalty), Doctor(), epochs=1)
    assert "loss at start" in checks(doctor.diagnosis, "fine")


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"steps_per_execution": 2}])
def test_with_other_steps(options):
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy", **options)
    doctor = fitted(model, Doctor((FLOATS, LABELS)))
    assert "gradients" in checks(doctor.diagnosis, "fine")


def test_models_that_are_built_by_their_first_step():
    model = keras.Sequential([L.Flatten(), L.Dense(4, "relu"), L.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    doctor = fitted(model, Doctor((FLOATS, LABELS)))
    assert "gradients" in {finding.check for finding in doctor.diagnosis}


def test_tensorboard_shows_what_was_seen(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fitted(network(), Doctor((FLOATS, LABELS), log_dir=tmp_path), epochs=2)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {
        "loss", "dead/conv", "gradients/conv/kernel", "update_ratio/head/kernel",
        "epoch/loss", "epoch/accuracy", "epoch/learning_rate",
    } <= tags  # fmt: skip
    assert [event.step for event in events.Tensors("loss")] == [1, 2, 4, 8]
    (rate, _) = (event.tensor_proto.float_val[0] for event in events.Tensors("epoch/learning_rate"))
    assert rate == pytest.approx(0.01)


@pytest.mark.parametrize("every_steps", [0, 1.5, None])
def test_the_interval_is_a_number_of_steps(every_steps):
    with pytest.raises(InputError, match="every_steps must be an int >= 1"):
        Doctor(every_steps=every_steps)


@pytest.mark.parametrize("batch", [(FLOATS,), [FLOATS] * 4])
def test_a_batch_has_labels(batch):
    with pytest.raises(InputError, match=r"A batch is \(x, y\)"):
        fitted(network(), Doctor(batch))


def test_weights_near_the_largest_number_are_a_rate_too_high():
    """Their squares are infinite, which is no reason to stop with a warning of NumPy's."""
    doctor = fitted(network(rate=1e30), Doctor((FLOATS, LABELS)), epochs=2)
    assert {"loss", "weights", "update ratio"} & checks(doctor.diagnosis, "problem")


def test_beside_larger_batches_waiting_is_no_loss_of_zero():
    """5 steps, of which the second and fourth train on two batches and the fifth on one."""
    model, growth = network(), kc.callbacks.BatchSizeGrowth([1], 2)
    doctor = Doctor(every_steps=1)
    model.fit(
        FLOATS, LABELS, batch_size=8, initial_epoch=1, epochs=3, callbacks=[doctor, growth],
        verbose=0,
    )  # fmt: skip
    state = doctor.get_state()
    assert state["start"] > 0.5 and state["step"] == 10
    assert len(state["ratios"]) == 6 and min(state["ratios"]) > 0
    assert not {"loss at start", "loss"} & checks(doctor.diagnosis, "problem", "warning")
