"""Activity of users, drawn alike by all simulators: visits, hours of the day, event counts and dwell times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError
from recsys.rng import generator
from recsys.schema import IntArray

Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

VISITS_PER_DAY = 0.2
RATE_SPREAD = 1.0
"""Standard deviation of the logarithm of visit rates: the most active tenth makes two fifths of all visits."""
MAX_PER_DAY = 4.0
WEEK = (0.9, 0.9, 0.95, 1.0, 1.05, 1.15, 1.05)
"""Visits from Monday to Sunday, relative to the mean."""
MEAN_HOUR, HOUR_SPREAD = 19.5, 4.0
"""Mean and standard deviation of the hour of a visit."""
PARETO_SHAPE = 1.5
_THURSDAY = 3
"""1970-01-01, counted from Monday as 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Visits (V) in the order of time.

    Attributes:
        user: Row of the user (V,).
        time: Seconds since 1970 UTC (V,).
        number: Number of earlier visits of the same user (V,).
    """

    user: IntArray
    time: IntArray
    number: IntArray

    def __len__(self) -> int:
        return len(self.user)


def draw_visit_rates(random: np.random.Generator, count: int) -> Values:
    """Draw visits per day (count,): lognormal with mean VISITS_PER_DAY, at most MAX_PER_DAY."""
    rate = VISITS_PER_DAY * np.exp(random.normal(-(RATE_SPREAD**2) / 2, RATE_SPREAD, count))
    return np.asarray(np.minimum(rate, MAX_PER_DAY))


def draw_visits(rates: Values, start: int, days: int, seed: int) -> Visits:
    """Draw Poisson visits by the rhythm of the week.

    Args:
        rates: Visits per day of each user (P,).
        start: Seconds since 1970 UTC.
        days: Length.
        seed: Seed of the visits.

    Raises:
        ConfigError: `days` is below 1.
    """
    if days < 1:
        raise ConfigError(f"days is {days}: simulate 1 day or more")
    random = generator(seed, "simulation", "visits")
    weekday = (start // SECONDS_PER_DAY + np.arange(days) + _THURSDAY) % 7
    counts = random.poisson(rates[:, None] * (np.array(WEEK) / np.mean(WEEK))[weekday])
    # One row per visit: a user and day with n visits is repeated n times.
    user, day = np.nonzero(counts)
    repeats = counts[user, day]
    user, day = np.repeat(user, repeats), np.repeat(day, repeats)
    time = start + day * SECONDS_PER_DAY + draw_seconds_of_day(random, len(user))
    order = np.lexsort((user, time))
    return Visits(user[order], time[order], count_earlier(user[order]))


def draw_seconds_of_day(random: np.random.Generator, count: int) -> IntArray:
    """Draw seconds since midnight (count,): the evening is likelier than the night."""
    hour = random.normal(MEAN_HOUR, HOUR_SPREAD, count) % 24.0
    return np.asarray((hour * 3600.0).astype(np.int64))


def draw_heavy_tail(random: np.random.Generator, count: int) -> Values:
    """Draw Pareto numbers (count,) from 0 with shape PARETO_SHAPE, for events per user."""
    return np.asarray(random.pareto(PARETO_SHAPE, count))


def draw_dwell_factors(random: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Draw dwell times relative to their mean: gamma distributed with shape 2 and mean 1."""
    return np.asarray(random.gamma(2.0, 0.5, shape))


def count_earlier(values: IntArray) -> IntArray:
    """Return the number of equal values before each of the values (n,)."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1)) if len(ordered) else np.zeros(0, dtype=np.int64)
    lengths = np.diff(np.append(starts, len(ordered)))
    found = np.empty(len(values), dtype=np.int64)
    # Within a run of equal values, the position less the start of the run is the number of earlier ones.
    found[order] = np.arange(len(values)) - np.repeat(starts, lengths)
    return found
