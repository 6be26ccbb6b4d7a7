"""The rounds: what is pruned, what it rewinds to, and that a run which was killed ends the same."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from kerascnn import InputError
from kerascnn.lottery import Ticket, find_tickets, kept

pytestmark = pytest.mark.thorough

L = keras.layers


def digits():
    data = load_digits()
    return data.images.reshape(-1, 64).astype("float32") / 16, data.target


IMAGES, LABELS = digits()


def build():
    layers = [L.Dense(40, "relu", name="hidden"), L.Dense(10, "softmax", name="output")]
    model = keras.Sequential([keras.Input((64,)), *layers])
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.02), loss, metrics=["accuracy"], run_eagerly=True)
    return model


def train(model):
    model.fit(IMAGES[:1200], LABELS[:1200], batch_size=120, epochs=3, verbose=0)
    loss, accuracy = model.evaluate(IMAGES[1200:], LABELS[1200:], verbose=0)
    return {"accuracy": accuracy, "loss": loss}


OPTIONS = {"rounds": 2, "fraction": {"output": 0.25, "*": 0.5}, "scope": "layer"}


@pytest.fixture(scope="module")
def tickets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tickets")
    return list(find_tickets(build, train, folder, control=True, **OPTIONS))


def weights(path):
    return keras.models.load_model(path / "model.keras", compile=False).get_weights()


def start(ticket):
    with np.load(ticket.folder.parent / "start.npz") as file:
        return [file[name] for name in file]


def test_each_round_keeps_its_share_and_prunes_the_smallest_of_the_round_before(tickets):
    assert [ticket.round for ticket in tickets] == [0, 1, 2]
    for i, ticket in enumerate(tickets):
        expected = {"hidden/kernel": 2560 * 0.5**i, "output/kernel": 400 * 0.75**i}
        assert {name: mask.sum() for name, mask in ticket.masks.items()} == expected
        assert ticket.kept == kept(ticket.masks)
    for before, after in zip(tickets, tickets[1:]):
        trained = dict(zip(("hidden/kernel", "output/kernel"), weights(before.folder)[::2]))
        for name, mask in after.masks.items():
            gone = before.masks[name] & ~mask
            assert abs(trained[name][gone]).max() <= abs(trained[name][mask]).min()


def test_saved_networks_are_the_tickets(tickets):
    for ticket in tickets:
        for kernel, mask in zip(weights(ticket.folder)[::2], ticket.masks.values()):
            assert (kernel[~mask] == 0).all() and (kernel[mask] != 0).mean() > 0.99


def test_they_rewind_to_the_start(tmp_path, tickets):
    """With training that does nothing the kept weights are those of the start."""
    folder = tmp_path / "tickets"
    for ticket in find_tickets(build, lambda model: {}, folder, rounds=1, fraction=0.5):
        for weight, first in zip(weights(ticket.folder), start(ticket)):
            mask = ticket.masks.get("hidden/kernel") if weight.shape == (64, 40) else None
            expected = first if mask is None else first * mask
            if weight.shape != (40, 10):
                np.testing.assert_array_equal(weight, expected)


def test_they_may_rewind_to_early_weights(tmp_path):
    def warm_up(model):
        model.get_layer("hidden").kernel.assign(np.full((64, 40), 7.0))

    (ticket,) = find_tickets(build, lambda m: {}, tmp_path / "a", rounds=0, warm_up=warm_up)
    assert (weights(ticket.folder)[0] == 7.0).all()


def test_the_tickets_learn_and_so_does_the_control_from_another_start(tickets):
    for ticket in tickets:
        assert ticket.metrics["accuracy"] > 0.7 and ticket.control["accuracy"] > 0.5
        assert ticket.control != ticket.metrics


class Killed(Exception):
    pass


@pytest.mark.slow
def test_a_run_that_was_killed_ends_the_same(tmp_path, tickets):
    """Killed in the second round; a round has two trainings, of the ticket and of the control."""
    moment = 2
    count = iter(range(100))

    def dies(model):
        if next(count) == moment:
            model.fit(IMAGES[:99], LABELS[:99], verbose=0)
            raise Killed
        return train(model)

    folder = tmp_path / "run"
    with pytest.raises(Killed):
        list(find_tickets(build, dies, folder, control=True, **OPTIONS))
    again = list(find_tickets(build, train, folder, control=True, **OPTIONS))
    for ticket, expected in zip(again, tickets, strict=True):
        assert ticket.metrics == pytest.approx(expected.metrics, abs=1e-4)
        assert ticket.control == pytest.approx(expected.control, abs=1e-4)
        for name, mask in ticket.masks.items():
            assert (mask == expected.masks[name]).mean() > 0.999
    assert next(count) == moment + 1  # what was done was not done again


def test_more_rounds_go_on(tmp_path):
    options = {"fraction": 0.5, "seed": 3}
    first = list(find_tickets(build, lambda m: {"done": 1}, tmp_path / "run", rounds=1, **options))
    more = list(find_tickets(build, lambda m: {"done": 2}, tmp_path / "run", rounds=2, **options))
    assert [ticket.metrics["done"] for ticket in [*first, *more]] == [1, 1, 1, 1, 2]


def test_numbers_of_numpy_are_settings_as_others(tmp_path):
    options = {"fraction": {"output": np.float32(0.25), "*": np.float64(0.5)}, "seed": np.int64(3)}
    (first,) = find_tickets(build, lambda m: {"done": 1}, tmp_path, rounds=0, **options)
    plain = {"fraction": {"output": 0.25, "*": 0.5}, "seed": 3}
    (again,) = find_tickets(build, lambda m: {"done": 2}, tmp_path, rounds=0, **plain)
    assert first.metrics == again.metrics == {"done": 1}


def test_train_may_return_what_fit_does(tmp_path):
    def fitted(model):
        found.append(model.fit(IMAGES[:99], LABELS[:99], epochs=2, verbose=0))
        return found[0]

    found = []
    (ticket,) = find_tickets(build, fitted, tmp_path, rounds=0)
    last = {name: values[-1] for name, values in found[0].history.items()}
    assert ticket.metrics == pytest.approx(last) and len(found[0].epoch) == 2


@pytest.mark.parametrize("result", [None, 0.9, [0.1, 0.9]])
def test_a_training_that_measures_nothing_is_said(tmp_path, result):
    kind = type(result).__name__
    with pytest.raises(InputError, match=f"`train` must return a dict.*Received: {kind}"):
        list(find_tickets(build, lambda m: result, tmp_path, rounds=0))


def test_other_settings_are_refused(tmp_path):
    list(find_tickets(build, lambda m: {}, tmp_path / "run", rounds=0, fraction=0.5))
    with pytest.raises(InputError, match=r"holds tickets of other settings.*'fraction': 0.5"):
        list(find_tickets(build, lambda m: {}, tmp_path / "run", rounds=0, fraction=0.2))


def test_a_control_from_the_same_weights_is_refused(tmp_path):
    def seeded():
        keras.utils.set_random_seed(0)
        return build()

    with pytest.raises(InputError, match="draws the same weights every time"):
        list(find_tickets(seeded, lambda m: {}, tmp_path / "run", rounds=0, control=True))


def test_a_ticket_is_what_was_kept():
    assert Ticket(1, {"a/kernel": np.array([True, False])}, {}, None, None).kept == 0.5
