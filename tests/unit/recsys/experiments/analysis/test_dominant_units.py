"""A few crawlers or huge orders decide nothing, and a finding that rests on them is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.analysis.decision import Advice
from recsys.experiments.analysis.log_health import Check, Finding
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.design.definition import Experiment
from recsys.experiments.stats.moments import JointMoments, jackknife_variance
from recsys.reports.experiment_view import build_view
from recsys.rng import generator

Maker = Callable[..., Experiment]
START, DAY, PEOPLE = 1_790_000_000, 86_400, 1_000
NOW = START + 15 * DAY


def people(seed: int = 0, *, bought: float = 0.2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Exposures and events of people in two equal arms, a list each; 10 % of items are clicked, some people buy."""
    random = generator(seed, "dominant units")
    numbers = np.arange(PEOPLE)
    exposures = pd.DataFrame(
        {
            "request_id": [f"r{number}" for number in numbers],
            "unit": [f"u{number}" for number in numbers],
            "timestamp": START + random.integers(14 * DAY, size=PEOPLE),
            "experiment": "mild",
            "arm": np.where(numbers % 2 == 0, "now", "mild"),
            "items": [["i0", "i1", "i2", "i3"]] * PEOPLE,
        }
    )
    row, place = np.nonzero(random.random((PEOPLE, 4)) < 0.1)
    clicks = {"item_id": np.char.add("i", place.astype(str)), "event": "click", "amount": np.nan}
    buyers = np.flatnonzero(random.random(PEOPLE) < bought)
    sold = {"item_id": "i0", "event": "purchase", "amount": random.exponential(30.0, len(buyers)).round(2)}
    shared = ("unit", "request_id", "timestamp")
    events = pd.concat(
        [exposures.loc[row, list(shared)].assign(**clicks), exposures.loc[buyers, list(shared)].assign(**sold)]
    )
    return exposures, events.reset_index(drop=True)


def crawl(exposures: pd.DataFrame, lists: int, arm: str, name: str = "crawler") -> pd.DataFrame:
    """The exposures and those of a crawler, which asks for a list each minute."""
    own = {
        "request_id": [f"{name}{number}" for number in range(lists)],
        "unit": name,
        "timestamp": START + 60 * np.arange(lists),
        "experiment": "mild",
        "arm": arm,
        "items": [["i0", "i1", "i2", "i3"]] * lists,
    }
    return pd.concat([exposures, pd.DataFrame(own)], ignore_index=True)


def analyzed(trial: Maker, exposures: pd.DataFrame, events: pd.DataFrame, metric: str = "ctr") -> Analysis:
    return analyze(
        trial(metrics=[{"name": metric}], guardrails=[]), Logs.from_frames(exposures, events), NOW, assigned_here=False
    )


def dominant(found: Analysis) -> Finding:
    return next(one for one in found.health if one.check is Check.DOMINANT)


def test_a_clean_log_keeps_its_plain_ratio(trial: Maker) -> None:
    exposures, events = people()
    found = analyzed(trial, exposures, events)
    (ctr,) = found.primary
    arm = exposures.set_index("request_id")["arm"].reindex(events["request_id"])
    clicks = arm[(events["event"] == "click").to_numpy()].value_counts()
    assert ctr.arm_mean == pytest.approx(clicks["mild"] / (4 * PEOPLE / 2), rel=1e-12)
    assert ctr.control_mean == pytest.approx(clicks["now"] / (4 * PEOPLE / 2), rel=1e-12)
    assert dominant(found).sound
    assert dominant(found).words.startswith("No unit is far above all others. The largest holds ")


@pytest.mark.parametrize("lists", [300, 5_000])
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("arm", ["now", "mild"])
def test_crawlers_change_no_estimate(trial: Maker, lists: int, count: int, arm: str) -> None:
    exposures, events = people()
    (clean,) = analyzed(trial, exposures, events).primary
    for number in range(count):
        exposures = crawl(exposures, lists, arm, f"crawler{number}")
    found = analyzed(trial, exposures, events)
    (ctr,) = found.primary
    assert (ctr.arm_mean, ctr.control_mean) == pytest.approx((clean.arm_mean, clean.control_mean), rel=1e-12)
    assert found.decision.advice is not Advice.SHIP
    assert dominant(found).words.startswith(f"Ctr: {count} unit")
    assert "2026-09-21T14:13:20Z" in dominant(found).words


def test_a_crawler_that_clicks_everything_changes_no_estimate(trial: Maker) -> None:
    exposures, events = people()
    (clean,) = analyzed(trial, exposures, events).primary
    crawled = crawl(exposures, 1_000, "mild")
    own = crawled[crawled["unit"] == "crawler"]
    clicks = pd.concat(
        [own[["unit", "request_id", "timestamp"]].assign(item_id=f"i{place}", event="click") for place in range(4)]
    )
    (ctr,) = analyzed(trial, crawled, pd.concat([events, clicks], ignore_index=True)).primary
    assert ctr.arm_mean == pytest.approx(clean.arm_mean, rel=1e-12)


def test_a_finding_that_rests_on_the_most_active_is_no_finding(trial: Maker) -> None:
    """Five units with 2.5 times the lists of the next ones are not far above them, and yet make the difference."""
    exposures, events = people()
    for number in range(30):
        exposures = crawl(exposures, 20, ("now", "mild")[number % 2], f"fan{number}-")
    fans = exposures[exposures["unit"].str.startswith("fan")]
    # Four clicks in ten lists of four items: 10 %, as everybody.
    liked = fans[fans["request_id"].str[-1].isin(list("0123"))]
    events = pd.concat(
        [events, liked[["unit", "request_id", "timestamp"]].assign(item_id="i0", event="click")], ignore_index=True
    )
    assert dominant(analyzed(trial, exposures, events)).sound
    for number in range(5):
        exposures = crawl(exposures, 50, "now", f"crawler{number}")
    found = analyzed(trial, exposures, events)
    assert not dominant(found).sound
    assert "is lost without the 5 largest units" in dominant(found).words
    assert found.decision.advice is Advice.FIX_DATA


@pytest.mark.parametrize("amount", [1e3, 1e6, 1e9])
def test_a_huge_order_counts_as_the_sixth_largest(trial: Maker, amount: float) -> None:
    exposures, events = people()
    sold = events.index[events["event"] == "purchase"]
    spent = events.loc[sold].groupby("unit")["amount"].sum().sort_values()
    events.loc[sold[0], "amount"] = amount
    found = analyzed(trial, exposures, events, "revenue_per_user")
    (revenue,) = found.primary
    cap = revenue.cap
    assert cap is not None
    usual = spent.drop(events.loc[sold[0], "unit"])
    assert cap.value == pytest.approx(usual.iloc[-5], abs=1e-5)
    assert cap.cut == 5
    assert cap.removed == pytest.approx(1.0 - (usual.clip(upper=cap.value).sum() + cap.value) / (usual.sum() + amount))
    notes = " ".join(build_view(found).notes)
    assert f"Revenue of one unit counts up to {cap.value:,.2f}" in notes
    assert f"It cuts 5 units and removes {cap.removed:.2%} of all revenue" in notes
    assert "decides nothing" not in notes
    assert revenue.arm_mean < 20.0


def test_the_jackknife_sees_one_unit_that_holds_the_denominator() -> None:
    random = generator(1, "jackknife")
    denominator = np.full(500, 10.0)
    numerator = random.binomial(10, 0.1, 500).astype(np.float64)

    def delta() -> float:
        return JointMoments.from_columns(numerator, denominator).ratio().marginal().variance_of_mean

    assert jackknife_variance(numerator, denominator) == pytest.approx(delta(), rel=0.01)
    # The variance by its definition.
    without = np.array([np.delete(numerator, one).sum() / np.delete(denominator, one).sum() for one in range(500)])
    by_definition = 499 / 500 * np.sum((without - without.mean()) ** 2)
    assert jackknife_variance(numerator, denominator) == pytest.approx(by_definition, rel=1e-9)
    numerator[0], denominator[0] = 0.0, 50_000.0
    assert jackknife_variance(numerator, denominator) > 4.0 * delta()
