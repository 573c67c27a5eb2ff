"""Draws of the statistics grid: sums of many A/A experiments at once, one per arm and look.

Values of units are drawn; only their sums are kept. Units come in on `LOOKS` days, fewer each day and by the weekday,
because a look sees only the units so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.experiments.stats.moments import JointMoments, Sizes, Values
from recsys.schema import IntArray

LOOKS = 20
WEEK = np.array([1.0, 0.9, 0.9, 1.0, 1.2, 1.5, 1.3])
BLOCK = 2e7
"""Most units of a block of runs, because of memory."""


@dataclass(frozen=True, slots=True)
class Population:
    """Values of units.

    Attributes:
        metric: conversion, revenue (with zeros), mean, ratio, or revenue with CUPED.
        rate: share of units that convert or buy; for a ratio mean clicks per list.
        sigma: deviation of the logarithm of amounts, of values, or of the number of lists.
    """

    metric: str
    rate: float = 1.0
    sigma: float = 0.0

    @property
    def mean(self) -> float:
        """True mean of a unit; of a ratio, clicks per list."""
        return self.rate if self.metric == "ratio" else self.rate * float(np.exp(self.sigma**2 / 2))

    def __str__(self) -> str:
        words = {
            "conversion": f"conversion {self.rate:.1%}",
            "revenue": f"revenue, {self.rate:.0%} buy, sigma {self.sigma}",
            "mean": f"mean, sigma {self.sigma}",
            "ratio": f"ratio, sigma of lists {self.sigma}",
            "cuped": f"revenue with CUPED, {self.rate:.0%} buy, sigma {self.sigma}",
        }
        return words[self.metric]


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums of an arm: units (looks,), columns (runs, looks, d) and their products (runs, looks, d, d)."""

    units: IntArray
    totals: Values
    products: Values

    def joint(self, run: int, look: int) -> JointMoments:
        """Return the moments of one run at one look."""
        n, totals, products = int(self.units[look]), self.totals[run, look], self.products[run, look]
        means = totals / max(n, 1)
        sizes = (Sizes(float(totals[0]), float(products[0, 0])),)
        return JointMoments(n, means, (products - n * np.outer(means, means)) / max(n - 1, 1), sizes)

    @property
    def means(self) -> Values:
        """Means of columns (runs, looks, d)."""
        return np.asarray(self.totals / np.maximum(self.units, 1)[:, None])

    @property
    def covariances(self) -> Values:
        """Covariances of columns (runs, looks, d, d)."""
        n, means = np.maximum(self.units, 2)[:, None, None], self.means
        return np.asarray((self.products - n * means[..., :, None] * means[..., None, :]) / (n - 1))


def draw_sums(random: np.random.Generator, population: Population, units: int, runs: int, *, lift: float = 0.0) -> Sums:
    """Draw the sums of `runs` arms of `units` each; `lift` makes buyers more frequent, or values of means larger."""
    weights = WEEK[np.arange(LOOKS) % len(WEEK)] / np.sqrt(1.0 + np.arange(LOOKS) / 5.0)
    edges = np.round(units * np.cumsum(weights) / weights.sum()).astype(np.int64)
    per_day = np.diff(edges, prepend=0)
    rows = max(int(BLOCK / units), 1)
    draw = _draw_sparse if population.metric in ("conversion", "revenue") else _draw_dense
    parts = [draw(random, population, per_day, min(rows, runs - at), 1.0 + lift) for at in range(0, runs, rows)]
    totals, products = (np.concatenate([part[which] for part in parts]) for which in range(2))
    return Sums(edges, totals.cumsum(axis=1), products.cumsum(axis=1))


def _draw_sparse(
    random: np.random.Generator, population: Population, per_day: IntArray, runs: int, factor: float
) -> tuple[Values, Values]:
    """Draw the buyers of each day only: all other units are 0."""
    counts = random.binomial(per_day, min(population.rate * factor, 1.0), (runs, LOOKS))
    if population.metric == "conversion":
        sums = [counts.astype(np.float64)] * 2
    else:
        amounts = np.exp(population.sigma * random.standard_normal(int(counts.sum())))
        sums = [_sum_groups(power, counts.ravel()).reshape(counts.shape) for power in (amounts, amounts**2)]
    return sums[0][..., None], sums[1][..., None, None]


def _draw_dense(
    random: np.random.Generator, population: Population, per_day: IntArray, runs: int, factor: float
) -> tuple[Values, Values]:
    """Draw all units: a value, clicks and lists, or revenue and past revenue."""
    size, sigma = (runs, int(per_day.sum())), population.sigma
    if population.metric == "mean":
        columns = [factor * np.exp(sigma * random.standard_normal(size))]
    elif population.metric == "ratio":
        lists = np.ceil(np.exp(sigma * random.standard_normal(size)))
        columns = [random.poisson(lists * population.rate * factor * random.gamma(2.0, 0.5, size)).astype(float), lists]
    else:
        # A unit buys now and in the past by the same habit.
        habit = random.gamma(2.0, 0.5, size)
        columns = [
            (random.random(size) < rate * habit) * np.exp(sigma * random.standard_normal(size))
            for rate in (population.rate * factor, population.rate)
        ]
    totals = np.stack([_sum_groups(column, per_day) for column in columns], axis=-1)
    products = np.stack([np.stack([_sum_groups(a * b, per_day) for b in columns], axis=-1) for a in columns], axis=-2)
    return totals, products


def _sum_groups(values: Values, counts: IntArray) -> Values:
    """Return the sums of consecutive groups of the last axis, some of which may be empty."""
    starts = counts.cumsum() - counts
    # One more value lets empty groups at the end start somewhere.
    padded = np.concatenate([values, np.zeros((*values.shape[:-1], 1))], axis=-1)
    return np.asarray(np.where(counts > 0, np.add.reduceat(padded, starts, axis=-1), 0.0))
