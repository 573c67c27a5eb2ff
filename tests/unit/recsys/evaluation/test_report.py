"""`recsys evaluate`: on a shop of two crowds the factors must beat popularity, and nothing later may leak."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.importers.run import import_data
from recsys.dataset.project import Project
from recsys.dataset.splits import Holdout, SplitMethod, hold_out
from recsys.errors import DataError, ProjectError
from recsys.evaluation.comparison import ComparisonReport, Models
from recsys.evaluation.controls import Control, controlled_style
from recsys.evaluation.protocol import ScoreFunction
from recsys.evaluation.report import (
    EvaluationReport,
    ModelFigures,
    compare_holdout,
    compare_project,
    described,
    evaluate_project,
)
from recsys.page.text import print_evaluation
from recsys.profiles.style_space import StyleSpace
from recsys.schema import FloatArray
from recsys.training.build import Ingredients, prepare

USERS, ITEMS_EACH, EVENTS_EACH = 60, 30, 20
START = 1_700_000_000


def _two_crowds() -> pd.DataFrame:
    """Even users touch only even items, odd ones odd items, each in an order of its own, a minute apart."""
    rng = np.random.default_rng(3)
    rows = []
    for user in range(USERS):
        for place, item in enumerate(rng.permutation(ITEMS_EACH)[:EVENTS_EACH]):
            rows.append((f"u{user:02}", f"i{2 * item + user % 2:02}", "click", START + 60 * (place * USERS + user)))
    return pd.DataFrame(rows, columns=["user_id", "item_id", "event", "timestamp"])


def _project(folder: Path, interactions: pd.DataFrame) -> Project:
    project = Project.init(folder / "shop", "two crowds")
    items = pd.DataFrame({"item_id": [f"i{item:02}" for item in range(2 * ITEMS_EACH)], "title": "x"})
    items.to_csv(folder / "items.csv", index=False)
    interactions.to_csv(folder / "interactions.csv", index=False)
    import_data(project, items=folder / "items.csv", interactions=folder / "interactions.csv")
    return project


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> EvaluationReport:
    return evaluate_project(_project(tmp_path_factory.mktemp("crowds"), _two_crowds()), k=10)


def _figures(report: EvaluationReport, model: str) -> ModelFigures:
    return next(figures for figures in report.models if figures.model == model)


def test_the_last_fifth_is_predicted_by_whole_catalogue_rankings(report: EvaluationReport) -> None:
    assert (report.train_events, report.test_events) == (960, 240)
    assert report.moment == int(np.sort(_two_crowds()["timestamp"])[960])
    assert (report.users, report.items, report.k) == (USERS, 2 * ITEMS_EACH, 10)


@pytest.mark.parametrize("model", ["als", "blend"])
@pytest.mark.parametrize("metric", ["recall", "ndcg"])
def test_models_of_people_beat_popularity_where_there_are_two_crowds(
    report: EvaluationReport, model: str, metric: str
) -> None:
    better, baseline = _figures(report, model), _figures(report, "popularity")
    assert better.means[metric].low > baseline.means[metric].high
    assert better.p_values[metric] < 0.01


def test_the_crowds_are_told_apart_almost_perfectly(report: EvaluationReport) -> None:
    # 14 of a crowd's 30 items are unseen by a user and 4 of them relevant: ten right ones of 14 hold about 10/14.
    assert _figures(report, "als").means["recall"].mean == pytest.approx(10 / 14, abs=0.12)


def test_intervals_hold_their_means_and_the_baseline_has_no_p_value(report: EvaluationReport) -> None:
    for figures in report.models:
        for interval in figures.means.values():
            assert 0 <= interval.low < interval.mean < interval.high <= 1
    assert not _figures(report, "popularity").p_values


def test_printed_report_has_every_model_and_figure(
    report: EvaluationReport, capsys: pytest.CaptureFixture[str]
) -> None:
    print_evaluation(report)
    printed = capsys.readouterr().out
    for figures in report.models:
        assert figures.model in printed
        assert f"{figures.means['ndcg'].mean:.4f}" in printed
    assert "240" in printed
    assert "no sampled negatives" in " ".join(printed.split())


def test_events_without_times_cannot_be_split(tmp_path: Path) -> None:
    project = _project(tmp_path, _two_crowds().drop(columns="timestamp"))
    with pytest.raises(DataError, match="same time"):
        evaluate_project(project)


def test_evaluation_before_the_import_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="recsys import"):
        evaluate_project(Project.init(tmp_path / "shop", "empty"))


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory: pytest.TempPathFactory) -> dict[SplitMethod, ComparisonReport]:
    project = _project(tmp_path_factory.mktemp("compared"), _two_crowds())
    return {method: compare_project(project, method) for method in (SplitMethod.TIME, SplitMethod.STRONG)}


def test_by_time_a_comparison_finds_what_the_evaluation_does(
    report: EvaluationReport, comparisons: dict[SplitMethod, ComparisonReport]
) -> None:
    compared = comparisons[SplitMethod.TIME]
    assert (compared.train_events, compared.test_events) == (report.train_events, report.test_events)
    for figures in report.models:
        found = compared.whole.figures[figures.model]
        for metric, interval in figures.means.items():
            assert found[metric].interval.mean == pytest.approx(interval.mean)
            assert found[metric].interval.low == pytest.approx(interval.low)


def test_people_of_whom_nothing_is_learned_are_told_apart_by_what_is_folded_in(
    comparisons: dict[SplitMethod, ComparisonReport],
) -> None:
    compared = comparisons[SplitMethod.STRONG]
    assert compared.whole.users == 12
    baseline = compared.whole.figures["popularity"]["ndcg"].interval
    for model in ("als", "blend"):
        figure = compared.whole.figures[model]["ndcg"]
        assert figure.interval.low > baseline.high
        assert figure.corrected is not None
        assert figure.corrected < 0.05


@pytest.mark.parametrize("method", SplitMethod)
def test_every_split_is_put_in_words(method: SplitMethod) -> None:
    assert len(described(method, 0.25, 2)) > 20
    assert len({described(each) for each in SplitMethod}) == len(SplitMethod)


def test_controls_are_compared_beside_the_models(tmp_path: Path) -> None:
    # Each crowd has a style of its own, and of items that nobody has touched there is nothing else to go by.
    project = _project(tmp_path, _two_crowds())
    plain = prepare(project)
    crowds = np.arange(2 * ITEMS_EACH) % 2
    vectors = np.random.default_rng(0).normal(scale=0.2, size=(2 * ITEMS_EACH, 16)) + np.eye(2, 16)[crowds]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    space = StyleSpace.of(vectors.astype(np.float32), plain.catalog.category_codes)
    ingredients = replace(plain, space=space)
    holdout = hold_out(project.load_interactions(), plain.catalog.ids, SplitMethod.COLD_ITEMS)

    def nearest(vectors: FloatArray) -> ScoreFunction:
        history = holdout.history.matrix()
        return lambda users: np.asarray(history[users] @ vectors @ vectors.T, dtype=np.float32)

    def extra(found: Ingredients, held: Holdout) -> Models:
        assert held is holdout
        return {
            "nearest": nearest(found.space.vectors),
            "nearest, shuffled": nearest(controlled_style(found.space.vectors, Control.SHUFFLED, seed=1)),
        }

    compared = compare_holdout(ingredients, holdout, split="cold", k=5, controls=True, extra=extra)
    assert set(compared.whole.figures) == {
        "popularity", "trend", "als", "style_als", "ease", "blend", "blend, shuffled style", "blend, random style",
        "nearest", "nearest, shuffled",
    }  # fmt: skip
    assert compared.items == round(0.2 * 2 * ITEMS_EACH)
    figures = compared.whole.figures
    assert figures["nearest"]["ndcg"].interval.low > figures["nearest, shuffled"]["ndcg"].interval.high
    assert figures["nearest"]["style_calibration_error"].interval.mean >= 0
    assert figures["nearest"]["style_diversity"].interval.high < figures["popularity"]["style_diversity"].interval.mean
    # Only items nobody has touched may be shown: no other slice of items has anybody.
    assert {part.name: part.users for part in compared.slices}["cold items"] == compared.whole.users
    assert {part.name: part.users for part in compared.slices}["head items"] == 0
