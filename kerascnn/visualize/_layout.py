"""Where the boxes of a directed graph stand: rows by longest path, branches side by side.

Nodes are 0 .. n-1; `sources[i]` are the nodes that node i reads, all of them smaller than i.
"""

import numpy as np
from scipy.optimize import nnls

BEND_WIDTH = 0.1  # inches that an arrow takes where it passes a row of boxes
GAP = 0.2  # inches between boxes of a row


def place(sources, widths):
    """Rows and horizontal centres of the nodes, and where the arrows pass the rows between.

    A row holds what is equally far from the start; a branch shorter than its neighbours stands in
    the middle of its range. Boxes in line stay in line, branches stand in the order in which their
    join reads them, and what forks or joins stands in the middle: least squares under the gaps of
    each row.

    Args:
        sources: list of lists of int, as in the module's first lines.
        widths: floats, of the boxes in inches.

    Returns:
        `(rows, centres, bends)`: list of int, list of float, and a dict from (source, target) to
        the [(row, centre)] of the rows between.
    """
    rows = _rows(sources)
    detours = _detours(sources, rows)
    widths = list(widths)
    sources, rows, bends = _with_bends(sources, rows)
    widths += [BEND_WIDTH] * (len(rows) - len(widths))
    # A detour is longer than a row, so it has bends; its ends hardly pull, its middle is straight.
    detours = {end for u, v in detours for end in ((u, bends[u, v][0]), (bends[u, v][-1], v))}
    chains = _chains(sources, detours)
    centres = _centres(sources, rows, widths, chains, detours)
    count = len(rows) - sum(map(len, bends.values()))
    passed = {edge: [(rows[i], centres[i]) for i in nodes] for edge, nodes in bends.items()}
    return rows[:count], centres[:count], passed


def _pairs(nodes):
    return list(zip(nodes, nodes[1:]))


def _readers(sources):
    readers = [[] for _ in sources]
    for node, read in enumerate(sources):
        for source in read:
            readers[source].append(node)
    return readers


def _rows(sources):
    """The middle between the first and the last row that a node may have."""
    readers, first = _readers(sources), []
    for read in sources:
        first.append(max((first[source] + 1 for source in read), default=0))
    last = list(first)  # of an output, which has no readers, it is the first
    for node in reversed(range(len(sources))):
        if readers[node]:
            last[node] = min(last[reader] for reader in readers[node]) - 1
    return [(a + b) // 2 for a, b in zip(first, last)]


def _detours(sources, rows):
    """The edges beside which a longer path leads to the same node, such as identity shortcuts."""
    found = set()
    for node, read in enumerate(sources):
        # What the sources of this node are computed from, no further back than the first of them.
        pending, behind, start = list(read), set(), min(read, default=0)
        while pending:
            new = {s for s in sources[pending.pop()] if s >= start} - behind
            behind |= new
            pending += new
        found |= {(source, node) for source in read if source in behind}
    return found


def _with_bends(sources, rows):
    """The graph with a node wherever an edge passes a row, so that edges lead one row down."""
    sources, rows, bends = [list(read) for read in sources], list(rows), {}
    for node in range(len(sources)):
        for place_, source in enumerate(sources[node]):
            passed = range(rows[source] + 1, rows[node])
            if passed:
                new = list(range(len(rows), len(rows) + len(passed)))
                bends[source, node] = new
                sources += [[a] for a in [source, *new[:-1]]]
                rows += passed
                sources[node][place_] = new[-1]
    return sources, rows, bends


def _chains(sources, detours):
    """The number of the straight line that each node is on: one way in, one way out."""
    main = [[s for s in read if (s, node) not in detours] for node, read in enumerate(sources)]
    readers, chains = _readers(main), [None] * len(sources)
    for start in range(len(sources)):
        node, line = start, []
        while chains[node] is None:  # up to a fork, a join or what is known
            line.append(node)
            if len(main[node]) != 1 or len(readers[main[node][0]]) != 1:
                break
            (node,) = main[node]
        known = chains[node]
        for member in line:
            chains[member] = start if known is None else known
    return chains


def _ranks(sources, detours):
    """Depth first from the outputs, inputs in the order in which they are read, detours last."""
    readers, ranks = _readers(sources), {}
    pending = [node for node in reversed(range(len(sources))) if not readers[node]]
    while pending:
        node = pending.pop()
        if node not in ranks:
            ranks[node] = len(ranks)
            read = reversed(sources[node])
            pending += sorted(read, key=lambda source, node=node: (source, node) not in detours)
    return ranks


def _centres(sources, rows, widths, chains, detours):
    names = sorted(set(chains))
    column = {name: i for i, name in enumerate(names)}
    chain = [column[name] for name in chains]
    width, rank = np.zeros(len(names)), np.full(len(names), np.inf)
    ranks = _ranks(sources, detours)
    for node, c in enumerate(chain):
        width[c], rank[c] = max(width[c], widths[node]), min(rank[c], ranks[node])
    gaps = set()
    for row in set(rows):
        gaps |= set(_pairs(sorted((c for c, r in zip(chain, rows) if r == row), key=rank.item)))
    gaps = np.array(sorted(gaps), int).reshape(-1, 2)
    pulls = [
        (chain[source], chain[node], 0.1 if (source, node) in detours else 1.0)
        for node, read in enumerate(sources)
        for source in read
        if chain[source] != chain[node]
    ]
    least = width[gaps].sum(axis=1) / 2 + GAP
    return [round(float(x), 4) for x in _solve(len(names), gaps, least, pulls)[chain]]


def _solve(count, gaps, least, pulls):
    """Positions x with gaps of at least `least` whose pulls, weight * (x_a - x_b), are smallest.

    Least squares under inequalities by way of a non-negative problem: Lawson and Hanson 1974,
    "Solving Least Squares Problems", ch. 23, problems LSI and LDP.
    """
    if not len(gaps):
        return np.zeros(count)
    pull = np.zeros((len(pulls) + count, count))
    for i, (a, b, weight) in enumerate(pulls):
        pull[i, a], pull[i, b] = weight, -weight
    pull[len(pulls) :] = 1e-3 * np.eye(count)  # nothing else says where the middle is
    step = np.zeros((len(gaps), count))
    step[np.arange(len(gaps)), gaps[:, 1]] = 1
    step[np.arange(len(gaps)), gaps[:, 0]] = -1
    inverse = np.linalg.inv(np.linalg.qr(pull, mode="r"))
    dual = np.vstack([(step @ inverse).T, least])
    goal = np.eye(count + 1)[-1]
    rest = dual @ nnls(dual, goal)[0] - goal
    return inverse @ (rest[:-1] / -rest[-1])
