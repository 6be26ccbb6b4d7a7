"""The lines of a search."""

import keras_tuner

from kerascnn.search._progress import Progress


def trial():
    values = keras_tuner.HyperParameters()
    values.Float("rate", 0.001, 1.0, default=0.01)
    values.Choice("kind", ["a", "b"])
    values.values |= {"rate": 0.1234567, "tuner/epochs": 3, "tuner/bracket": 1}
    return keras_tuner.engine.trial.Trial(values, "0004")


def test_a_line_says_what_differs_and_what_is_best(capsys):
    progress = Progress(True, "val_accuracy")
    done = {"status": "COMPLETED", "score": 0.81234, "seconds": 12.34, "message": ""}
    progress.trial(trial(), done, ("0002", 0.9))
    progress.trial(trial(), {"status": "FAILED", "message": "a\nb", "seconds": 0.1}, None)
    assert capsys.readouterr().err.splitlines() == [
        "trial 0004  rate=0.123 tuner/epochs=3  val_accuracy 0.8123  best 0.9000 (0002)  12.3 s",
        r"trial 0004  rate=0.123 tuner/epochs=3  failed: a\nb  0.1 s",
    ]


def test_epochs_show_on_a_terminal_only(capsys, monkeypatch):
    Progress(True, "loss").epoch("0001", 0, {"loss": 1.0})
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    Progress(True, "loss").epoch("0001", 0, {"loss": 1.0})
    Progress(True, "loss").epoch("0001", 1, {})
    Progress(False, "loss").epoch("0001", 2, {})
    assert capsys.readouterr().err == (
        "\r\033[Ktrial 0001: epoch 1, loss 1.0000\r\033[Ktrial 0001: epoch 2"
    )


def test_quiet(capsys):
    Progress(False, "loss").say("Stopped.")
    assert capsys.readouterr().err == ""
