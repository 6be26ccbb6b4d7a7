"""Placing boxes: by hand, against another solver, and what must hold for any graph."""

import numpy as np
import pytest
from scipy.optimize import minimize

from kerascnn.visualize._layout import GAP, _solve, place

CHAIN = [[], [0], [1], [2]]
FORK = [[], [0], [0], [0], [0], [1, 2, 3, 4]]  # as in an inception module
SKIP = [[], [0], [1], [0, 2], [3], [4], [3, 5]]  # two residual blocks
FRACTAL = [[], [0], [0], [0], [1], [2, 4], [5], [5], [6], [3, 7, 8]]  # three columns


def test_boxes_in_line_stay_in_line():
    rows, centres, bends = place(CHAIN, [1, 3, 2, 1])
    assert rows == [0, 1, 2, 3]
    assert len(set(centres)) == 1
    assert not bends


def test_branches_stand_side_by_side_in_the_order_of_their_join():
    rows, centres, _ = place(FORK, [1.0] * 6)
    assert rows == [0, 1, 1, 1, 1, 2]
    step = 1 + GAP
    assert centres == pytest.approx([0, -1.5 * step, -0.5 * step, 0.5 * step, 1.5 * step, 0])
    _, turned, _ = place(FORK[:5] + [[4, 3, 2, 1]], [1.0] * 6)
    assert turned[1:5] == pytest.approx(centres[1:5][::-1])


def test_shortcuts_go_around_a_straight_main_path():
    rows, centres, bends = place(SKIP, [1.0] * 7)
    assert rows == list(range(7))
    assert len(set(centres)) == 1
    assert set(bends) == {(0, 3), (3, 6)}
    for (source, target), passed in bends.items():
        assert [row for row, _ in passed] == list(range(source + 1, target))
        assert all(abs(x - centres[0]) > 0.5 for _, x in passed)  # beside boxes of width 1
        assert len({x for _, x in passed}) == 1


def test_shortcuts_pass_to_the_right_of_all_branches():
    """As in a ResNeXt block with its paths written out: fork, three paths, their sum, out."""
    sources = [[], [0], [0], [0], [1, 2, 3], [0, 4]]
    _, centres, bends = place(sources, [1.0] * 6)
    assert len(bends[0, 5]) == 2
    assert all(x > max(centres) + 0.5 for _, x in bends[0, 5])
    assert centres[4] == centres[5]
    assert centres[4] == pytest.approx(centres[2], abs=0.02)


def test_short_branches_stand_in_the_middle_and_columns_apart():
    rows, centres, _ = place(FRACTAL, [1.0] * 10)
    assert rows == [0, 1, 1, 3, 2, 3, 4, 4, 5, 6]
    shallow, middle, deep = centres[3], (centres[2], centres[7]), (centres[1], centres[4])
    assert rows[3] == (rows[0] + rows[9]) // 2
    assert shallow < min(middle) and max(middle) < min(deep)
    assert deep[0] == deep[1]


def test_heads_stay_near_what_they_read():
    """A second output is drawn at its first possible row, not at the bottom."""
    rows, _, _ = place([[], [0], [1], [2], [0]], [1.0] * 5)
    assert rows == [0, 1, 2, 3, 1]


@pytest.mark.parametrize("seed", range(30))
def test_any_graph_is_drawn_downwards_without_overlap(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 25))
    sources = [[]] + [
        sorted(set(rng.integers(0, node, rng.integers(1, 4)).tolist())) for node in range(1, count)
    ]
    widths = rng.uniform(0.5, 2, count).tolist()
    rows, centres, bends = place(sources, widths)
    edges = {(s, t): rows[t] - rows[s] for t, read in enumerate(sources) for s in read}
    assert all(step >= 1 for step in edges.values())
    assert {edge: len(passed) for edge, passed in bends.items()} == {
        edge: step - 1 for edge, step in edges.items() if step > 1
    }
    spans = [(r, x - w / 2, x + w / 2) for r, x, w in zip(rows, centres, widths)]
    spans += [(r, x, x) for passed in bends.values() for r, x in passed]
    for row in set(rows):
        inside = sorted((left, right) for r, left, right in spans if r == row)
        assert all(a[1] <= b[0] for a, b in zip(inside, inside[1:]))


@pytest.mark.parametrize("seed", range(5))
def test_solution_is_that_of_another_solver(seed):
    rng = np.random.default_rng(seed)
    gaps = np.array([[0, 1], [1, 2], [3, 4], [0, 4]])
    least = rng.uniform(0.5, 2, len(gaps))
    pulls = [(0, 3), (1, 4), (2, 5), (0, 5), (5, 4)]
    pulls = [(a, b, weight) for (a, b), weight in zip(pulls, rng.uniform(0.5, 2, len(pulls)))]

    def cost(x):
        return sum((w * (x[a] - x[b])) ** 2 for a, b, w in pulls) + 1e-6 * (x**2).sum()

    ours = _solve(6, gaps, least, pulls)
    kept = {"type": "ineq", "fun": lambda x: x[gaps[:, 1]] - x[gaps[:, 0]] - least}
    other = minimize(cost, ours + rng.normal(size=6), constraints=kept, options={"ftol": 1e-12})
    assert (kept["fun"](ours) > -1e-9).all()
    assert cost(ours) <= other.fun * (1 + 1e-6)
