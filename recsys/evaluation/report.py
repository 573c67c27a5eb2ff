"""The evaluation behind `recsys evaluate`: popularity, trend, ALS and the blend on what people did later.

One moment splits all events; every model is fitted on the earlier ones alone, the blend's weights included, and
ranks the whole catalogue for every user with a new liked item later. No negatives are sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from recsys.dataset.project import Project
from recsys.dataset.splits import Split, split_by_time
from recsys.evaluation.metrics import Interval, Values, bootstrap_mean, compare
from recsys.evaluation.protocol import Result, ScoreFunction, evaluate
from recsys.models.base import Model
from recsys.models.popularity import PopularityModel
from recsys.pipeline.recommender import Recommender
from recsys.schema import FloatArray, IntArray, UserRow
from recsys.training.build import Ingredients, load_interactions, prepare, train

METRICS = ("recall", "ndcg")
BASELINE = PopularityModel.name
TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model's figures by metric: means over users with 95 % intervals, and the p-value of no difference from
    popularity (empty for popularity itself)."""

    model: str
    means: Mapping[str, Interval]
    p_values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What was measured: rankings of length `k` for `users` people after `moment` (seconds since 1970 UTC)."""

    k: int
    moment: int
    train_events: int
    test_events: int
    users: int
    items: int
    models: tuple[ModelFigures, ...]


def evaluate_project(project: Project, k: int = 10) -> EvaluationReport:
    """Measure popularity, trend (what is popular now), ALS and the blend on a project's last fifth of events.

    Raises ProjectError before the first import, DataError where events have no times to split by or nobody
    liked anything new later.
    """
    ingredients = prepare(project)
    split = split_by_time(load_interactions(project, ingredients.catalog), TEST_SHARE)
    results = _results(ingredients, split, k)
    seed = project.settings.seed
    return EvaluationReport(
        k=k,
        moment=int(split.test.timestamps.min()),
        train_events=len(split.train),
        test_events=len(split.test),
        users=len(results[BASELINE].users),
        items=len(ingredients.catalog),
        models=tuple(_figures(name, result, results[BASELINE], seed) for name, result in results.items()),
    )


def _results(ingredients: Ingredients, split: Split, k: int) -> dict[str, Result]:
    earlier, later = split.train.matrix(), split.test.matrix()
    bundle = train(ingredients, split.train)
    models: dict[str, Model | ScoreFunction] = {
        BASELINE: PopularityModel().fit(earlier),
        "trend": partial(_same_for_all, bundle.trend),
        bundle.factors.name: bundle.factors,
        "blend": partial(_blend_scores, Recommender(bundle)),
    }
    # What a person has touched at all is neither shown nor relevant, whatever the touch came to in weight.
    viewed = split.train.seen().astype(np.float32)
    return {name: evaluate(model, viewed, later, k=k) for name, model in models.items()}


def _same_for_all(scores: FloatArray, users: IntArray) -> FloatArray:
    """One ranking (I,) for (Q,) users: (Q, I)."""
    return np.tile(scores, (len(users), 1))


def _blend_scores(recommender: Recommender, users: IntArray) -> FloatArray:
    """(Q,) user rows to (Q, I) scores."""
    return np.stack([recommender.scores(recommender.profile_of_row(UserRow(int(user)))) for user in users])


def _figures(name: str, result: Result, baseline: Result, seed: int) -> ModelFigures:
    values: dict[str, Values] = {metric: result.per_user[metric] for metric in METRICS}
    return ModelFigures(
        model=name,
        means={metric: bootstrap_mean(value, seed=seed) for metric, value in values.items()},
        p_values={}
        if name == BASELINE
        else {metric: compare(value, baseline.per_user[metric], seed=seed).p_value for metric, value in values.items()},
    )
