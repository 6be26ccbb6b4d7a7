"""One self-contained HTML page about a run: results, mistakes, data, time. No JavaScript."""

from kerascnn.report._render import render, write

__all__ = ["render", "write"]
