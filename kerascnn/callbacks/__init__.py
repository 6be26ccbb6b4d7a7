"""Callbacks for `fit`: a run that continues after any end, and one that stops at a NaN."""

from kerascnn.callbacks.nan_watch import NaNWatch
from kerascnn.callbacks.resume import Resume

__all__ = ["NaNWatch", "Resume"]
