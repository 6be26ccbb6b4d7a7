"""Which calls of a model read which, and what lies on the paths between two of them.

A call is known by its position in the list that `kerascnn.arithmetic` reads from a model.
"""

from kerascnn._errors import one_of


def sources_of(found):
    """Of each call the calls that it reads, those that only steer left out."""
    maker = {id(tensor): i for i, call in enumerate(found) for tensor in call.outputs}
    signals = [[t for t in call.inputs if len(t.shape) > 1] for call in found]
    return [list(dict.fromkeys(maker[id(t)] for t in tensors)) for tensors in signals]


def named(found, name, default):
    """The calls of the layer of this name."""
    if name is None:
        return default
    names = [call.name for call in found]
    one_of(name, names, "layer")
    return {i for i, other in enumerate(names) if other == name}


def inputs(found):
    return {i for i, call in enumerate(found) if not call.inputs}


def makers(found, tensors):
    wanted = {id(tensor) for tensor in tensors}
    return {i for i, call in enumerate(found) if any(id(t) in wanted for t in call.outputs)}


def between(sources, starts, ends):
    """{call: its sources} of all that is on a path from `starts` to `ends`, in order."""
    after, before = set(starts), set(ends)
    for i, read in enumerate(sources):
        if after.intersection(read):
            after.add(i)
    for i in reversed(range(len(sources))):
        if i in before:
            before |= set(sources[i])
    return {i: sources[i] for i in sorted(after & before)}
