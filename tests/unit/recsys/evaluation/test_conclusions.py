"""Verdicts: sentences say what the figures say, whichever way they point."""

from __future__ import annotations

import pytest

from recsys.errors import DataError
from recsys.evaluation.comparison import ComparisonReport, MetricValue, SliceReport
from recsys.evaluation.conclusions import (
    Outcome,
    accuracy_conclusions,
    beyond_conclusions,
    bullets,
    conclude,
    slice_conclusions,
    style_conclusions,
)
from recsys.evaluation.significance import Interval


def figure(mean: float, difference: float | None = None, corrected: float = 0.01) -> MetricValue:
    if difference is None:
        return MetricValue(Interval(mean, mean - 0.01, mean + 0.01), 50)
    paired = Interval(difference, difference - 0.02, difference + 0.01)
    return MetricValue(Interval(mean, mean - 0.01, mean + 0.01), 50, corrected, corrected, paired)


def report_of(
    figures: dict[str, MetricValue], *, users: int = 50, **beyond: dict[str, MetricValue]
) -> ComparisonReport:
    """NDCG by model, the blend being the baseline, and further metrics by model; one slice like the whole."""
    by_model = {
        name: {"ndcg": found, **{metric: values[name] for metric, values in beyond.items()}}
        for name, found in figures.items()
    }
    part = SliceReport(
        "tail items", users, 2 * users, {name: {"ndcg": each["ndcg"]} for name, each in by_model.items()}
    )
    whole = SliceReport("all users", 50, 100, by_model)
    return ComparisonReport("by time", "blend", 10, 0, 9, 9, 30, 0, None, whole, (part,))


GOOD = {"blend": figure(0.2), "popularity": figure(0.1, -0.1), "als": figure(0.19, -0.01, 0.6)}


def test_the_difference_turns_with_the_question() -> None:
    whole = report_of(GOOD).whole
    asked, turned = (
        conclude(whole, "blend", "popularity", "blend", "ndcg"),
        conclude(whole, "blend", "blend", "popularity", "ndcg"),
    )
    assert asked is not None
    assert turned is not None
    assert (asked.outcome, turned.outcome) == (Outcome.BELOW, Outcome.ABOVE)
    assert turned.difference == Interval(0.1, pytest.approx(0.09), pytest.approx(0.12))
    assert str(turned) == "yes, +0.100 [+0.090, +0.120] (p = 0.010)"


@pytest.mark.parametrize(
    ("difference", "corrected", "said"),
    [(-0.1, 0.001, "NDCG@10: yes, +0.100"), (0.1, 0.001, "no, below it, -0.100"), (-0.1, 0.2, "not shown, +0.100")],
)
def test_each_outcome_of_beating_popularity(difference: float, corrected: float, said: str) -> None:
    found = accuracy_conclusions(report_of({**GOOD, "popularity": figure(0.1, difference, corrected)}))
    assert said in found[0]


def test_a_better_model_is_named_and_an_open_one_too() -> None:
    assert "Not told apart from it by this many users: als." in accuracy_conclusions(report_of(GOOD))[1]
    better = accuracy_conclusions(report_of({**GOOD, "ease": figure(0.3, 0.1)}))[1]
    assert better.startswith("Better than blend on this data: ease (yes, +0.100")


def test_slices_of_few_people_say_so() -> None:
    assert slice_conclusions(report_of(GOOD, users=19)) == ["tail items: only 19 users, which says next to nothing."]
    assert "blend beats popularity: yes" in slice_conclusions(report_of(GOOD, users=20))[0]


def test_a_slice_without_anybody_says_so() -> None:
    empty = SliceReport("cold items", 0, 0, {})
    assert conclude(empty, "blend", "blend", "popularity", "ndcg") is None


def test_style_is_measured_against_the_controls() -> None:
    controls = {"blend, shuffled style": figure(0.18, -0.02, 0.01), "blend, random style": figure(0.2, 0.0, 1.0)}
    found = style_conclusions(report_of({**GOOD, **controls}))
    assert found[0].startswith("all users: style lifts NDCG@10: yes, +0.020")
    assert "over shuffled style; not shown" in found[0]
    assert len(found) == 2
    with pytest.raises(DataError, match="controls=True"):
        style_conclusions(report_of(GOOD))


def test_controls_are_no_rivals() -> None:
    controls = {"blend, shuffled style": figure(0.3, 0.1, 0.01)}
    assert "No other model" in accuracy_conclusions(report_of({**GOOD, **controls}))[1]


def test_what_lists_are_beside_accurate() -> None:
    coverage = {"blend": figure(0.9), "popularity": figure(0.04), "als": figure(0.8)}
    novelty = {"blend": figure(5.0), "popularity": figure(4.0, -1.0), "als": figure(5.0, 0.0, 1.0)}
    found = beyond_conclusions(report_of(GOOD, coverage=coverage, novelty=novelty))
    assert found[0] == "Of the catalog, to anybody at all, blend shows 90%, popularity shows 4%."
    assert found[1].startswith("blend shows less known items than popularity: yes, +1.000")
    assert len(found) == 2


def test_wrong_questions_are_refused() -> None:
    whole = report_of(GOOD).whole
    with pytest.raises(DataError, match="one of the two must be the baseline 'blend'"):
        conclude(whole, "blend", "als", "popularity", "ndcg")
    with pytest.raises(DataError, match="'style_knn' is none of the models compared: blend, popularity, als"):
        conclude(whole, "blend", "style_knn", "blend", "ndcg")
    with pytest.raises(DataError, match="'recall' is none of the metrics"):
        conclude(whole, "blend", "als", "blend", "recall")


def test_bullets_are_a_markdown_list() -> None:
    assert bullets(["blend wins.", "Next."]) == "- Blend wins.\n- Next."
