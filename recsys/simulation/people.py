"""Users with hidden tastes and their visits: individual rates, and a rhythm of the week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError
from recsys.rng import generator
from recsys.schema import FloatArray, IntArray
from recsys.simulation.tastes import Tastes, Values

VISITS_PER_DAY = 0.2
SKEW = 1.0
"""Standard deviation of the logarithm of people's rates: the keenest tenth makes two fifths of all visits."""
MOST_PER_DAY = 4.0
WEEK = (0.9, 0.9, 0.95, 1.0, 1.05, 1.15, 1.05)
"""Visits from Monday to Sunday, relative to the mean."""
EVENING, HOURS = 19.5, 4.0
"""Mean and standard deviation of the hour of a visit."""
_THURSDAY = 3
"""1970-01-01, counted from Monday as 0."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Simulated users (P). `ids`: the units that are assigned. `taste` (P,): whose of the hidden tastes each has.
    `rate` (P,): visits a day. `liked_strength` (P,) in [0, 1]: how strongly restyled each likes pictures to be.
    """

    ids: tuple[str, ...]
    taste: IntArray
    rate: Values
    liked_strength: Values

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Visits (V) in the order of time: `person` (V,), `time` (V,) in seconds since 1970 UTC, `number` (V,): how many of
    the same person came before.
    """

    person: IntArray
    time: IntArray
    number: IntArray

    def __len__(self) -> int:
        return len(self.person)


def draw_people(tastes: Tastes, users: int | None, seed: int) -> People:
    """Draw users: each taste once, or `users` of them with tastes drawn with replacement.

    Rates are lognormal with mean VISITS_PER_DAY, cut at MOST_PER_DAY; liked strengths are Beta(3, 4), of mean 0.43.
    Raises ConfigError for fewer than 2 people.
    """
    if users is not None and users < 2:
        raise ConfigError(f"users is {users}: two arms need at least 2 people")
    random = generator(seed, "simulation", "people")
    count = len(tastes) if users is None else users
    taste = np.arange(count) if users is None else random.integers(len(tastes), size=count)
    rate = VISITS_PER_DAY * np.exp(random.normal(-(SKEW**2) / 2, SKEW, count))
    return People(
        ids=_names(tastes, taste),
        taste=taste.astype(np.int64),
        rate=np.minimum(rate, MOST_PER_DAY),
        liked_strength=random.beta(3.0, 4.0, count),
    )


def draw_visits(people: People, start: int, days: int, seed: int) -> Visits:
    """Draw Poisson visits on each of `days` days from `start` (seconds since 1970 UTC) on, by the rhythm of the week.

    Raises ConfigError for fewer days than 1.
    """
    if days < 1:
        raise ConfigError(f"days is {days}: simulate 1 day or more")
    random = generator(seed, "simulation", "visits")
    weekday = (start // SECONDS_PER_DAY + np.arange(days) + _THURSDAY) % 7
    counts = random.poisson(people.rate[:, None] * (np.array(WEEK) / np.mean(WEEK))[weekday])
    person, day = np.nonzero(counts)
    repeats = counts[person, day]
    person, day = np.repeat(person, repeats), np.repeat(day, repeats)
    hour = random.normal(EVENING, HOURS, len(person)) % 24.0
    time = start + day * SECONDS_PER_DAY + (hour * 3600.0).astype(np.int64)
    order = np.lexsort((person, time))
    return Visits(person[order], time[order], _number(person[order]))


def closeness(shown: FloatArray | Values | float, liked: Values) -> Values:
    """Return how close shown strengths are to liked ones, in (0, 1]: exp(-((shown - liked) / 0.25)^2 / 2)."""
    return np.asarray(np.exp(-(((shown - liked) / 0.25) ** 2) / 2.0))


def _names(tastes: Tastes, taste: IntArray) -> tuple[str, ...]:
    """Accounts as they are called; a second person of the same taste is another unit."""
    width = len(str(len(tastes)))
    return tuple(
        f"{tastes.accounts[own] or f'p{own + 1:0{width}d}'}" + (f"~{again + 1}" if again else "")
        for own, again in zip(taste.tolist(), _number(taste).tolist(), strict=True)
    )


def _number(values: IntArray) -> IntArray:
    """How many equal ones stand before each of the values (n,)."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1)) if len(ordered) else np.zeros(0, dtype=np.int64)
    lengths = np.diff(np.append(starts, len(ordered)))
    found = np.empty(len(values), dtype=np.int64)
    found[order] = np.arange(len(values)) - np.repeat(starts, lengths)
    return found
