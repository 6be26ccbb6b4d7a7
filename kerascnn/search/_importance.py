"""Which hyperparameters a search's scores depend on."""

import numpy as np

from kerascnn._errors import InputError

__all__ = ["importance"]

_FEWEST = 10  # trials that anything can be said about
_FOLDS, _TREES = 5, 100
_DRAWS = 10  # other values that each held-out trial gets


def importance(trials):
    """The share of the scores' variance that each hyperparameter explains.

    Random forests learn the score from the values of four fifths of the trials. In the others one
    hyperparameter's value is exchanged for those of other trials, and its share is what that adds
    to the squared error, over twice the variance of the scores: for a sum of independent effects
    the variance of its own effect, and in an interaction each one concerned has the whole of it
    (the total effect of Homma and Saltelli 1996). What noise decides, or more trials would tell,
    is nobody's share, so they need not sum to 1.

    A hyperparameter that some trials do not have is exchanged among those that have it: that
    another one turns it on is not its merit. Source: Breiman 2001, "Random Forests", Sec. 10.
    Differs: trials that no forest has seen, in place of those that one of its trees has not.

    Args:
        trials: list of dicts with "values" ({hyperparameter: value}) and "score", as
            `kerascnn.search.trials` returns; those without a finite score are left out.

    Returns:
        {hyperparameter: share}, floats from 0 to about 1, the largest first; 0 for one that has the
        same value in all trials. The same trials give the same shares.

    Raises:
        InputError: there are fewer trials with a score than ten, or than twice the hyperparameters
            that vary.

    >>> rows = [{"values": {"rate": i / 20, "size": 3 + 2 * (i % 2)}, "score": i**2 / 400}
    ...         for i in range(20)]
    >>> shares = importance(rows)
    >>> list(shares), shares["rate"] > 0.5
    (['rate', 'size'], True)
    """
    rows = [row for row in trials if row["score"] is not None and np.isfinite(row["score"])]
    names = list(dict.fromkeys(name for row in rows for name in row["values"]))
    columns = {name: _column([row["values"].get(name) for row in rows]) for name in names}
    vary = [name for name in names if len(np.unique(columns[name][0])) > 1]
    if len(rows) < max(_FEWEST, 2 * len(vary)):
        raise InputError(
            f"{len(rows)} trials with a score are too few to tell the importance of {len(vary)} "
            f"hyperparameters: it takes {max(_FEWEST, 2 * len(vary))}."
        )
    y = np.array([row["score"] for row in rows], float)
    shares = dict.fromkeys(names, 0.0)
    if vary and y.std() > 0:
        x, active = (np.stack([columns[name][i] for name in vary], axis=1) for i in (0, 1))
        shares |= dict(zip(vary, _shares(x, active, y)))
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _column(values):
    """(floats, whether each trial has it); the usual value in place of what is not there.

    A value of its own would tell the forest which value its parent has.
    """
    active = np.array([value is not None for value in values])
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) for value in known):
        numbers = np.array(known, float)
    else:
        levels = sorted(set(map(str, known)))
        numbers = np.array([levels.index(str(value)) for value in known], float)
    column = np.full(len(values), np.sort(numbers)[len(numbers) // 2])
    column[active] = numbers
    return column, active


def _shares(x, active, y):
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import KFold

    rng, rises = np.random.default_rng(0), np.zeros(x.shape[1])
    for fit, held in KFold(_FOLDS, shuffle=True, random_state=0).split(x):
        forest = RandomForestRegressor(_TREES, random_state=0).fit(x[fit], y[fit])
        error = np.mean((forest.predict(x[held]) - y[held]) ** 2)
        for i in range(x.shape[1]):
            rows = np.tile(x[held], (_DRAWS, 1))
            has = np.tile(active[held, i], _DRAWS)
            rows[has, i] = rng.choice(x[active[:, i], i], has.sum())
            rises[i] += np.mean((forest.predict(rows) - np.tile(y[held], _DRAWS)) ** 2) - error
    return np.maximum(rises / _FOLDS / (2 * y.var()), 0.0).tolist()
