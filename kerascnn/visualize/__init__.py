"""Pictures of networks and of what they see. Arrays and numbers are computed, then drawn apart."""

from kerascnn.visualize.activation_maximization import maximize_activation
from kerascnn.visualize.architecture import Arrow, Box, Drawing, graph_layout
from kerascnn.visualize.calibration import ReliabilityBin, reliability
from kerascnn.visualize.charts import plot_confusion, plot_embedding, plot_reliability
from kerascnn.visualize.deconvnet import deconvnet
from kerascnn.visualize.deep_dream import deep_dream
from kerascnn.visualize.embedding import embed
from kerascnn.visualize.feature_maps import feature_maps, plot_feature_maps
from kerascnn.visualize.filters import (
    first_layer_filters,
    first_layer_noise,
    first_layer_smoothness,
)
from kerascnn.visualize.grad_cam import grad_cam, grad_cam_plus_plus
from kerascnn.visualize.history import plot_history
from kerascnn.visualize.initialization import plot_initialization
from kerascnn.visualize.maps import plot_maps
from kerascnn.visualize.occlusion import occlusion
from kerascnn.visualize.pictures import plot_images
from kerascnn.visualize.plot import plot_graph, plot_stages
from kerascnn.visualize.rates import plot_range_test, plot_schedules
from kerascnn.visualize.resolutions import Slab, Stage, stage_layout, stages
from kerascnn.visualize.saliency import saliency, smooth_grad
from kerascnn.visualize.searches import plot_importance, plot_parallel_coordinates
from kerascnn.visualize.style_transfer import gram_matrix, style_transfer
from kerascnn.visualize.top_losses import TopLoss, plot_top_losses, top_losses

__all__ = [
    "Arrow",
    "Box",
    "Drawing",
    "ReliabilityBin",
    "Slab",
    "Stage",
    "TopLoss",
    "deconvnet",
    "deep_dream",
    "embed",
    "feature_maps",
    "first_layer_filters",
    "first_layer_noise",
    "first_layer_smoothness",
    "grad_cam",
    "grad_cam_plus_plus",
    "gram_matrix",
    "graph_layout",
    "maximize_activation",
    "occlusion",
    "plot_confusion",
    "plot_embedding",
    "plot_feature_maps",
    "plot_graph",
    "plot_history",
    "plot_images",
    "plot_importance",
    "plot_initialization",
    "plot_maps",
    "plot_parallel_coordinates",
    "plot_range_test",
    "plot_reliability",
    "plot_schedules",
    "plot_stages",
    "plot_top_losses",
    "reliability",
    "saliency",
    "smooth_grad",
    "stage_layout",
    "stages",
    "style_transfer",
    "top_losses",
]
