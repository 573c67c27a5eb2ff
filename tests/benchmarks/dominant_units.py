"""False findings of A/A tests with crawlers and huge orders, and the power on clean logs beside the plain tests.

    python tests/benchmarks/dominant_units.py [--runs 400] [--only NAME]

Each run simulates new logs of 2,000 people in two arms and analyzes them whole, with one look. Printed by case: the
share of runs that find a difference (nominal 5 %), the share that is not sound, and the share found by the plain tests
without caps: the delta method for ratios, Welch's test for revenue. Cases with an effect give the power of both.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.experiments.analysis.analyze import analyze
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.lifecycle import start
from recsys.experiments.stats.fixed import welch
from recsys.experiments.stats.moments import JointMoments
from recsys.rng import generator

START, DAY, DAYS, PLACES = 1_790_000_000, 86_400, 14, 10
ARMS = ("mild", "now")
ITEMS = [f"i{place}" for place in range(PLACES)]


@dataclass(frozen=True)
class Crawlers:
    """Units with many lists. `arm`: the arm of all of them, by chance if empty; `rate`: clicks per item shown."""

    count: int = 0
    lists: int = 5_000
    rate: float = 0.0
    arm: str = ""


@dataclass(frozen=True)
class Case:
    """One kind of logs. `lists`: mean lists per person, `sigma`: spread of the logarithm of lists and of amounts."""

    metric: str
    people: int = 2_000
    lists: float = 1.0
    sigma: float = 0.0
    rate: float = 0.1
    lift: float = 0.0
    crawlers: Crawlers = Crawlers()
    orders: tuple[float, ...] = ()
    order_arm: str = ""
    wholesale: int = 0


def draw(case: Case, random: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw exposures and events of one run."""
    people = case.people
    arm = random.integers(2, size=people)
    lists = np.ones(people, dtype=np.int64)
    if case.lists > 1.0:
        lists = 1 + random.poisson(case.lists * random.lognormal(-(case.sigma**2) / 2, case.sigma, people))
    rate = np.full(people, case.rate)
    extra = case.crawlers
    named = [f"u{unit}" for unit in range(people)] + [f"bot{unit}" for unit in range(extra.count)]
    chosen = np.full(extra.count, ARMS.index(extra.arm)) if extra.arm else random.integers(2, size=extra.count)
    arm = np.concatenate([arm, chosen])
    lists = np.concatenate([lists, np.full(extra.count, extra.lists)])
    rate = np.concatenate([rate * (1.0 + case.lift * (arm[:people] == 0)), np.full(extra.count, extra.rate)])
    unit = np.repeat(np.arange(len(arm)), lists)
    when = START + random.integers(DAYS * DAY, size=len(unit))
    request = np.char.add("r", np.arange(len(unit)).astype(str))
    names = np.array(named)
    exposures = pd.DataFrame(
        {
            "request_id": request,
            "unit": names[unit],
            "timestamp": when,
            "experiment": "e1",
            "arm": np.array(ARMS)[arm[unit]],
            "items": [ITEMS] * len(unit),
        }
    )
    chance = rate[unit] if case.metric == "ctr" else np.zeros(len(unit))
    clicked = random.random((len(unit), PLACES)) < chance[:, None]
    row, place = np.nonzero(clicked)
    clicks = pd.DataFrame(
        {
            "unit": names[unit[row]],
            "item_id": np.array(ITEMS)[place],
            "event": "click",
            "timestamp": when[row] + 5,
            "amount": np.nan,
            "request_id": request[row],
        }
    )
    bought = np.flatnonzero(random.random(people) < rate[:people]) if case.metric != "ctr" else np.zeros(0, np.int64)
    first = np.full(len(arm), np.iinfo(np.int64).max)
    np.minimum.at(first, unit, when)
    amounts = 30.0 * random.lognormal(0.0, case.sigma or 1.0, len(bought))
    buyers = np.concatenate([bought, np.repeat(random.integers(people, size=case.wholesale), 200)])
    amounts = np.concatenate([amounts, 30.0 * random.lognormal(0.0, 0.5, len(buyers) - len(amounts))])
    for order in case.orders:
        pool = np.flatnonzero(arm[:people] == ARMS.index(case.order_arm)) if case.order_arm else np.arange(people)
        buyers, amounts = np.append(buyers, random.choice(pool)), np.append(amounts, order)
    purchases = pd.DataFrame(
        {
            "unit": names[buyers],
            "item_id": "i0",
            "event": "purchase",
            "timestamp": first[buyers] + 9 + np.arange(len(buyers)) % 1000,
            "amount": amounts,
            "request_id": None,
        }
    )
    return exposures, pd.concat([clicks, purchases], ignore_index=True)


def declare(metric: str) -> Experiment:
    """Declare a started experiment on one metric, with one look."""
    draft = Experiment.model_validate(
        {
            "key": "e1",
            "title": "A/A",
            "hypothesis": "None",
            "control": "now",
            "arms": {"now": {}, "mild": {"overrides": {"strength": 0.3}}},
            "metrics": [{"name": metric}],
            "decision": {"looks": "fixed", "end_at": "2026-10-05T14:13:20Z"},
        }
    )
    return start(draft, START)


def test_plainly(case: Case, exposures: pd.DataFrame, events: pd.DataFrame) -> bool:
    """Test without caps; return True if there is a finding."""
    arms = exposures.groupby("unit")["arm"].first()
    value = events.assign(value=1.0 if case.metric == "ctr" else events["amount"]).groupby("unit")["value"].sum()
    numerator = value.reindex(arms.index, fill_value=0.0)
    shown = exposures.groupby("unit").size().reindex(arms.index) * float(PLACES)
    moments = []
    for name in ARMS:
        own = (arms == name).to_numpy()
        if case.metric == "ctr":
            moments.append(JointMoments.from_columns(numerator[own], shown[own]).ratio().marginal())
        else:
            moments.append(JointMoments.from_columns(numerator[own]).marginal())
    return welch(*moments, level=0.95).p_value <= 0.05


CLICKS = {
    f"{count} x {lists:,} lists, rate {rate:g}, arm {arm or 'any'}": Case(
        "ctr", crawlers=Crawlers(count, lists, rate, arm)
    )
    for count, lists, rate, arm in (
        (1, 300, 0.0, "now"),
        (1, 5_000, 0.0, "now"),
        (1, 5_000, 1.0, "mild"),
        (1, 20_000, 0.0, ""),
        (5, 1_000, 0.0, "now"),
        (5, 1_000, 1.0, "mild"),
        (5, 2_000, 0.05, ""),
        (3, 300, 0.0, "now"),
    )
}
HEAVY = {
    f"heavy lists, {name}": Case("ctr", lists=6.0, sigma=1.2, crawlers=crawlers)
    for name, crawlers in {
        "no crawler": Crawlers(),
        "5 x 300, arm now": Crawlers(5, 300, 0.0, "now"),
        "5 x 3,000, arm now": Crawlers(5, 3_000, 0.0, "now"),
        "5 x 300 clicking, arm mild": Crawlers(5, 300, 0.9, "mild"),
    }.items()
}
MONEY = {
    "one order of 1,000,000": Case("revenue_per_user", orders=(1e6,)),
    "one order of 1,000": Case("revenue_per_user", orders=(1e3,)),
    "five huge orders, any arm": Case("revenue_per_user", orders=(1e4, 1e5, 1e6, 1e6, 3e6)),
    "five huge orders, arm now": Case("revenue_per_user", orders=(1e4, 1e5, 1e6, 1e6, 3e6), order_arm="now"),
    "five orders of 1,000, arm now": Case("revenue_per_user", orders=(1e3,) * 5, order_arm="now"),
    "a wholesale customer": Case("revenue_per_user", wholesale=1),
    "three wholesale customers": Case("revenue_per_user", wholesale=3),
    "sigma 2": Case("revenue_per_user", sigma=2.0),
}
POWER = {
    "clicks, lift 12 %": Case("ctr", lift=0.12),
    "clicks, heavy lists, lift 10 %": Case("ctr", lists=6.0, sigma=1.2, lift=0.10),
    "revenue, 10 % buy, lift 40 %": Case("revenue_per_user", lift=0.40),
    "revenue, sigma 1.5, lift 60 %": Case("revenue_per_user", sigma=1.5, lift=0.60),
    "revenue, sigma 2, lift 80 %": Case("revenue_per_user", sigma=2.0, lift=0.80),
}


def measure(name: str, case: Case, runs: int) -> str:
    """Analyze `runs` logs of a case and describe the results."""
    experiment, found, unsound, plain = declare(case.metric), 0, 0, 0
    for run in range(runs):
        exposures, events = draw(case, generator(run, f"dominant units {name}"))
        result = analyze(experiment, Logs.from_frames(exposures, events), START + (DAYS + 1) * DAY, assigned_here=False)
        unsound += not result.healthy
        found += any(one.better or one.worse for one in result.primary)
        plain += test_plainly(case, exposures, events)
    return f"{name:<45} found {found / runs:6.1%}  not sound {unsound / runs:6.1%}  plain test {plain / runs:6.1%}"


def main() -> None:
    """Print one line per case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--only", default="", help="part of a case's name")
    asked = parser.parse_args()
    groups: dict[str, dict[str, Case]] = {
        "A/A, clicks": {"no crawler": Case("ctr"), **CLICKS, **HEAVY},
        "A/A, revenue": MONEY,
        "power on clean logs": POWER,
    }
    for title, cases in groups.items():
        print(title, flush=True)
        for name, case in cases.items():
            if asked.only in name:
                print("  " + measure(name, case, asked.runs), flush=True)


if __name__ == "__main__":
    main()
