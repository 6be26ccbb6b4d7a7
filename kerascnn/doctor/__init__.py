"""Checks of a model and its training, before, during and after: numbers, and what they mean."""

from kerascnn.doctor._finding import Diagnosis, Finding
from kerascnn.doctor.initialization import LayerStart, audit_initialization

__all__ = ["Diagnosis", "Finding", "LayerStart", "audit_initialization"]
