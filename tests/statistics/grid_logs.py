"""A/A logs of a shop, and what the whole analysis says of them on its days: the part of the grid from logs to decision.

Units come in over the days, some of them hundreds of times; weekdays differ; most have a past, so that CUPED adjusts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.clock import SECONDS_PER_DAY
from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.analysis.decision import Advice
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.lifecycle import start
from recsys.rng import generator
from recsys.schema import EventKind
from recsys.simulation.log_frames import build_events
from tests.statistics.grid_draws import WEEK

START, DAYS, MINIMUM_DAYS = 1_790_000_000, 20, 14
ITEMS = [np.array([f"i{10 * row + place}" for place in range(10)], dtype=object) for row in range(20)]


@dataclass(frozen=True, slots=True)
class Shop:
    """Shop whose logs are drawn.

    Attributes:
        metric: name of the primary metric.
        split: weights of the control and of the other arms.
        units: number of units of all arms.
        sigma: deviation of the logarithm of amounts and of a unit's number of visits.
        at_once: True if all units come in on the first day, else over all days, more of them early.
        end: True if the end is declared.
        looks: monitoring, `sequential` or `fixed`.
    """

    metric: str
    split: tuple[float, ...]
    units: int
    sigma: float = 1.0
    at_once: bool = False
    end: bool = False
    looks: str = "sequential"

    def __str__(self) -> str:
        split = "/".join(f"{100 * share:.0f}" for share in self.split)
        came = "all on the first day" if self.at_once else "over 20 days"
        looks = "one look" if self.looks == "fixed" else "declared end" if self.end else "no end"
        return f"{self.metric}, {split}, {self.units} units {came}, sigma {self.sigma}, {looks}"


SHOPS = [
    Shop("conversion", (0.9, 0.1), 4_000),
    Shop("conversion", (0.1, 0.9), 4_000, end=True),
    Shop("revenue_per_user", (0.95, 0.05), 8_000, sigma=1.5),
    Shop("revenue_per_user", (0.1, 0.9), 4_000, end=True),
    Shop("revenue_per_user", (0.5, 0.5), 2_000, at_once=True, end=True),
    Shop("revenue_per_user", (0.8, 0.2), 4_000, looks="fixed"),
    Shop("ctr", (0.9, 0.05, 0.05), 4_000, sigma=1.5),
    Shop("ctr", (0.05, 0.95), 4_000, end=True),
    Shop("ctr", (0.9, 0.1), 2_000, at_once=True, end=True),
    Shop("add_to_cart", (0.9, 0.1), 2_000, looks="fixed"),
    Shop("add_to_cart", (0.5, 0.5), 2_000, sigma=1.5, at_once=True, end=True),
]
"""Shops of the grid."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a page said of an experiment without an effect.

    `ever`: the primary interval left out 0 on some day. `shipped`, `worse`: on some day with a decision. `claimed`: any
    metric, guardrail or segment was called better, worse or harmed at the end. `sound`: health checks at the end.
    """

    ever: bool
    shipped: bool
    worse: bool
    claimed: bool
    sound: bool


def declare(shop: Shop, key: str) -> Experiment:
    """Declare the experiment, and start it."""
    others = [name for name in ("ctr", "conversion", "revenue_per_user", "add_to_cart") if name != shop.metric]
    decision = {"looks": shop.looks, "minimum_days": MINIMUM_DAYS}
    if shop.end or shop.looks == "fixed":
        decision["end_at"] = START + DAYS * SECONDS_PER_DAY
    arms = {f"arm{code}": {"weight": weight} | ({} if code == 0 else {"overrides": {"strength": code / 10}})
            for code, weight in enumerate(shop.split)}  # fmt: skip
    draft = {
        "key": key,
        "title": "Nothing",
        "hypothesis": "Nothing changes",
        "control": "arm0",
        "arms": arms,
        "metrics": [{"name": name} for name in (shop.metric, *others[:2])],
        "guardrails": [{"metric": others[2], "margin": 0.05}],
        "decision": decision,
    }
    return start(Experiment.model_validate(draft), START)


def draw_logs(shop: Shop, key: str, seed: int) -> Logs:
    """Draw exposures and events of arms that are alike."""
    random = generator(seed, "grid logs", str(shop))
    n, length = shop.units, DAYS * SECONDS_PER_DAY
    arm = random.choice(len(shop.split), size=n, p=np.array(shop.split) / sum(shop.split))
    habit = np.exp(0.7 * shop.sigma * random.standard_normal(n))
    day_weights = WEEK[np.arange(DAYS) % 7] / np.sqrt(1.0 + np.arange(DAYS) / 5.0)
    first_day = np.zeros(n, dtype=np.int64)
    if not shop.at_once:
        first_day = random.choice(DAYS, size=n, p=day_weights / day_weights.sum())
    first = (first_day + random.random(n)) * SECONDS_PER_DAY
    further = np.minimum(random.poisson(habit * (1.0 - first / length)), 300)
    unit = np.concatenate([np.arange(n), np.repeat(np.arange(n), further)])
    again = np.repeat(first, further)
    time = np.concatenate([first, again + random.random(len(again)) * (length - again)])
    time = START + time.astype(np.int64)
    names = np.array([f"u{number}" for number in range(n)], dtype=object)
    requests = np.array([f"r{number}" for number in range(len(unit))], dtype=object)
    exposures = pd.DataFrame(
        {
            "request_id": requests,
            "unit": names[unit],
            "timestamp": time,
            "model_version": "m",
            "experiment": key,
            "arm": np.array([f"arm{code}" for code in range(len(shop.split))], dtype=object)[arm[unit]],
            "items": [ITEMS[row] for row in random.integers(len(ITEMS), size=len(unit))],
            "propensities": [np.ones(10)] * len(unit),
            "platform": np.array(["app", "web"], dtype=object)[unit % 2],
        }
    )
    lists = exposures["items"].to_numpy()
    events = []
    taste = random.gamma(2.0, 0.5, n)
    for kind, rate in ((EventKind.CLICK, 0.3), (EventKind.CART, 0.06)):
        row = np.flatnonzero(random.random(len(unit)) < np.minimum(rate * taste[unit], 1.0))
        place = random.integers(10, size=len(row))
        item = np.array([lists[one][at] for one, at in zip(row, place, strict=True)], dtype=object)
        events.append(
            build_events(names[unit[row]], item, kind, time[row] + 9, request_id=requests[row], position=place + 1)
        )
    row = np.flatnonzero(random.random(len(unit)) < np.minimum(0.05 * taste[unit], 1.0))
    amount = np.round(20.0 * np.exp(shop.sigma * random.standard_normal(len(row))), 2)
    events.append(build_events(names[unit[row]], "i1", EventKind.PURCHASE, time[row] + 60, amount=amount))
    # Two thirds have a past.
    past = np.repeat(np.arange(n), random.poisson(2.0 * taste) * (np.arange(n) % 3 > 0))
    when = START - random.integers(1, 28 * SECONDS_PER_DAY, size=len(past))
    bought = random.random(len(past)) < 0.2
    amount = np.round(20.0 * np.exp(shop.sigma * random.standard_normal(int(bought.sum()))), 2)
    events.append(build_events(names[past[~bought]], "i1", EventKind.CLICK, when[~bought]))
    events.append(build_events(names[past[bought]], "i1", EventKind.PURCHASE, when[bought], amount=amount))
    together = pd.concat([frame.dropna(axis=1, how="all") for frame in events], ignore_index=True)
    together["position"] = together["position"].astype("Int64")
    return Logs.from_frames(exposures, together.sort_values("timestamp", ignore_index=True))


def measure_logs(shop: Shop, runs: int) -> Iterator[Outcome]:
    """Draw logs, and analyze them on each day from `MINIMUM_DAYS` on."""
    for seed in range(runs):
        key = f"nothing-{seed}"
        experiment, logs = declare(shop, key), draw_logs(shop, key, seed)
        days = range(MINIMUM_DAYS, DAYS + 1) if shop.looks == "sequential" else (DAYS,)
        found = [
            analyze(
                experiment,
                logs,
                START + (DAYS + 1) * SECONDS_PER_DAY,
                until=START + day * SECONDS_PER_DAY,
                assigned_here=False,
            )
            for day in days
        ]
        yield _read(found)


def _read(found: list[Analysis]) -> Outcome:
    last = found[-1]
    daily = [effect for look in last.over_time for effect in look.effects.values()]
    return Outcome(
        ever=any(not effect.absolute.low <= 0.0 <= effect.absolute.high for effect in daily),
        shipped=any(one.decision.advice is Advice.SHIP for one in found),
        worse=any(comparison.worse for one in found for comparison in one.primary),
        claimed=any(
            one.better or one.worse or (one.guardrail is not None and one.guardrail.verdict == "harmed")
            for one in last.comparisons
        )
        or any(segment.p_corrected <= 0.05 for segment in last.segments),
        sound=last.healthy,
    )
