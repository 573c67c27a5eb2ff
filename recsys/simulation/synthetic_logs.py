"""Logs of people who were never there, with effects planted in them: what an analysis of them must find is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError, ExperimentError
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.analysis.unit_table import BEFORE_DAYS
from recsys.experiments.design.assignment import Plan
from recsys.experiments.design.definition import Experiment
from recsys.experiments.stats.moments import Values
from recsys.rng import generator
from recsys.schema import EventKind, IntArray
from recsys.storage.artifacts import write_frame

ITEMS = 499
"""A prime, so that steps through the catalog meet each item once."""
NAMES = np.array([f"i{number:03d}" for number in range(ITEMS)], dtype=object)
PLACES = 10
PAST = {EventKind.CLICK: 8.0, EventKind.CART: 2.0, EventKind.PURCHASE: 0.4, EventKind.VIEW: 3.0}
"""Events before the start, of a person that is not new."""
PLATFORMS = np.array(["android", "ios", "web"])


@dataclass(frozen=True, slots=True)
class Planted:
    """Relative lifts of an arm, each of its own metric: 0.05 makes that 5 % larger, in the mean over people.

    `amount`: of what a purchase is worth, so that revenue per user rises by (1 + conversion)(1 + amount) - 1.
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
class People:
    """Population: `users`, over `days` from the start on, some `visits` each; `new`: the share without a past.

    Means over people: `clicks` and `carts` per item shown, `buyers` per person, `amount` per purchase, `dwell` in
    seconds, `satisfied` per verdict, `diversity` of a list. People differ from each other, and stay as they are, so
    that their past says much of their future.
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


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedLogs:
    """Simulated frames as `Logs.from_frames` takes them."""

    exposures: pd.DataFrame
    events: pd.DataFrame
    feedback: pd.DataFrame

    @property
    def logs(self) -> Logs:
        """Logs, ready to be analyzed."""
        return Logs.from_frames(self.exposures, self.events, self.feedback)

    def write(self, folder: Path) -> Logs:
        """Write exposures.parquet, events.parquet and feedback.parquet into a folder that is there."""
        for name in ("exposures", "events", "feedback"):
            write_frame(folder / f"{name}.parquet", getattr(self, name))
        return Logs.from_files(*(folder / f"{name}.parquet" for name in ("exposures", "events", "feedback")))


_EVERYBODY = People()


def simulate_logs(
    experiment: Experiment, planted: Mapping[str, Planted], people: People = _EVERYBODY, *, seed: int = 0
) -> SimulatedLogs:
    """Simulate logs of a running experiment, from `BEFORE_DAYS` before its start on; arms by its own assignment.

    `planted`: lifts by arm; none for arms that are not named. The same seed gives the same logs. People, visits and
    noise do not depend on what is planted. Raises ExperimentError for a draft, ConfigError for an unknown arm or a lift
    of -1 or less.
    """
    if experiment.started_at is None:
        raise ExperimentError(f"{experiment.key}: is a draft, so there is no time for logs to lie in; start it first")
    _check(experiment, planted)
    return _Simulation(experiment, planted, people, seed).run()


def _check(experiment: Experiment, planted: Mapping[str, Planted]) -> None:
    for arm, lifts in planted.items():
        if arm not in experiment.arms:
            raise ConfigError(f"planted: the experiment has no arm {arm!r}; it has {', '.join(experiment.arms)}")
        wrong = [name for name in Planted.__slots__ if not getattr(lifts, name) > -1.0]
        if wrong:
            raise ConfigError(f"planted for {arm!r}: {wrong[0]} is {getattr(lifts, wrong[0])}: give a lift above -1")


class _Simulation:
    def __init__(self, experiment: Experiment, planted: Mapping[str, Planted], people: People, seed: int) -> None:
        self.experiment, self.people, self.seed = experiment, people, seed
        self.start = experiment.started_at or 0
        self.ids = np.array([f"u{number:06d}" for number in range(people.users)], dtype=object)
        self.arms = tuple(experiment.shares)
        self.arm = Plan.from_experiment(experiment).assign_many(self.ids.tolist())
        self.planted = [planted.get(name, NOTHING_PLANTED) for name in self.arms]
        random = self._random("people")
        self.keen = random.gamma(4.0, 0.25, people.users)
        self.new = random.random(people.users) < people.new
        self.platform = PLATFORMS[random.integers(len(PLATFORMS), size=people.users)]
        self.unit, self.time = self._visits()

    def run(self) -> SimulatedLogs:
        exposures = self._exposures()
        shown = np.stack(exposures["items"].to_list()) if len(exposures) else np.zeros((0, PLACES), dtype=object)
        requests = exposures["request_id"].to_numpy()
        events = [
            self._on_shown(EventKind.CLICK, self.people.clicks, "ctr", shown, requests),
            self._on_shown(EventKind.CART, self.people.carts, "add_to_cart", shown, requests),
            self._looks(),
            self._purchases(),
            self._past(),
        ]
        together = pd.concat([frame for frame in events if len(frame)], ignore_index=True)
        together["position"] = together["position"].astype("Int64")
        together = together.sort_values(["timestamp", "unit", "item_id", "event"], ignore_index=True)
        return SimulatedLogs(exposures, together, self._verdicts())

    def _random(self, purpose: str) -> np.random.Generator:
        return generator(self.seed, "simulated logs", self.experiment.key, purpose)

    def _factors(self, name: str, arm: IntArray) -> Values:
        """1 + lift, for each row of arm codes; 1 outside of the experiment."""
        lifts = np.array([getattr(planted, name) for planted in self.planted] + [0.0])
        return np.asarray(1.0 + lifts[arm])

    def _visits(self) -> tuple[IntArray, IntArray]:
        """Whose each visit is, and when; the first one is spread over all days."""
        random, people = self._random("visits"), self.people
        length = people.days * SECONDS_PER_DAY
        first = random.integers(length, size=people.users)
        further = random.poisson(people.visits - 1.0, people.users)
        unit = np.concatenate([np.arange(people.users), np.repeat(np.arange(people.users), further)])
        later = random.random(int(further.sum()))
        own = np.repeat(first, further)
        time = np.concatenate([first, own + (later * (length - own)).astype(np.int64)])
        order = np.lexsort((unit, time))
        return unit[order], self.start + time[order]

    def _exposures(self) -> pd.DataFrame:
        random, count = self._random("lists"), len(self.unit)
        begin, step = random.integers(ITEMS, size=count), random.integers(1, ITEMS, size=count)
        rows = (begin[:, None] + step[:, None] * np.arange(PLACES)) % ITEMS
        arm = self.arm[self.unit]
        # The last one is for `OUTSIDE`.
        shares = np.array([*self.experiment.shares.values(), np.nan])
        variety = random.beta(8.0, 8.0 * (1.0 / self.people.diversity - 1.0), count)
        return pd.DataFrame(
            {
                "request_id": [f"r{number:07d}" for number in range(count)],
                "unit": self.ids[self.unit],
                "timestamp": self.time,
                "model_version": "simulated",
                "experiment": np.array([*[self.experiment.key] * len(self.arms), None], dtype=object)[arm],
                "arm": np.array([*self.arms, None], dtype=object)[arm],
                "propensity": shares[arm],
                "items": list(NAMES[rows]),
                "propensities": list(np.ones((count, PLACES))),
                "style_diversity": np.minimum(variety * self._factors("style_diversity", arm), 2.0),
                "platform": self.platform[self.unit],
            }
        )

    def _on_shown(
        self, kind: EventKind, mean: float, name: str, shown: np.ndarray, requests: np.ndarray
    ) -> pd.DataFrame:
        """Events on items of the lists, more of them near the top."""
        random = self._random(kind)
        bias = 1.0 / np.log2(np.arange(2, PLACES + 2))
        likely = mean * self.keen[self.unit] * self._factors(name, self.arm[self.unit])
        chance = likely[:, None] * (bias / bias.mean())
        row, place = np.nonzero(random.random(chance.shape) < chance)
        after = random.integers(5, 120, size=len(row))
        return _events(
            self.ids[self.unit[row]], shown[row, place], kind, self.time[row] + after,
            request_id=requests[row], position=place + 1,
        )  # fmt: skip

    def _looks(self) -> pd.DataFrame:
        random = self._random("looks")
        unit = np.repeat(self.unit, 1)
        seconds = random.gamma(2.0, 0.5, len(unit)) * self.people.dwell * self._factors("dwell", self.arm[unit])
        item = np.array([f"i{number:03d}" for number in range(ITEMS)], dtype=object)[
            random.integers(ITEMS, size=len(unit))
        ]
        return _events(self.ids[unit], item, EventKind.VIEW, self.time + 3, dwell_s=np.round(seconds, 1))

    def _purchases(self) -> pd.DataFrame:
        """Who buys does so at their last visit, some of them twice."""
        random, people = self._random("purchases"), self.people
        last = np.zeros(people.users, dtype=np.int64)
        np.maximum.at(last, self.unit, self.time)
        chance = people.buyers * self.keen * self._factors("conversion", self.arm)
        buys, again = random.random(people.users) < chance, random.random(people.users) < 0.3
        noise = random.lognormal(-0.32, 0.8, (2, people.users))
        twice = np.concatenate([np.flatnonzero(buys), np.flatnonzero(buys & again)])
        which = np.concatenate([np.zeros(int(buys.sum()), dtype=int), np.ones(int((buys & again).sum()), dtype=int)])
        amount = noise[which, twice] * people.amount * self._factors("amount", self.arm[twice])
        return _events(
            self.ids[twice], "i000", EventKind.PURCHASE, last[twice] + 300 + 60 * which, amount=np.round(amount, 2)
        )

    def _past(self) -> pd.DataFrame:
        """What people that are not new did in the weeks before the start."""
        random, people = self._random("past"), self.people
        known = np.flatnonzero(~self.new)
        window = (self.start - BEFORE_DAYS * SECONDS_PER_DAY, self.start)
        frames = []
        for kind, mean in PAST.items():
            unit = np.repeat(known, random.poisson(mean * self.keen[known]))
            time = random.integers(*window, size=len(unit))
            amount = np.round(random.lognormal(-0.32, 0.8, len(unit)) * people.amount, 2)
            seconds = np.round(random.gamma(2.0, 0.5, len(unit)) * people.dwell, 1)
            frames.append(
                _events(
                    self.ids[unit],
                    "i001",
                    kind,
                    time,
                    amount=amount if kind is EventKind.PURCHASE else None,
                    dwell_s=seconds if kind is EventKind.VIEW else None,
                )
            )
        return pd.concat([frame.dropna(axis=1, how="all") for frame in frames], ignore_index=True)

    def _verdicts(self) -> pd.DataFrame:
        random = self._random("verdicts")
        asked = np.flatnonzero(random.random(len(self.unit)) < 0.3)
        chance = self.people.satisfied * self._factors("satisfaction", self.arm[self.unit[asked]])
        satisfied = random.random(len(asked)) < chance
        return pd.DataFrame(
            {"unit": self.ids[self.unit[asked]], "satisfied": satisfied, "timestamp": self.time[asked] + 30}
        )


def _events(unit: np.ndarray, item: np.ndarray | str, kind: EventKind, time: IntArray, **given: object) -> pd.DataFrame:
    columns = {"unit": unit, "item_id": item, "event": kind.value, "timestamp": time}
    empty = dict.fromkeys(("amount", "dwell_s", "request_id", "position"))
    return pd.DataFrame({**columns, **empty, **given})
