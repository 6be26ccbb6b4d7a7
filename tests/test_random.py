"""Draws depend on their key alone: not on the process, the machine, or what was drawn before."""

import collections
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerascnn import InputError, reproducible
from kerascnn._random import generator, is_reproducible, permutation, random_state_kept

ROOT = Path(__file__).parents[1]


def test_draws_are_pinned():
    """Another stream would silently change every order of every continued run."""
    assert permutation(10, 0, "order", 0).tolist() == [4, 6, 3, 5, 8, 2, 0, 7, 9, 1]
    assert generator(0, "view", "a", 2).integers(1000, size=4).tolist() == [661, 321, 501, 271]


def test_another_process_draws_the_same():
    code = (
        "from kerascnn._random import generator; print(generator(7, 'x', b'y').integers(1 << 60))"
    )
    draws = {
        int(subprocess.check_output([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}))
        for seed in ("1", "2")
    }
    assert draws == {int(generator(7, "x", b"y").integers(1 << 60))}


def test_no_history():
    first = generator(1, "a")
    first.random(1000), np.random.default_rng().random()
    assert generator(1, "a").random() == generator(1, "a").random() != first.random()


def test_every_part_of_a_key_counts():
    keys = [(), (0,), (1,), (0, 0), ("0",), (b"0",), ("a", "b"), ("ab",), ("b", "a"), ("a", "b", 0)]
    keys += [("a,b",), ("('a', 'b')",), (-1,), (10**30,), ("é",), ("\udcff",)]
    assert len({generator(*key).integers(1 << 62) for key in keys}) == len(keys)


def test_numpys_numbers_and_strings_are_the_plain_ones():
    plain = generator(3, "order", 5).random()
    assert generator(np.int64(3), np.str_("order"), np.uint8(5)).random() == plain


@pytest.mark.parametrize("part", [None, 0.5, (1, 2), np.arange(3)])
def test_a_key_that_would_not_print_exactly_is_refused(part):
    with pytest.raises(TypeError, match="ints, strs and bytes"):
        generator(0, part)


def test_orders_are_uniform():
    """Chi-square of the 24 orders of 4 things over 4,800 epochs; 23 degrees of freedom."""
    found = collections.Counter(tuple(permutation(4, 0, "order", e)) for e in range(4800))
    chi_square = sum((count - 200) ** 2 / 200 for count in found.values())
    assert len(found) == 24 and 8 < chi_square < 50  # 0.1 % on either side


def test_tiny_permutations():
    assert permutation(0, 1).tolist() == [] and permutation(1, 1).tolist() == [0]
    assert permutation(5, 1).dtype == np.int64


# reproducible: what it refuses and sets; what it promises is in tests/faults/test_reproducible.py


@pytest.mark.parametrize("seed", [-1, 2**32, 0.0, 1.5, True, None, "0", np.int64(0)])
def test_wrong_seeds_are_refused_and_nothing_is_set(seed):
    with pytest.raises(InputError) as caught:
        reproducible(seed)
    assert str(caught.value) == f"seed must be an int from 0 to 2**32 - 1. Received: {seed!r}."
    assert not is_reproducible()


JAX = """
import os
import random
import kerascnn as kc
from kerascnn import _random

kc.reproducible(2**32 - 1)
print(_random._jax_has_started(), os.environ["XLA_FLAGS"])
import keras, numpy, random
print(random.random(), numpy.random.rand(), float(keras.random.uniform(())))
print(_random._jax_has_started())
kc.reproducible(2**32 - 1)
print(random.random(), numpy.random.rand(), float(keras.random.uniform(())))
print(_random.is_reproducible(), os.environ["XLA_FLAGS"])
"""


@pytest.mark.thorough
def test_jax_gets_its_flag_once_and_all_generators_their_seed():
    pytest.importorskip("jax")
    variables = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=true"}
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    command = [sys.executable, "-c", JAX]
    output = subprocess.check_output(command, env=environment, text=True).splitlines()
    flags = "--xla_cpu_multi_thread_eigen=true --xla_gpu_deterministic_ops=true"
    assert [output[0], output[2], output[4]] == [f"False {flags}", "True", f"True {flags}"]
    assert output[1] == output[3]


def test_the_random_state_is_kept_also_after_an_error():
    random.seed(3)
    np.random.seed(3)
    with pytest.raises(OSError), random_state_kept():
        random.random()
        np.random.random(7)
        raise OSError
    after = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    assert after == (random.random(), np.random.random())
