"""The command that lists networks."""

import typer

from kerascnn._console import table
from kerascnn.cli._options import Json, print_json

__all__ = ["models"]


def models(json_: Json = False):
    """List the builders and the backbones: size, cost, depth, published error, weights.

    Example: kerascnn models --json
    """
    from kerascnn.overview import overview
    from kerascnn.transfer.backbones import list_backbones

    backbones = {(row.source, row.name): row for row in list_backbones()}
    networks = {(row.source, row.name): row for row in overview()}
    if json_:
        print_json([_network(row, backbones.get(key)) for key, row in networks.items()])
        return
    own = [row for row in networks.values() if row.source == "kerascnn"]
    typer.echo(f"Builders: kerascnn.models.NAME(weights=...)\n\n{_networks(own)}")
    start = [networks[key] for key in backbones if key in networks]
    typer.echo(f"\nBackbones: --backbone NAME --weights ...\n\n{_networks(start)}")
    typer.echo(
        "\npx: side of the input; params: those that train; MACs: multiply-adds, and bytes: of\n"
        "the activations (float32), for one image; depth: layers with kernels; top-1, top-5:\n"
        "published error in %, --json says where.\n"
        "* weights of another form of the network: --json says which."
    )


def _network(row, backbone):
    """What `kerascnn models --json` says of a network."""
    more = {"activation_bytes": row.activation_bytes, "weights": row.weights}
    return {**vars(row), **more, "backbone": backbone and vars(backbone)}


def _networks(rows):
    """A table, at most 100 columns wide."""
    columns = ["network", "px", "params", "MACs", "bytes", "depth", "data"]
    cells = [
        [
            row.name,
            row.input_shape[0],
            *map(_short, (row.parameters, row.multiply_adds, row.activation_bytes)),
            row.depth,
            row.data or "",
            *("" if e is None else str(e) for e in (row.top1_error, row.top5_error)),
            _weight_names(row),
        ]
        for row in rows
    ]
    return table([*columns, "top-1", "top-5", "weights"], cells)


def _weight_names(row):
    """Each name once, with a star if only another form of the network has weights of it."""
    first = {}
    for name in row.weights:
        first.setdefault(name.partition(" ")[0], "*" * ("(" in name))
    return ", ".join(name + star for name, star in first.items())


def _short(number):
    """Three digits and K, M or G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if number >= size:
            return f"{number / size:#.3g}".rstrip(".") + unit
    return str(number)
