"""The evaluation of a project: popularity, trend, ALS and the blend on what was held out.

`evaluate_project` is behind `recsys evaluate`: one moment splits all events; every model is fitted on the earlier ones
alone, the blend's weights included, and ranks the whole catalogue for every user with a new liked item later.
`compare_project` does so by any split, with every metric, slices, intervals and corrected tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from recsys.dataset.categories import category_groups
from recsys.dataset.project import Project
from recsys.dataset.splits import Holdout, Split, SplitMethod, hold_out, split_by_time, usual_method
from recsys.evaluation.comparison import ComparisonReport, Lens, Models, compare_models
from recsys.evaluation.controls import Control, controlled_style
from recsys.evaluation.groups import style_groups
from recsys.evaluation.protocol import Result, ScoreFunction, evaluate
from recsys.evaluation.significance import Interval, Values, bootstrap_mean, compare
from recsys.models.als import AlsModel
from recsys.models.base import Model
from recsys.models.popularity import PopularityModel
from recsys.pipeline.recommender import Recommender
from recsys.pipeline.request import Request
from recsys.profiles.cold_start import Profile
from recsys.profiles.style_space import StyleSpace
from recsys.schema import BoolArray, FloatArray, IntArray, UserRow
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
        "blend": partial(_blend_scores, Recommender(bundle), None),
    }
    # What a person has touched at all is neither shown nor relevant, whatever the touch came to in weight.
    viewed = split.train.seen().astype(np.float32)
    return {name: evaluate(model, viewed, later, k=k) for name, model in models.items()}


def _same_for_all(scores: FloatArray, users: IntArray) -> FloatArray:
    """One ranking (I,) for (Q,) users: (Q, I)."""
    return np.tile(scores, (len(users), 1))


def _blend_scores(recommender: Recommender, items: BoolArray | None, users: IntArray) -> FloatArray:
    """(Q,) user rows to (Q, I) scores of `items` (I,), as they are served."""
    return np.stack([recommender.scores(recommender.profile_of_row(UserRow(int(user))), items) for user in users])


def _figures(name: str, result: Result, baseline: Result, seed: int) -> ModelFigures:
    values: dict[str, Values] = {metric: result.per_user[metric] for metric in METRICS}
    return ModelFigures(
        model=name,
        means={metric: bootstrap_mean(value, seed=seed) for metric, value in values.items()},
        p_values={}
        if name == BASELINE
        else {metric: compare(value, baseline.per_user[metric], seed=seed).p_value for metric, value in values.items()},
    )


ExtraModels = Callable[[Ingredients, Holdout], Models]
"""Further models by name, fitted on the holdout's train alone."""


def compare_project(
    project: Project,
    method: SplitMethod | None = None,
    *,
    k: int = 10,
    share: float = TEST_SHARE,
    events: int = 1,
    baseline: str = BASELINE,
    controls: bool = False,
    sampled: int | None = None,
    extra: ExtraModels | None = None,
) -> ComparisonReport:
    """Compare a project's own models, and `extra` ones, by any split, with every metric and the standard slices.

    `method`: by default the split that came with the data, else by time. `share` and `events` are those of `hold_out`.
    `controls` adds the blend with shuffled and with random style vectors in place of the catalogue's. `sampled`: rank
    against this many random items only, and say so everywhere.
    Raises ProjectError before the first import, DataError where the split cannot be made or nobody can be measured.
    """
    ingredients = prepare(project)
    frame, ids = project.load_interactions(), ingredients.catalog.ids
    method = method or usual_method(frame)
    holdout = hold_out(frame, ids, method, share=share, events=events, seed=project.settings.seed)
    return compare_holdout(
        ingredients,
        holdout,
        split=described(method, share, events),
        k=k,
        baseline=baseline,
        controls=controls,
        sampled=sampled,
        extra=extra,
    )


def compare_holdout(
    ingredients: Ingredients,
    holdout: Holdout,
    *,
    split: str,
    k: int = 10,
    baseline: str = BASELINE,
    controls: bool = False,
    sampled: int | None = None,
    extra: ExtraModels | None = None,
) -> ComparisonReport:
    """`compare_project` where what is trained from and what is held out are there already; `split` in words."""
    seed = ingredients.settings.seed
    models = own_models(ingredients, holdout)
    if controls:
        models |= {f"blend, {control}": _controlled_blend(ingredients, holdout, control, seed) for control in Control}
    if extra is not None:
        models |= extra(ingredients, holdout)
    return compare_models(
        models,
        holdout,
        baseline=baseline,
        split=split,
        k=k,
        lens=lens_of(ingredients, seed),
        sampled=sampled,
        seed=seed,
    )


def own_models(ingredients: Ingredients, holdout: Holdout) -> dict[str, Model | ScoreFunction]:
    """Popularity, trend, plain ALS, the blend's own sources and the blend, by name, of what a holdout lets learn."""
    bundle, matrix = train(ingredients, holdout.train, in_time=holdout.in_time), holdout.train.matrix()
    return {
        BASELINE: PopularityModel().fit(matrix),
        "trend": partial(_same_for_all, bundle.trend),
        AlsModel.name: AlsModel(ingredients.settings.als, seed=ingredients.settings.seed).fit(matrix),
        bundle.factors.name: bundle.factors,
        bundle.neighbours.name: bundle.neighbours,
        "blend": _blend(Recommender(bundle), holdout),
    }


def lens_of(ingredients: Ingredients, seed: int) -> Lens:
    """The catalogue's style vectors, clusters of them, and its categories, as far as it has them."""
    catalog, vectors = ingredients.catalog, ingredients.space.vectors
    groups = {}
    if vectors.any():
        groups["style"] = style_groups(vectors, seed=seed)
    if any(catalog.category_names):
        names = np.array(catalog.category_names, dtype=object)
        groups["category"] = category_groups(names[catalog.category_codes].tolist())
    return Lens(vectors if vectors.any() else None, groups)


def described(method: SplitMethod, share: float = TEST_SHARE, events: int = 1) -> str:
    """A split in words."""
    return {
        SplitMethod.TIME: f"one moment for all, the last {share:.0%} of events held out",
        SplitMethod.LEAVE_LAST: f"the last {events} of each person's events held out",
        SplitMethod.RANDOM: f"{share:.0%} of each person's items held out at random",
        SplitMethod.STRONG: f"{share:.0%} of people held out, {share:.0%} of their items asked for, the rest folded in",
        SplitMethod.COLD_ITEMS: f"{share:.0%} of items held out, only these recommended",
        SplitMethod.PREDEFINED: "the train and test files that came with the data",
    }[method]


def _controlled_blend(ingredients: Ingredients, holdout: Holdout, control: Control, seed: int) -> ScoreFunction:
    vectors = controlled_style(ingredients.space.vectors, control, seed=seed)
    without = replace(ingredients, space=StyleSpace.of(vectors, ingredients.catalog.category_codes))
    return _blend(Recommender(train(without, holdout.train, in_time=holdout.in_time)), holdout)


def _blend(recommender: Recommender, holdout: Holdout) -> ScoreFunction:
    """The blend for those asked: from their rows or, where nothing of them was learned, from their history."""
    if not holdout.folds_in:
        return partial(_blend_scores, recommender, holdout.items)
    history, ids = holdout.history.matrix(), holdout.history.item_ids

    def profile(user: int) -> Profile:
        row = history[user]
        items = ids.ids(row.indices.astype(np.int64))
        return recommender.profile(Request(items=dict(zip(items, row.data.tolist(), strict=True))))

    return lambda users: np.stack([recommender.scores(profile(user), holdout.items) for user in users.tolist()])
