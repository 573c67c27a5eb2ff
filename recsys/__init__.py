"""Recommendations with style-aware ranking: data, models, tastes, ranking, restyling, experiments, serving.

Names are loaded when they are first used, so that `import recsys` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from recsys.bundle.store import load_bundle as load_bundle
    from recsys.dataset.importers import import_data as import_data
    from recsys.dataset.project import Project as Project
    from recsys.evaluation.report import compare_project as compare_project
    from recsys.progress import report_progress as report_progress
    from recsys.ranking.recommender import Recommender as Recommender
    from recsys.ranking.request import Filters as Filters
    from recsys.ranking.request import Request as Request
    from recsys.training.build import build as build

_MODULES = {
    "Filters": "recsys.ranking.request",
    "Project": "recsys.dataset.project",
    "Recommender": "recsys.ranking.recommender",
    "Request": "recsys.ranking.request",
    "build": "recsys.training.build",
    "compare_project": "recsys.evaluation.report",
    "import_data": "recsys.dataset.importers",
    "load_bundle": "recsys.bundle.store",
    "report_progress": "recsys.progress",
}
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'recsys' has no attribute {name!r}; it has {', '.join(sorted(__all__))}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
