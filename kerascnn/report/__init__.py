"""One self-contained HTML page about a run: results, mistakes, data, time. No JavaScript."""

from kerascnn.report._format import percent, seconds
from kerascnn.report._render import render, write
from kerascnn.report.pictures import thumbnail

__all__ = ["percent", "render", "seconds", "thumbnail", "write"]
