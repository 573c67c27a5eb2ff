"""Usual activity of users and days, and bounds beyond which one of them counts no more than others.

Counts of events are compared on a logarithmic scale, as they differ by factors: most users have few events, some have
ten times as many. The median and upper quantiles say how far counts usually spread, and few extreme counts cannot move
them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recsys.clock import SECONDS_PER_DAY
from recsys.dataset.interactions import Interactions
from recsys.schema import IntArray

UNUSUAL, EXTREME = 3.0, 4.0
"""Bounds of counts, in robust standard deviations of their logarithm above the median.

In a log-normal distribution, 1 in 740 counts is unusual and 1 in 32,000 extreme."""
LEAST_DEVIATION = 0.5
"""Smallest standard deviation of the logarithm, so that a log of nearly equal counts still permits 4.5 times more."""
MOST_UNUSUAL, FEW_UNUSUAL = 0.05, 3
"""Largest group of users or days beyond the bound: 5 %, or 3 of few. Larger ones are loyal customers or seasons."""
FEWEST_EVENTS, FEWEST_ACTIVE = 3, 10
"""Counts below 3 say nothing about activity; they are left out if at least 10 others remain."""


def usual_bound(counts: IntArray, deviations: float = UNUSUAL) -> float:
    """Return the largest usual count: the median times exp(3 deviations), and at least `common_bound`.

    The deviation of log counts is estimated from the distances of the 75 % and 90 % quantiles to the median; the larger
    one is used, since the upper tail is often heavier than that of a log-normal distribution.

    Args:
        counts: (n,) events of each user or day; zeros do not count. Without any the bound is infinite.
        deviations: `UNUSUAL`, or `EXTREME` for the largest count that is not extreme.
    """
    counts = counts[counts > 0]
    if not len(counts):
        return np.inf
    active = counts[counts >= FEWEST_EVENTS]
    logs = np.log(active if len(active) >= FEWEST_ACTIVE else counts)
    # Quantiles that are counts themselves: interpolation would let one extreme count into the highest of few.
    median, upper, high = np.quantile(logs, [0.5, 0.75, 0.9], method="lower")
    # Distances of these quantiles to the median in a standard normal distribution.
    deviation = max(LEAST_DEVIATION, (upper - median) / 0.6745, (high - median) / 1.2816)
    return max(common_bound(counts), float(np.exp(median + deviations * deviation)))


def common_bound(counts: IntArray) -> float:
    """Return the count that at most 5 % of users or days exceed, or 3 of fewer than 60; zeros do not count."""
    counts = np.sort(counts[counts > 0])
    beyond = min(max(FEW_UNUSUAL, int(MOST_UNUSUAL * len(counts))), len(counts) // 5)
    return float(counts[-1 - beyond]) if len(counts) else np.inf


def user_shares(counts: IntArray) -> NDArray[np.float64]:
    """Return how much one event of each user counts, (U,) in (0, 1]: users with extreme counts are capped.

    All events of such a user count for the largest number that is not extreme. The bound is wide, since the heaviest
    customers teach much.
    """
    return np.minimum(1.0, usual_bound(counts, EXTREME) / np.maximum(counts, 1))


def event_shares(interactions: Interactions) -> NDArray[np.float64]:
    """Return how much each event counts when a log is divided by time, (N,) in (0, 1].

    It is 1, and less for users and days beyond their usual bounds, so that neither a single user nor a single day
    decides what is tested.
    """
    days = interactions.timestamps // SECONDS_PER_DAY
    _, day = np.unique(days, return_inverse=True)
    of_users = np.bincount(interactions.users, minlength=interactions.shape[0])
    of_days = np.bincount(day)
    bound = usual_bound(of_days)
    return user_shares(of_users)[interactions.users] * np.minimum(1.0, bound / np.maximum(of_days, 1))[day]


def damp_bursts(interactions: Interactions) -> Interactions:
    """Lower the weights of events if an item has unusually many on one day, so that one day does not make a trend.

    Together, the events of an item on a day count for no more than the usual bound of such counts.
    """
    day = interactions.timestamps // SECONDS_PER_DAY
    if not len(day) or day.min() == day.max():
        return interactions
    day -= day.min()
    _, cell, counts = np.unique(
        day * interactions.shape[1] + interactions.items, return_inverse=True, return_counts=True
    )
    factors = np.minimum(1.0, usual_bound(counts) / counts)
    return replace(interactions, weights=interactions.weights * factors[cell].astype(np.float32))
