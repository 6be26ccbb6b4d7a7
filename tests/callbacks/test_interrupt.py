"""Ctrl-C once finishes the step and saves, twice stops at once; outside of `fit` it is Python's."""

import gc
import signal
import threading

import keras
import pytest

from kerascnn.callbacks import Resume, _checkpoint
from kerascnn.callbacks._interrupt import Interrupt
from tests.callbacks.runs import (
    FLOATS,
    LABELS,
    Killed,
    assert_same,
    compiled,
    fit,
    train,
)


class Press(keras.callbacks.Callback):
    """Sends signals to this process at a hook."""

    def __init__(self, hook, *numbers, epoch=0, batch=1):
        super().__init__()
        self.numbers, self.epoch_of, self.batch_of = numbers, epoch, batch
        setattr(self, hook, self.press)

    def press(self, number, logs=None):
        if self.numbers and number == self.batch_of:
            numbers, self.numbers = self.numbers, ()
            for one in numbers:
                signal.raise_signal(one)


def names(folder):
    return [path.name[:22] for path in _checkpoint.listed(folder)]


@pytest.fixture(autouse=True)
def handlers():
    """Every test leaves the signals as they were. A job in the background begins without Ctrl-C."""
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    yield before
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    signal.signal(signal.SIGINT, outside)


INT, TERM = signal.SIGINT, signal.SIGTERM
MOMENTS = {  # hook: what is saved then
    "on_train_batch_begin": "epoch-0000-step-000002",
    "on_train_batch_end": "epoch-0000-step-000002",
    "on_test_batch_end": "epoch-0001-step-000000",
    "on_epoch_end": "epoch-0002-step-000000",
}


@pytest.mark.thorough
@pytest.mark.parametrize("hook", MOMENTS)
def test_once_it_finishes_the_step_and_saves(hook, tmp_path, capfd):
    more = {"validation_data": (FLOATS, LABELS)}
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "a", callbacks=lambda: [Press(hook, INT)], every="epoch", **more)
    assert names(tmp_path / "a")[0] == MOMENTS[hook]
    said = capfd.readouterr().err
    assert "Finishing this step, then saving. Once more to stop at once, without saving." in said
    newest = _checkpoint.listed(tmp_path / "a")[0]
    assert f"Stopped. The same again continues from {newest}." in said
    result = fit(tmp_path / "a", callbacks=lambda: [Press(hook)], seed=1, **more)
    assert_same(result, fit(tmp_path / "b", callbacks=lambda: [Press(hook)], **more))


def test_sigterm_ends_the_process_in_the_same_way(tmp_path, capfd):
    with pytest.raises(SystemExit) as caught:
        fit(tmp_path, callbacks=lambda: [Press("on_train_batch_end", TERM)], every="epoch")
    assert caught.value.code == 128 + TERM
    assert names(tmp_path) == ["epoch-0000-step-000002"]


def test_twice_it_stops_at_once_without_damage(tmp_path, capfd):
    press = [Press("on_train_batch_end", INT, INT, batch=2)]
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, callbacks=lambda: press, every=2)
    assert names(tmp_path) == ["epoch-0000-step-000002"]
    assert "Stopped" not in capfd.readouterr().err
    assert_same(
        fit(tmp_path, callbacks=lambda: [Press("on_train_batch_end")], seed=1),
        fit(tmp_path / "b", callbacks=lambda: [Press("on_train_batch_end")]),
    )


def test_while_batches_are_passed_over(tmp_path, capfd):
    with pytest.raises(Killed):
        fit(tmp_path, kill=(0, 2), every=2)
    resume = Resume(tmp_path, train(), every="epoch")
    press = Press("on_train_batch_begin", INT, batch=0)
    with pytest.raises(KeyboardInterrupt):
        compiled()().fit(resume.data, callbacks=[resume, press], shuffle=False, verbose=0)
    assert names(tmp_path)[0] == "epoch-0000-step-000003"


def test_after_the_last_epoch(tmp_path, capfd):
    press = Press("on_train_end", INT)
    press.batch_of = None  # its logs come first
    press.on_train_end = lambda logs=None: press.press(None)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, callbacks=lambda: [press])
    assert names(tmp_path)[0] == "epoch-0002-step-000000"


def test_without_a_checkpoint_it_says_so(tmp_path, capfd):
    """Data that does not know its position has none within an epoch."""
    resume, press = Resume(tmp_path), Press("on_train_batch_end", INT)
    with pytest.raises(KeyboardInterrupt):
        compiled()().fit(FLOATS, LABELS, batch_size=8, callbacks=[resume, press], verbose=0)
    assert names(tmp_path) == []
    assert "continues at the beginning: there is no checkpoint yet." in capfd.readouterr().err


@pytest.mark.thorough
def test_outside_of_fit_it_is_pythons(tmp_path, handlers):
    """`fit` ended by an error, so `Resume` could not take its hands off; then all are gone."""
    for _ in range(2):
        with pytest.raises(Killed):
            fit(tmp_path, kill=(0, 2))
    assert signal.getsignal(INT) != handlers[0]
    gc.collect()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(INT)
    assert signal.getsignal(INT) == handlers[0]
    with pytest.raises(Killed):
        fit(tmp_path, kill=(0, 3))
    fit(tmp_path)


def test_an_aborted_fit_leaves_no_chain_of_handlers(tmp_path, handlers):
    for _ in range(3):
        with pytest.raises(Killed):
            fit(tmp_path, kill=(0, 2))
    assert signal.getsignal(INT).__self__._before[INT] == handlers[0]
    fit(tmp_path)


def test_another_models_fit_is_not_ours(tmp_path, capfd):
    with pytest.raises(Killed):
        fit(tmp_path, kill=(0, 2))
    with pytest.raises(KeyboardInterrupt):
        compiled()().fit(FLOATS, LABELS, callbacks=[Press("on_epoch_end", INT, batch=0)], verbose=0)
    assert "Finishing" not in capfd.readouterr().err


def test_in_another_thread_signals_are_left_alone(tmp_path, handlers):
    found = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found.append(signal.getsignal(INT))

    thread = threading.Thread(target=fit, args=[tmp_path], kwargs={"callbacks": lambda: [Look()]})
    thread.start()
    thread.join()
    assert found == 2 * [handlers[0]] and len(names(tmp_path)) == 2


def test_a_fit_of_the_users_own():
    class Own(keras.Sequential):
        def fit(self, *args, **options):
            return super().fit(*args, **options)

    model = compiled(lambda: Own([keras.Input((6, 6, 1)), keras.layers.Flatten()]))()
    interrupt = Interrupt(model)

    class Look(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            interrupt.install()
            signal.raise_signal(INT)

    model.fit(FLOATS, FLOATS.reshape(40, 36), callbacks=[Look()], verbose=0, epochs=0)
    assert interrupt.requested == INT
    interrupt.remove()
