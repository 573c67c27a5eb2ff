"""A comparison on a terminal: one line for each model at any width, with what fits, and what the marks mean."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from recsys.dataset.identifiers import ItemIdentifiers
from recsys.dataset.splits import SplitMethod, hold_out
from recsys.evaluation.comparison import ComparisonReport, Lens, compare_models
from recsys.evaluation.controls import popularity_only
from recsys.reports.comparison import print_comparison
from recsys.schema import INTERACTION_COLUMNS, FloatArray, IntArray

USERS, ITEMS = 40, 30
NAMES = ("popularity", "truth", "blend, shuffled style", "item_knn_cosine")


@pytest.fixture(scope="module")
def report() -> ComparisonReport:
    """Person u touches the items after u, one a second; the truth knows."""
    rows = [(f"u{u:02}", f"i{(u + t) % ITEMS:02}", "view", 1.0, t) for u in range(USERS) for t in range(8)]
    ids = ItemIdentifiers("item", [f"i{item:02}" for item in range(ITEMS)])
    holdout = hold_out(pd.DataFrame(rows, columns=list(INTERACTION_COLUMNS)), ids, SplitMethod.LEAVE_LAST, events=3)

    def truth(users: IntArray) -> FloatArray:
        return -((np.arange(ITEMS) - users[:, None]) % ITEMS).astype(np.float32)

    models = {name: popularity_only(holdout) for name in NAMES} | {"truth": truth}
    vectors = np.random.default_rng(0).normal(size=(ITEMS, 4)).astype(np.float32)
    return compare_models(models, holdout, baseline="popularity", split="the last 3", k=3, lens=Lens(vectors))


def shown(report: ComparisonReport, width: int) -> str:
    stream = io.StringIO()
    print_comparison(report, Console(file=stream, width=width))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_every_model_has_one_line_in_each_table_and_no_line_is_too_long(report: ComparisonReport, width: int) -> None:
    lines = shown(report, width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    for name in NAMES:
        assert sum(bool(re.match(rf"{re.escape(name)}\s+[\d-]", line)) for line in lines) == 3


def test_the_wider_the_terminal_the_more_is_shown(report: ComparisonReport) -> None:
    narrow, wide = shown(report, 80), shown(report, 200)
    assert all(metric in narrow for metric in ("recall@3", "ndcg@3", "mrr", "coverage"))
    assert "mrr@3" not in narrow
    assert all(metric in wide for metric in ("mrr@3", "gini", "precision"))


def test_figures_intervals_and_tests_are_those_of_the_report(report: ComparisonReport) -> None:
    text = shown(report, 80)
    figure = report.whole.figures["truth"]["recall"]
    assert figure.interval.mean == 1.0
    assert figure.corrected is not None
    assert figure.corrected < 0.001
    assert re.search(r"truth +1\.0000 \[\.912, 1\.00\] +<\.001 ", text)
    interval = report.whole.figures["popularity"]["ndcg"].interval
    low, high = (f"{bound:.3f}".removeprefix("0") for bound in (interval.low, interval.high))
    assert f"{interval.mean:.4f} [{low}, {high}]" in text
    # In the slices the truth is marked as different, what ranks like the baseline is not.
    tail = text[text.index("by slice") :]
    assert re.search(r"truth .*1\.0000\*", tail)
    assert not re.search(r"item_knn_cosine .*\*", tail)


def test_empty_slices_have_a_dash_and_the_end_says_how_to_read_it(report: ComparisonReport) -> None:
    text = " ".join(shown(report, 80).split())
    assert re.search(r"cold items, .*model +0 users", text)
    assert re.search(r"truth +- ", text)
    assert "against popularity, the baseline" in text
    assert "--table, --output" in text
