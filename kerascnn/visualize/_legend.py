"""A legend whose names stand as they are."""


def add_legend(axes, handles, names, **options):
    """Add a legend for `handles`; also of names that begin with "_" or hold "$"."""
    # Of itself matplotlib may leave out the first and typesets the second.
    legend = axes.legend(handles, [str(i) for i in range(len(handles))], frameon=False, **options)
    for text, name in zip(legend.get_texts(), names):
        text.set(text=name, parse_math=False)
