"""Transfer learning: pretrained networks that take raw photos, and what is built on them."""

from kerascnn._lazy import lazy

_HOMES = {
    "Comparison": "comparing",
    "FeatureExtractor": "features",
    "Features": "features",
    "PhotoCheck": "checking",
    "Plan": "choose",
    "Probe": "probe",
    "Recipe": "recipe",
    "Result": "run",
    "Run": "run",
    "backbone": "backbones",
    "check_photos": "checking",
    "compare_runs": "comparing",
    "compare_stages": "choose",
    "cut_points": "freezing",
    "extract_features": "features",
    "feature_shift": "out_of_fold",
    "finetune": "finetuning",
    "fit_probe": "probe",
    "freeze": "freezing",
    "freeze_batch_norm": "freezing",
    "freeze_boundary": "freezing",
    "h_score": "choose",
    "list_backbones": "backbones",
    "load_run": "run",
    "log_me": "choose",
    "nearest": "retrieval",
    "out_of_fold_probabilities": "out_of_fold",
    "plan": "choose",
    "stage_ends": "freezing",
    "write_report": "reporting",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
