"""Synthetic logs of experiments with planted effects, which an analysis has to find.

For notebooks and tests of the analysis; the package itself does not use them. Lifts are planted directly in metrics,
without a catalog or a pipeline, so that hundreds of experiments take seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError, ExperimentError
from recsys.experiments.analysis.unit_table import BEFORE_DAYS
from recsys.experiments.design.assignment import Plan
from recsys.experiments.design.definition import Experiment
from recsys.experiments.stats.moments import Values
from recsys.rng import generator
from recsys.schema import EventKind, IntArray
from recsys.simulation.activity import draw_dwell_factors
from recsys.simulation.clicks import log_examination
from recsys.simulation.log_frames import EVENT_ORDER, SimulatedLogs, build_events

ITEMS = 499
"""Number of items; a prime, so that steps through the catalog meet each item once."""
ITEM_IDS = np.array([f"i{number:03d}" for number in range(ITEMS)], dtype=object)
LIST_LENGTH = 10
PAST = {EventKind.CLICK: 8.0, EventKind.CART: 2.0, EventKind.PURCHASE: 0.4, EventKind.VIEW: 3.0}
"""Mean events before the start of a user who is not new."""
PLATFORMS = np.array(["android", "ios", "web"])


@dataclass(frozen=True, slots=True)
class Planted:
    """Relative lifts of an arm by metric: 0.05 makes the mean over users 5 % larger.

    `amount` is the lift of the mean amount of a purchase. Hence revenue per user rises by
    (1 + conversion)(1 + amount) - 1.
    """

    ctr: float = 0.0
    add_to_cart: float = 0.0
    conversion: float = 0.0
    amount: float = 0.0
    dwell: float = 0.0
    satisfaction: float = 0.0
    style_diversity: float = 0.0


NOTHING_PLANTED = Planted()


@dataclass(frozen=True, slots=True)
class Population:
    """Population of an experiment.

    Users differ from each other and do not change, so that their past predicts their future.

    Attributes:
        users: Number of users.
        days: Days from the start on.
        visits: Mean visits of a user.
        new: Share of users without a past.
        clicks: Mean clicks per impression.
        carts: Mean items added to the cart per impression.
        buyers: Share of users who buy.
        amount: Mean amount of a purchase.
        dwell: Mean dwell time in seconds.
        satisfied: Share of satisfied ratings.
        diversity: Mean style diversity of a list.
    """

    users: int = 6_000
    days: int = 14
    visits: float = 4.0
    new: float = 0.3
    clicks: float = 0.06
    carts: float = 0.015
    buyers: float = 0.12
    amount: float = 40.0
    dwell: float = 12.0
    satisfied: float = 0.6
    diversity: float = 0.4


_DEFAULT_POPULATION = Population()


def simulate_logs(
    experiment: Experiment,
    planted: Mapping[str, Planted],
    population: Population = _DEFAULT_POPULATION,
    *,
    seed: int = 0,
) -> SimulatedLogs:
    """Simulate logs of a running experiment, from `BEFORE_DAYS` before its start on, with its own assignment.

    Args:
        experiment: Experiment that was started.
        planted: Lifts by arm; arms without an entry have none.
        population: Users and their mean behavior.
        seed: Seed of users, visits and noise, which do not depend on lifts.

    Raises:
        ExperimentError: The experiment is a draft.
        ConfigError: An arm is unknown, or a lift is -1 or less.
    """
    if experiment.started_at is None:
        raise ExperimentError(f"{experiment.key}: is a draft without a time for its logs; start it first")
    for arm, lifts in planted.items():
        if arm not in experiment.arms:
            raise ConfigError(f"planted: the experiment has no arm {arm!r}; it has {', '.join(experiment.arms)}")
        wrong = [name for name in Planted.__slots__ if not getattr(lifts, name) > -1.0]
        if wrong:
            raise ConfigError(f"planted for {arm!r}: {wrong[0]} is {getattr(lifts, wrong[0])}: give a lift above -1")
    return _Simulation(experiment, planted, population, seed).run()


class _Simulation:
    def __init__(
        self, experiment: Experiment, planted: Mapping[str, Planted], population: Population, seed: int
    ) -> None:
        self.experiment, self.population, self.seed = experiment, population, seed
        self.start = experiment.started_at or 0
        self.ids = np.array([f"u{number:06d}" for number in range(population.users)], dtype=object)
        self.arms = tuple(experiment.shares)
        self.arm = Plan.from_experiment(experiment).assign_many(self.ids.tolist())
        self.planted = [planted.get(name, NOTHING_PLANTED) for name in self.arms]
        random = self._random("people")
        self.activity = random.gamma(4.0, 0.25, population.users)
        self.new = random.random(population.users) < population.new
        self.platform = PLATFORMS[random.integers(len(PLATFORMS), size=population.users)]
        self.unit, self.time = self._visits()

    def run(self) -> SimulatedLogs:
        exposures = self._exposures()
        items = np.stack(exposures["items"].to_list()) if len(exposures) else np.zeros((0, LIST_LENGTH), dtype=object)
        requests = exposures["request_id"].to_numpy()
        events = [
            self._list_events(EventKind.CLICK, self.population.clicks, "ctr", items, requests),
            self._list_events(EventKind.CART, self.population.carts, "add_to_cart", items, requests),
            self._views(),
            self._purchases(),
            self._past(),
        ]
        together = pd.concat([frame for frame in events if len(frame)], ignore_index=True)
        together["position"] = together["position"].astype("Int64")
        together = together.sort_values(EVENT_ORDER, ignore_index=True)
        return SimulatedLogs(exposures, together, self._ratings())

    def _random(self, purpose: str) -> np.random.Generator:
        return generator(self.seed, "simulated logs", self.experiment.key, purpose)

    def _factors(self, name: str, arm: IntArray) -> Values:
        """Return 1 + lift for each arm code, 1 outside of the experiment."""
        # Code -1 (OUTSIDE) is the last entry.
        lifts = np.array([getattr(planted, name) for planted in self.planted] + [0.0])
        return np.asarray(1.0 + lifts[arm])

    def _visits(self) -> tuple[IntArray, IntArray]:
        """Draw user and time of each visit; first visits are uniform over all days, later ones over the rest."""
        random, population = self._random("visits"), self.population
        length = population.days * SECONDS_PER_DAY
        first = random.integers(length, size=population.users)
        further = random.poisson(population.visits - 1.0, population.users)
        unit = np.concatenate([np.arange(population.users), np.repeat(np.arange(population.users), further)])
        later = random.random(int(further.sum()))
        own = np.repeat(first, further)
        time = np.concatenate([first, own + (later * (length - own)).astype(np.int64)])
        order = np.lexsort((unit, time))
        return unit[order], self.start + time[order]

    def _exposures(self) -> pd.DataFrame:
        random, count = self._random("lists"), len(self.unit)
        begin, step = random.integers(ITEMS, size=count), random.integers(1, ITEMS, size=count)
        rows = (begin[:, None] + step[:, None] * np.arange(LIST_LENGTH)) % ITEMS
        arm = self.arm[self.unit]
        # The last entry is for `OUTSIDE`.
        shares = np.array([*self.experiment.shares.values(), np.nan])
        variety = random.beta(8.0, 8.0 * (1.0 / self.population.diversity - 1.0), count)
        return pd.DataFrame(
            {
                "request_id": [f"r{number:07d}" for number in range(count)],
                "unit": self.ids[self.unit],
                "timestamp": self.time,
                "model_version": "simulated",
                "experiment": np.array([*[self.experiment.key] * len(self.arms), None], dtype=object)[arm],
                "arm": np.array([*self.arms, None], dtype=object)[arm],
                "propensity": shares[arm],
                "items": list(ITEM_IDS[rows]),
                "propensities": list(np.ones((count, LIST_LENGTH))),
                "style_diversity": np.minimum(variety * self._factors("style_diversity", arm), 2.0),
                "platform": self.platform[self.unit],
            }
        )

    def _list_events(
        self, kind: EventKind, mean: float, name: str, items: np.ndarray, requests: np.ndarray
    ) -> pd.DataFrame:
        """Draw events on items (V, K) of the lists, more of them near the top."""
        random = self._random(kind)
        examination = log_examination(LIST_LENGTH)
        rate = mean * self.activity[self.unit] * self._factors(name, self.arm[self.unit])
        probability = rate[:, None] * (examination / examination.mean())
        row, position = np.nonzero(random.random(probability.shape) < probability)
        after = random.integers(5, 120, size=len(row))
        return build_events(
            self.ids[self.unit[row]], items[row, position], kind, self.time[row] + after,
            request_id=requests[row], position=position + 1,
        )  # fmt: skip

    def _views(self) -> pd.DataFrame:
        random = self._random("looks")
        factors = draw_dwell_factors(random, (len(self.unit),))
        seconds = factors * self.population.dwell * self._factors("dwell", self.arm[self.unit])
        item = ITEM_IDS[random.integers(ITEMS, size=len(self.unit))]
        return build_events(self.ids[self.unit], item, EventKind.VIEW, self.time + 3, dwell_s=np.round(seconds, 1))

    def _purchases(self) -> pd.DataFrame:
        """Draw purchases: buyers buy at their last visit, some of them twice."""
        random, population = self._random("purchases"), self.population
        last = np.zeros(population.users, dtype=np.int64)
        np.maximum.at(last, self.unit, self.time)
        probability = population.buyers * self.activity * self._factors("conversion", self.arm)
        buys, again = random.random(population.users) < probability, random.random(population.users) < 0.3
        noise = random.lognormal(-0.32, 0.8, (2, population.users))
        buyer = np.concatenate([np.flatnonzero(buys), np.flatnonzero(buys & again)])
        # 0 for first purchases, 1 for second ones.
        second = np.concatenate([np.zeros(int(buys.sum()), dtype=int), np.ones(int((buys & again).sum()), dtype=int)])
        amount = noise[second, buyer] * population.amount * self._factors("amount", self.arm[buyer])
        return build_events(
            self.ids[buyer], "i000", EventKind.PURCHASE, last[buyer] + 300 + 60 * second, amount=np.round(amount, 2)
        )

    def _past(self) -> pd.DataFrame:
        """Draw events of users who are not new in the weeks before the start."""
        random, population = self._random("past"), self.population
        known = np.flatnonzero(~self.new)
        window = (self.start - BEFORE_DAYS * SECONDS_PER_DAY, self.start)
        frames = []
        for kind, mean in PAST.items():
            unit = np.repeat(known, random.poisson(mean * self.activity[known]))
            time = random.integers(*window, size=len(unit))
            amount = np.round(random.lognormal(-0.32, 0.8, len(unit)) * population.amount, 2)
            seconds = np.round(draw_dwell_factors(random, (len(unit),)) * population.dwell, 1)
            frames.append(
                build_events(
                    self.ids[unit],
                    "i001",
                    kind,
                    time,
                    amount=amount if kind is EventKind.PURCHASE else None,
                    dwell_s=seconds if kind is EventKind.VIEW else None,
                )
            )
        return pd.concat([frame.dropna(axis=1, how="all") for frame in frames], ignore_index=True)

    def _ratings(self) -> pd.DataFrame:
        random = self._random("verdicts")
        rated = np.flatnonzero(random.random(len(self.unit)) < 0.3)
        probability = self.population.satisfied * self._factors("satisfaction", self.arm[self.unit[rated]])
        satisfied = random.random(len(rated)) < probability
        return pd.DataFrame(
            {"unit": self.ids[self.unit[rated]], "satisfied": satisfied, "timestamp": self.time[rated] + 30}
        )
