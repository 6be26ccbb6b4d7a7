"""One self-contained HTML page about a run: results, mistakes, data, time. No JavaScript."""

from kerascnn.report._render import percent, render, seconds, write

__all__ = ["percent", "render", "seconds", "write"]
