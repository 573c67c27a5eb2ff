"""Comparisons: a planted truth is found, chance is not, and every output says what it is."""

from __future__ import annotations

import io
import json
from dataclasses import astuple
from functools import partial

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.categories import category_groups
from recsys.dataset.identifiers import ItemIdentifiers
from recsys.dataset.splits import Holdout, SplitMethod, hold_out
from recsys.errors import DataError
from recsys.evaluation.comparison import ComparisonReport, Lens, OnDemand, compare_models, compare_values
from recsys.evaluation.controls import popularity_only
from recsys.evaluation.protocol import ScoreFunction
from recsys.evaluation.tables import TableFormat, render
from recsys.schema import INTERACTION_COLUMNS, FloatArray, IntArray

USERS, COUNT = 60, 40
ITEMS = ItemIdentifiers("item", [f"i{number:02}" for number in range(COUNT)])


def two_crowds() -> Holdout:
    """Even users touch even items, odd ones odd items."""
    random = np.random.default_rng(0)
    rows = [
        (f"u{user:02}", f"i{2 * item + user % 2:02}", "view", 1.0, time)
        for user in range(USERS)
        for time, item in enumerate(random.permutation(COUNT // 2)[:10].tolist())
    ]
    frame = pd.DataFrame(rows, columns=list(INTERACTION_COLUMNS))
    return hold_out(frame, ITEMS, SplitMethod.LEAVE_LAST, events=3)


def own_crowd(users: IntArray) -> FloatArray:
    """The truth: items of the user's own crowd first."""
    return (np.arange(COUNT) % 2 == users[:, None] % 2).astype(np.float32)


def noise(seed: int) -> FloatArray:
    return np.random.default_rng(seed).random((USERS, COUNT)).astype(np.float32)


VECTORS = np.eye(2, 4, dtype=np.float32)[np.arange(COUNT) % 2]
LENS = Lens(VECTORS, {"category": category_groups(["even", "odd"] * (COUNT // 2))})


@pytest.fixture(scope="module")
def report() -> ComparisonReport:
    holdout = two_crowds()
    models = {
        "popularity": popularity_only(holdout),
        "noise": lambda users: noise(1)[users],
        "more noise": lambda users: noise(2)[users],
        "truth": own_crowd,
    }
    return compare_models(models, holdout, baseline="noise", split="the last 3 events", k=5, lens=LENS, seed=1)


def test_what_was_compared_is_said(report: ComparisonReport) -> None:
    assert (report.train_events, report.test_events) == (USERS * 7, USERS * 3)
    assert (report.items, report.k, report.skipped, report.sampled) == (COUNT, 5, 0, None)
    assert (report.whole.users, report.whole.relevant_items) == (USERS, USERS * 3)


def test_the_truth_is_found_and_noise_is_not(report: ComparisonReport) -> None:
    truth, random = report.whole.figures["truth"]["ndcg"], report.whole.figures["more noise"]["ndcg"]
    assert truth.corrected is not None
    assert random.corrected is not None
    assert truth.corrected < 0.05
    assert random.corrected > 0.05
    assert truth.interval.low > report.whole.figures["noise"]["ndcg"].interval.mean


def test_p_values_are_corrected_for_the_number_of_models(report: ComparisonReport) -> None:
    figures = report.whole.figures
    assert figures["noise"]["recall"].p_value is None
    others = ("popularity", "more noise", "truth")
    plain = sorted(float(figures[name]["recall"].p_value or 0) for name in others)
    corrected = sorted(float(figures[name]["recall"].corrected or 0) for name in others)
    assert corrected[0] == pytest.approx(3 * plain[0])
    assert all(one >= other for one, other in zip(corrected, plain, strict=True))


def test_lists_of_one_crowd_are_alike_and_fit_their_people(report: ComparisonReport) -> None:
    truth, random = report.whole.figures["truth"], report.whole.figures["noise"]
    assert truth["style_diversity"].interval.mean == pytest.approx(0.0, abs=1e-9)
    assert random["style_diversity"].interval.mean > 0.3
    assert truth["category_calibration_error"].interval.mean == pytest.approx(0.0, abs=1e-9)
    assert random["category_calibration_error"].interval.low > 0.1
    assert report.whole.figures["popularity"]["serendipity"].interval.mean == 0.0
    assert truth["serendipity"].interval.mean > 0


def test_catalog_figures_lie_in_their_intervals(report: ComparisonReport) -> None:
    for figures in report.whole.figures.values():
        for name in ("coverage", "gini"):
            interval = figures[name].interval
            assert 0 <= interval.low <= interval.mean <= interval.high <= 1
            assert figures[name].p_value is None
    assert (
        report.whole.figures["noise"]["gini"].interval.mean < report.whole.figures["popularity"]["gini"].interval.mean
    )


def test_slices_have_their_counts(report: ComparisonReport) -> None:
    by_name = {part.name: part for part in report.slices}
    assert set(by_name) == {"cold items", "users with 5 events or fewer", "head items", "tail items"}
    assert by_name["users with 5 events or fewer"].users == 0
    assert by_name["users with 5 events or fewer"].figures == {}
    assert by_name["head items"].relevant_items + by_name["tail items"].relevant_items == USERS * 3
    assert set(by_name["tail items"].figures["truth"]) == {"recall", "ndcg", "hit_rate"}


@pytest.mark.parametrize("form", TableFormat)
def test_every_format_has_models_slices_intervals_and_the_baseline(report: ComparisonReport, form: TableFormat) -> None:
    text = render(report, form)
    # A row of CSV is a figure, so that an empty slice has none.
    named = [part.name[1:] for part in report.slices if part.figures or form is not TableFormat.CSV]
    for word in (*report.whole.figures, *named, "popularity"):
        assert word in text
    assert "the last 3 events" in text
    figure = report.whole.figures["truth"]["ndcg"]
    if form is TableFormat.JSON:
        found = json.loads(text)
        assert found["full_ranking"] is True
        assert found["baseline"] == "noise"
        stored = found["whole"]["figures"]["truth"]["ndcg"]
        assert stored["interval"]["mean"] == pytest.approx(figure.interval.mean)
        assert stored["corrected"] == pytest.approx(figure.corrected)
    elif form is TableFormat.CSV:
        rows = pd.read_csv(io.StringIO(text)).set_index(["part", "model", "metric"])
        found = rows.loc[("all users", "truth", "ndcg")]
        assert found[["mean", "low", "high"]].tolist() == pytest.approx(list(astuple(figure.interval)))
        assert (found["p_corrected"], found["people"]) == (pytest.approx(figure.corrected), USERS)
        assert set(rows["baseline"]) == {"noise"}
        counts = [len(part.figures) * len(part.figures["noise"]) for part in report.slices if part.figures]
        assert len(rows) == sum(counts) + sum(map(len, report.whole.figures.values()))
    else:
        interval = figure.interval
        assert f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]" in text
        assert "noise (baseline)" in text
        assert "no sampled negatives" in text
        assert "ndcg@5" in text


def test_markdown_tables_have_as_many_cells_as_their_heads(report: ComparisonReport) -> None:
    widths = [line.count("|") for line in render(report, TableFormat.MARKDOWN).splitlines() if line.startswith("|")]
    rows = len(report.whole.figures) + 2
    assert len(widths) % rows == 0
    for start in range(0, len(widths), rows):
        assert len(set(widths[start : start + rows])) == 1


@pytest.mark.parametrize("form", TableFormat)
def test_sampled_figures_say_so_in_every_table(form: TableFormat) -> None:
    holdout = two_crowds()
    report = compare_models(
        {"popularity": popularity_only(holdout)}, holdout, baseline="popularity", split="x", k=3, sampled=7
    )
    text = render(report, form)
    if form is TableFormat.JSON:
        assert json.loads(text)["sampled"] == 7
        assert json.loads(text)["full_ranking"] is False
    elif form is TableFormat.CSV:
        assert set(pd.read_csv(io.StringIO(text))["sampled"]) == {7}
    else:
        assert "SAMPLED" in text
        assert "no sampled negatives" not in text
        assert "ndcg@3 (sampled 7)" in text
        headings = [line for line in text.splitlines() if "relevant items" in line and "users," in line]
        assert headings
        assert all("sampled 7" in line for line in headings)


def test_the_same_comparison_gives_the_same_bytes(report: ComparisonReport) -> None:
    holdout = two_crowds()
    models = {
        "popularity": popularity_only(holdout),
        "noise": lambda users: noise(1)[users],
        "more noise": lambda users: noise(2)[users],
        "truth": own_crowd,
    }
    again = compare_models(models, holdout, baseline="noise", split="the last 3 events", k=5, lens=LENS, seed=1)
    assert render(again, TableFormat.JSON) == render(report, TableFormat.JSON)


def test_a_metric_is_left_out_for_whom_it_is_not_defined() -> None:
    values = {
        "a": {"x": np.array([1.0, np.nan, 2.0]), "y": np.full(3, np.nan)},
        "b": {"x": np.array([np.nan, 3.0, 3.0]), "y": np.ones(3)},
    }
    found = compare_values(values, "a")
    assert set(found["a"]) == {"x"}
    assert (found["a"]["x"].users, found["b"]["x"].users) == (2, 2)
    assert found["a"]["x"].interval.mean == 1.5
    # one user has both values: alone she shows nothing
    assert found["b"]["x"].p_value == 1.0


def test_a_baseline_that_is_no_model_is_refused() -> None:
    holdout = two_crowds()
    with pytest.raises(DataError, match="'als' is none of the models; use one of popularity"):
        compare_models({"popularity": popularity_only(holdout)}, holdout, baseline="als", split="x")


def test_models_on_demand_are_fitted_once_each_and_in_turn() -> None:
    holdout, order = two_crowds(), []

    def made(name: str) -> ScoreFunction:
        order.append(name)
        return lambda users: order.append(f"{name} asked") or own_crowd(users)

    models = OnDemand({name: partial(made, name) for name in ("one", "two")})
    assert (list(models), len(models), order) == (["one", "two"], 2, [])
    found = compare_models(models, holdout, baseline="one", split="x")
    assert set(found.whole.figures) == {"one", "two"}
    assert order == ["one", "one asked", "two", "two asked"]


def test_differences_are_of_the_same_users() -> None:
    values = np.random.default_rng(0).random(200)
    figures = compare_values({"base": {"m": values}, "above": {"m": values + 0.25}, "same": {"m": values}}, "base")
    above, same = figures["above"]["m"].difference, figures["same"]["m"].difference
    assert above is not None
    # 200 equal differences have no spread, so the intervals are those of the range of values alone.
    assert above.mean == pytest.approx(0.25)
    assert 0.15 < above.low < 0.25 < above.high < 0.35
    assert same is not None
    assert (same.mean, same.low) == pytest.approx((0.0, -same.high))
    assert same.high == pytest.approx(1 - 0.025 ** (1 / 200))
    assert figures["base"]["m"].difference is None
    wide = figures["above"]["m"].interval
    assert wide.high - wide.low > 0.05
