"""What answers are scored by; ``@metric`` registers one, a user's own included."""

from dream.metrics.metric import (
    Judge,
    Metric,
    find_metric,
    load_judging,
    metric,
    metric_names,
    notebook_metrics,
    score_answer,
)

__all__ = [
    "Judge",
    "Metric",
    "find_metric",
    "load_judging",
    "metric",
    "metric_names",
    "notebook_metrics",
    "score_answer",
]
