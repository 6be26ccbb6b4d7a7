"""Callbacks for `fit`: learning rates, batch sizes, averages, and runs that cannot be lost.

All but the range test keep their state in a run that `Resume` continues. Of Keras's own,
`EarlyStopping`, `ReduceLROnPlateau`, `ModelCheckpoint`, `CSVLogger`, `SwapEMAWeights` and
`TensorBoard` do so too.
"""

from kerascnn.callbacks.batch_size_growth import BatchSizeGrowth
from kerascnn.callbacks.bold_driver import BoldDriver
from kerascnn.callbacks.diagonal_curvature import DiagonalCurvature
from kerascnn.callbacks.divergence_restart import DivergenceRestart
from kerascnn.callbacks.doctor import Doctor
from kerascnn.callbacks.gradual_unfreezing import GradualUnfreezing
from kerascnn.callbacks.late_penalty import LatePenalty
from kerascnn.callbacks.learning_rate_logger import LearningRateLogger
from kerascnn.callbacks.learning_rate_range_test import LearningRateRangeTest
from kerascnn.callbacks.nan_watch import NaNWatch
from kerascnn.callbacks.plateau_rollback import PlateauRollback
from kerascnn.callbacks.resume import Resume
from kerascnn.callbacks.snapshots import Snapshots
from kerascnn.callbacks.stochastic_weight_averaging import StochasticWeightAveraging

__all__ = [
    "BatchSizeGrowth",
    "BoldDriver",
    "DiagonalCurvature",
    "DivergenceRestart",
    "Doctor",
    "GradualUnfreezing",
    "LatePenalty",
    "LearningRateLogger",
    "LearningRateRangeTest",
    "NaNWatch",
    "PlateauRollback",
    "Resume",
    "Snapshots",
    "StochasticWeightAveraging",
]
