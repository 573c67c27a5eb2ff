"""`recsys evaluate`: on a shop of two crowds the factors must beat popularity, and nothing later may leak."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.importers.run import import_data
from recsys.dataset.project import Project
from recsys.dataset.splits import Holdout, SplitMethod, hold_out
from recsys.errors import DataError, ProjectError, RequestError
from recsys.evaluation.comparison import ComparisonReport, Models
from recsys.evaluation.controls import Control, control_vectors
from recsys.evaluation.protocol import ScoreFunction
from recsys.evaluation.report import ALL, EVERY, OWN, compare_holdout, compare_project, describe_split
from recsys.models.registry import PLAIN, STYLE
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
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return _project(tmp_path_factory.mktemp("crowds"), _two_crowds())


@pytest.fixture(scope="module")
def report(shop: Project) -> ComparisonReport:
    return compare_project(shop, SplitMethod.TIME, models=[ALL])


def test_the_last_fifth_is_predicted_by_whole_catalog_rankings(report: ComparisonReport) -> None:
    assert (report.train_events, report.test_events) == (960, 240)
    moment = datetime.fromtimestamp(int(np.sort(_two_crowds()["timestamp"])[960]), UTC)
    assert f"from {moment:%Y-%m-%d %H:%M} UTC" in report.split
    assert (report.whole.users, report.items, report.k, report.sampled) == (USERS, 2 * ITEMS_EACH, 10, None)


@pytest.mark.parametrize("model", ["als", "blend", *(name for name in PLAIN if name != "popularity")])
@pytest.mark.parametrize("metric", ["recall", "ndcg"])
def test_models_of_people_beat_popularity_where_there_are_two_crowds(
    report: ComparisonReport, model: str, metric: str
) -> None:
    better, baseline = (report.whole.figures[name][metric] for name in (model, "popularity"))
    assert better.interval.low > baseline.interval.high
    assert better.corrected is not None
    assert better.corrected < 0.01


def test_the_crowds_are_told_apart_almost_perfectly(report: ComparisonReport) -> None:
    # 14 of a crowd's 30 items are unseen by a user and 4 of them relevant: ten right ones of 14 hold about 10/14.
    assert report.whole.figures["als"]["recall"].interval.mean == pytest.approx(10 / 14, abs=0.12)


def test_intervals_hold_their_means_and_the_baseline_has_no_p_value(report: ComparisonReport) -> None:
    for figures in report.whole.figures.values():
        for metric in ("recall", "ndcg"):
            interval = figures[metric].interval
            assert 0 <= interval.low < interval.mean < interval.high <= 1
    assert all(figure.p_value is None for figure in report.whole.figures["popularity"].values())


def test_bots_are_left_out_and_named_in_the_split(tmp_path: Path, shop: Project) -> None:
    crowds = _two_crowds()
    last = int(crowds["timestamp"].max())
    times = range(last - 500, last)
    crawler = pd.DataFrame({"user_id": "bot", "item_id": "i00", "event": "click", "timestamp": times})
    project = _project(tmp_path / "crawled", pd.concat([crowds, crawler]))
    found, usual = (compare_project(each, SplitMethod.TIME, models=["popularity"]) for each in (project, shop))
    assert (found.train_events, found.test_events) == (usual.train_events, usual.test_events)
    assert found.split == f"{usual.split}, without 1 users that look like bots"
    assert str(found.whole.figures) == str(usual.whole.figures)


def test_events_without_times_cannot_be_split_by_time(tmp_path: Path) -> None:
    project = _project(tmp_path, _two_crowds().drop(columns="timestamp"))
    with pytest.raises(DataError, match="same time"):
        compare_project(project)


def test_evaluation_before_the_import_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="recsys import"):
        compare_project(Project.init(tmp_path / "shop", "empty"))


def test_the_default_is_what_the_project_is_served_by_and_all_is_every_model_without_pictures(
    report: ComparisonReport, comparisons: dict[SplitMethod, ComparisonReport]
) -> None:
    assert tuple(comparisons[SplitMethod.TIME].whole.figures) == OWN
    assert tuple(report.whole.figures) == tuple(name for name in EVERY if name not in STYLE)


def test_other_models_beside_change_no_figure_of_the_first(
    report: ComparisonReport, comparisons: dict[SplitMethod, ComparisonReport]
) -> None:
    for name, figures in comparisons[SplitMethod.TIME].whole.figures.items():
        for metric, figure in figures.items():
            assert report.whole.figures[name][metric].interval == figure.interval


def test_the_baseline_is_always_among_the_models(shop: Project) -> None:
    found = compare_project(shop, SplitMethod.TIME, models=["ease"], baseline="item_knn_cosine")
    assert set(found.whole.figures) == {"ease", "item_knn_cosine"}
    assert found.baseline == "item_knn_cosine"


def test_names_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    empty = Project.init(tmp_path / "shop", "empty")
    with pytest.raises(RequestError, match=r"unknown model 'esae'; use all or some of popularity, .*ease"):
        compare_project(empty, models=["als", "esae"])
    with pytest.raises(RequestError, match="baseline: unknown model 'blend, random style'"):
        compare_project(empty, baseline="blend, random style")
    with pytest.raises(ProjectError):
        compare_project(empty, baseline="blend, random style", controls=True)


def test_models_of_style_and_controls_need_pictures(shop: Project) -> None:
    with pytest.raises(DataError, match="style_knn learns from photos, and no item has one"):
        compare_project(shop, SplitMethod.TIME, models=["style_knn"])
    with pytest.raises(DataError, match="no item has an image"):
        compare_project(shop, SplitMethod.TIME, controls=True)


@pytest.fixture(scope="module")
def comparisons(shop: Project) -> dict[SplitMethod, ComparisonReport]:
    return {method: compare_project(shop, method) for method in (SplitMethod.TIME, SplitMethod.STRONG)}


def test_people_of_whom_nothing_is_learned_are_told_apart_by_what_is_folded_in(
    comparisons: dict[SplitMethod, ComparisonReport],
) -> None:
    compare_values = comparisons[SplitMethod.STRONG]
    assert compare_values.whole.users == 12
    for model in ("als", "blend"):
        figure = compare_values.whole.figures[model]["ndcg"]
        assert figure.difference is not None
        assert figure.difference.low > 0.0
        assert figure.corrected is not None
        assert figure.corrected < 0.05


@pytest.mark.parametrize("method", SplitMethod)
def test_every_split_is_put_in_words(method: SplitMethod) -> None:
    assert len(describe_split(method, 0.25, 2)) > 20
    assert len({describe_split(each) for each in SplitMethod}) == len(SplitMethod)


def test_controls_are_compared_beside_the_models(tmp_path: Path) -> None:
    # Each crowd has a style of its own, and of items that nobody has touched there is nothing else to go by.
    # The colors say nothing.
    project = _project(tmp_path, _two_crowds())
    plain = prepare(project)
    crowds = np.arange(2 * ITEMS_EACH) % 2
    vectors = np.random.default_rng(0).normal(scale=0.2, size=(2 * ITEMS_EACH, 16)) + np.eye(2, 16)[crowds]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    space = StyleSpace.from_vectors(vectors.astype(np.float32), plain.catalog.category_codes)
    ingredients = replace(plain, space=space)
    holdout = hold_out(project.load_interactions(), plain.catalog.ids, SplitMethod.COLD_ITEMS)

    def nearest(vectors: FloatArray) -> ScoreFunction:
        history = holdout.history.matrix()
        return lambda users: np.asarray(history[users] @ vectors @ vectors.T, dtype=np.float32)

    def extra(found: Ingredients, held: Holdout) -> Models:
        assert held is holdout
        return {
            "nearest": nearest(found.space.vectors),
            "nearest, shuffled": nearest(control_vectors(found.space.vectors, Control.SHUFFLED, seed=1)),
        }

    colors = np.random.default_rng(1).normal(size=(2 * ITEMS_EACH, 6)).astype(np.float32)
    options = {"controls": True, "colors": colors, "models": [ALL]}
    compare_values = compare_holdout(ingredients, holdout, split="cold", k=5, extra=extra, **options)
    assert set(compare_values.whole.figures) == {
        *EVERY, "blend, shuffled style", "blend, random style", "blend, colors alone", "nearest", "nearest, shuffled",
    }  # fmt: skip
    assert compare_values.items == round(0.2 * 2 * ITEMS_EACH)
    figures = compare_values.whole.figures
    assert figures["nearest"]["ndcg"].interval.low > figures["nearest, shuffled"]["ndcg"].interval.high
    assert figures["style_knn"]["ndcg"].interval.low > figures["item_knn_bm25"]["ndcg"].interval.high
    assert figures["nearest"]["style_calibration_error"].interval.mean >= 0
    assert figures["nearest"]["style_diversity"].interval.high < figures["popularity"]["style_diversity"].interval.mean
    # Only items nobody has touched may be shown: no other slice of items has anybody.
    assert {part.name: part.users for part in compare_values.slices}["cold items"] == compare_values.whole.users
    assert {part.name: part.users for part in compare_values.slices}["head items"] == 0
