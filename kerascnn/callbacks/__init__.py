"""Callbacks for `fit`: a run that continues after any end, and one that stops at a NaN."""

from kerascnn.callbacks.late_penalty import LatePenalty
from kerascnn.callbacks.nan_watch import NaNWatch
from kerascnn.callbacks.resume import Resume

__all__ = ["LatePenalty", "NaNWatch", "Resume"]
