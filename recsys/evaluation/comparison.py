"""Several models on one task: figures with intervals, tests against a baseline, whole and by slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from recsys.dataset.splits import Holdout
from recsys.errors import DataError
from recsys.evaluation.beyond_accuracy import (
    calibration_error,
    exposure,
    gini,
    novelty,
    serendipity,
    shown_items,
    style_diversity,
)
from recsys.evaluation.controls import popularity_only
from recsys.evaluation.protocol import Result, ScoreFunction, evaluate_holdout
from recsys.evaluation.significance import (
    Interval,
    Values,
    holm,
    mean_intervals,
    paired_p_values,
    resamples,
)
from recsys.evaluation.slices import Slice, slice_result, standard_slices
from recsys.models.base import Model
from recsys.progress import stage
from recsys.schema import FloatArray, IntArray

SLICE_METRICS = ("recall", "ndcg", "hit_rate")
WHOLE = "all users"
_CATALOG_RESAMPLES = 200
"""Fewer than for means: each counts the whole catalog anew, and an interval's bounds need no more."""

Models = Mapping[str, Model | ScoreFunction]


class OnDemand(Mapping[str, Model | ScoreFunction]):
    """Models that are fitted when they are asked for and not kept, so that one at a time is in memory."""

    def __init__(self, makers: Mapping[str, Callable[[], Model | ScoreFunction]]) -> None:
        self._makers = dict(makers)

    def __getitem__(self, name: str) -> Model | ScoreFunction:
        return self._makers[name]()

    def __contains__(self, name: object) -> bool:
        # A Mapping's own would fit the model to see whether it is there.
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One metric of one model: its mean over `users` for whom it is defined, with a 95 % interval.

    `difference`: how much it lies above the baseline, over the same people; `p_value`: of no such difference;
    `corrected`: the same by Holm, for as many models as are compared. All three are None for the baseline itself and
    for metrics of the catalog as a whole (coverage, Gini).
    """

    interval: Interval
    users: int
    p_value: float | None = None
    corrected: float | None = None
    difference: Interval | None = None


@dataclass(frozen=True, slots=True)
class SliceReport:
    """All users, or one slice: how many users and relevant items, and figures by model and metric.

    Without users there are no figures.
    """

    name: str
    users: int
    relevant_items: int
    figures: Mapping[str, Mapping[str, MetricValue]]


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """Comparison of models on one holdout: the task, the metric values and their tests.

    `split` in words; `k` the length of the lists; `items` that may be recommended; `skipped` users without anything
    relevant. `sampled`: None, or that figures are of sampled negatives and tell little of full rankings.
    """

    split: str
    baseline: str
    k: int
    seed: int
    train_events: int
    test_events: int
    items: int
    skipped: int
    sampled: int | None
    whole: SliceReport
    slices: tuple[SliceReport, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """Additional views of lists, beside accuracy.

    `vectors` (I, D): style vectors, zeros without a picture, for the variety of lists; `groups`: by name such as
    "style" or "category", the share (I, G) of each item in each group, for calibration. Absent ones leave their
    metrics out.
    """

    vectors: FloatArray | None = None
    groups: Mapping[str, FloatArray] = field(default_factory=dict)


def compare_models(
    models: Models,
    holdout: Holdout,
    *,
    baseline: str,
    split: str,
    k: int = 10,
    lens: Lens | None = None,
    slices: Sequence[Slice] | None = None,
    sampled: int | None = None,
    seed: int = 0,
) -> ComparisonReport:
    """Ask every model (name to model fitted on `holdout.train`, or to its scores) and test each against `baseline`.

    Strangers to the train are folded in from their history. `slices` default to the standard ones. Raises DataError
    where the baseline is none of the models, or nobody can be measured. Each model is taken from `models` once, in
    their order; on a terminal its progress is shown.
    """
    if baseline not in models:
        raise DataError(f"the baseline {baseline!r} is none of the models; use one of {', '.join(models)}")
    results = {name: _result(models, name, holdout, k, sampled, seed) for name in models}
    popular = evaluate_holdout(popularity_only(holdout), holdout, k=k, sampled=sampled, seed=seed)
    background = _Background.of(holdout, popular)
    values = {name: _user_values(result, background, lens or Lens()) for name, result in results.items()}
    with stage("intervals and tests"):
        figures = compare_values(values, baseline)
    allowed = int(holdout.items.sum())
    for name, result in results.items():
        figures[name] |= _catalog_figures(result, holdout, seed)
    first = results[baseline]
    return ComparisonReport(
        split=split,
        baseline=baseline,
        k=k,
        seed=seed,
        train_events=len(holdout.train),
        test_events=len(holdout.test),
        items=allowed,
        skipped=first.skipped,
        sampled=sampled,
        whole=SliceReport(WHOLE, len(first.users), int(first.relevant.nnz), figures),
        slices=tuple(
            _part(results, part, baseline) for part in (standard_slices(holdout) if slices is None else slices)
        ),
    )


def _result(models: Models, name: str, holdout: Holdout, k: int, sampled: int | None, seed: int) -> Result:
    """Fit one model and rank for all users of the holdout."""
    with stage(name):
        with stage("fit"):
            model = models[name]
        with stage("rank", len(holdout.users), "user") as counting:
            return evaluate_holdout(model, holdout, k=k, sampled=sampled, seed=seed, progress=counting.advance)


@dataclass(frozen=True, slots=True, eq=False)
class _Background:
    """Reference for the lists of all models.

    Popularity's result for the same users, how many of `users` have each item in train (I,), and the history (U, I).
    """

    popular: Result
    touched: IntArray
    users: int
    history: csr_matrix

    @classmethod
    def of(cls, holdout: Holdout, popular: Result) -> _Background:
        seen = holdout.train.interaction_mask()
        users = np.count_nonzero(np.diff(seen.indptr))
        touched = np.bincount(seen.indices, minlength=seen.shape[1])
        return cls(popular, touched, max(1, int(users)), holdout.history.matrix())


def _user_values(result: Result, background: _Background, lens: Lens) -> dict[str, Values]:
    """Every metric that is one value a user, (Q,) by name."""
    values = {
        **result.per_user,
        "novelty": novelty(result.rows, background.touched, background.users),
        "serendipity": serendipity(result.rows, result.relevant, background.popular.rows),
    }
    if lens.vectors is not None:
        values["style_diversity"] = style_diversity(result.rows, lens.vectors)
    for name, groups in lens.groups.items():
        history = background.history[result.users]
        values[f"{name}_calibration_error"] = calibration_error(result.rows, history, groups)
    return values


def compare_values(values: Mapping[str, Mapping[str, Values]], baseline: str) -> dict[str, dict[str, MetricValue]]:
    """Figures by model and metric from values (Q,) by model and metric, for the same users in the same order.

    A metric that is defined for nobody is left out.
    """
    found: dict[str, dict[str, MetricValue]] = {name: {} for name in values}
    others = [name for name in values if name != baseline]
    for metric in values[baseline]:
        table = np.column_stack([values[name][metric] for name in values])
        if np.isnan(table).all(axis=0).any():
            continue
        differences = {other: values[other][metric] - values[baseline][metric] for other in others}
        # A model needs at least one user in common with the baseline for whom the metric is defined.
        differences = {other: each for other, each in differences.items() if not np.isnan(each).all()}
        intervals = mean_intervals(table)
        paired: dict[str, Interval] = {}
        p_values: dict[str, float] = {}
        if differences:
            side_by_side = np.column_stack(list(differences.values()))
            paired = dict(zip(differences, mean_intervals(side_by_side, signed=True), strict=True))
            p_values = dict(zip(differences, map(float, paired_p_values(side_by_side)), strict=True))
        corrected = dict(zip(p_values, holm(np.array(list(p_values.values()))), strict=True))
        for name, interval in zip(values, intervals, strict=True):
            count = int(np.count_nonzero(~np.isnan(values[name][metric])))
            adjusted = float(corrected[name]) if name in corrected else None
            found[name][metric] = MetricValue(interval, count, p_values.get(name), adjusted, paired.get(name))
    return found


def _part(results: Mapping[str, Result], part: Slice, baseline: str) -> SliceReport:
    parts = {name: slice_result(result, part) for name, result in results.items()}
    first = parts[baseline]
    if not len(first):
        return SliceReport(part.name, 0, 0, {})
    values = {name: {metric: each.per_user[metric] for metric in SLICE_METRICS} for name, each in parts.items()}
    return SliceReport(part.name, len(first), first.relevant_items, compare_values(values, baseline))


def _catalog_figures(result: Result, holdout: Holdout, seed: int) -> dict[str, MetricValue]:
    """Coverage and Gini among the items that may be recommended, with intervals of resampled users.

    A resample has about 63 % of the users, so fewer items are shown in it than to all: the spread of the resamples is
    right, but they lie beside the figure. They are moved to lie around it.
    """
    shown = exposure(result.rows, len(holdout.items))[holdout.items]
    observed = np.array([np.count_nonzero(shown) / len(shown), gini(shown)])
    lists = csr_matrix(shown_items(result.rows, len(holdout.items))[:, holdout.items])
    drawn = []
    for counts in resamples(len(result.users), seed=seed, times=_CATALOG_RESAMPLES):
        # One resample of the catalog at a time, as a catalog may be large.
        for each in counts:
            again = np.asarray(each @ lists)
            drawn.append([np.count_nonzero(again) / len(again), gini(again)])
    moved = np.array(drawn) + (observed - np.mean(drawn, axis=0))
    bounds = np.quantile(moved, [0.025, 0.975], axis=0).clip(0.0, 1.0)
    return {
        # Where all resamples are alike, the mean of theirs is off by a rounding error.
        name: MetricValue(Interval(float(value), float(min(low, value)), float(max(high, value))), len(result.users))
        for name, value, low, high in zip(("coverage", "gini"), observed, *bounds, strict=True)
    }
