"""Grid of A/A experiments and of planted lifts, measured with the functions that analyze real experiments.

A cell is a population, a split and a number of units. In A/A cells the share of experiments is counted in which an arm
is found better or worse: at one look, and ever at `LOOKS` daily looks, without an end and with a declared one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from recsys.experiments.stats.cuped import adjust
from recsys.experiments.stats.effect import Effect, Estimate
from recsys.experiments.stats.fixed import two_means
from recsys.experiments.stats.moments import JointMoments, Moments, Values
from recsys.experiments.stats.sequential import always_valid
from recsys.rng import generator
from tests.statistics.grid_draws import LOOKS, Population, Sums, draw_sums

ALPHA, RUNS = 0.05, 2_500
LARGEST = 0.065
"""Largest upper end of the 95 % interval of an error."""
LARGEST_SIDE = 0.035
"""The same for an error in one direction."""
SPLITS = {
    "50/50": (0.5, 0.5),
    "80/20": (0.8, 0.2),
    "20/80": (0.2, 0.8),
    "90/10": (0.9, 0.1),
    "10/90": (0.1, 0.9),
    "95/5": (0.95, 0.05),
    "5/95": (0.05, 0.95),
    "90/5/5": (0.9, 0.05, 0.05),
}
"""Shares of the control and of the other arms."""
CONVERSIONS = [Population("conversion", rate) for rate in (0.003, 0.02, 0.2)]
REVENUES = [Population("revenue", rate, sigma) for rate in (0.02, 0.12) for sigma in (0.5, 1.0, 1.5, 2.0)]
MEANS = [Population("mean", 1.0, sigma) for sigma in (0.5, 1.0, 2.0)]
RATIOS = [Population("ratio", 0.1, sigma) for sigma in (1.0, 1.5)]
CUPED = [Population("cuped", 0.12, 1.0)]
FEWEST_ERRORS = 1.7
"""Standard errors by which an estimate must be off to be analyzed; nearer ones are never found, at any look."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Population, split, units of all arms, and the lift that is planted in all arms but the control."""

    population: Population
    split: str
    units: int
    lift: float = 0.0


@dataclass(frozen=True, slots=True)
class Errors:
    """Shares of `runs` experiments of a cell with an error.

    `once`: any difference found at one look. `better`, `worse`: of the first arm, in this direction. `any_look`,
    `until_end`: any difference found at any look, without and with a declared end. `absolute`, `relative`: truth
    outside the interval of the difference and of the lift, at one look. `silent`: no statement at one look.
    """

    runs: int
    once: float
    better: float
    worse: float
    any_look: float
    until_end: float
    absolute: float
    relative: float
    silent: float

    @property
    def passes(self) -> bool:
        """True if the 95 % intervals of all errors end below the limits."""
        both = max(self.once, self.any_look, self.until_end, self.absolute, self.relative)
        side = max(self.better, self.worse)
        return upper(both, self.runs) < LARGEST and upper(side, self.runs) < LARGEST_SIDE


def aa_cells() -> Iterator[Cell]:
    """Yield all cells without a lift."""
    for split in SPLITS:
        for population in CONVERSIONS:
            yield from (Cell(population, split, units) for units in (300, 3_000, 30_000, 100_000))
        for population in REVENUES:
            sizes = (300, 3_000, 30_000) if population.sigma in (0.5, 1.5) else (300, 3_000, 100_000)
            yield from (Cell(population, split, units) for units in sizes)
        for population in (*MEANS, *RATIOS, *CUPED):
            yield from (Cell(population, split, units) for units in (300, 3_000))


def lifted_cells() -> Iterator[Cell]:
    """Yield all cells with a lift."""
    for split in SPLITS:
        for population in (*CONVERSIONS[1:], REVENUES[1], REVENUES[5], REVENUES[6], REVENUES[7]):
            for units in (3_000, 30_000):
                yield from (Cell(population, split, units, lift) for lift in (-0.2, 0.1, 0.3))


def measure(cell: Cell, runs: int = RUNS) -> Errors:
    """Draw and analyze the experiments of a cell; five times as many, and anew, if they look like too many errors."""
    found = _measure(cell, runs)
    return found if found.passes else _measure(cell, 5 * runs)


def _measure(cell: Cell, runs: int) -> Errors:
    random = generator(15, "grid", str(cell.population), cell.split, cell.units, str(cell.lift), runs)
    shares = SPLITS[cell.split]
    arms = [
        draw_sums(random, cell.population, max(round(share * cell.units), 2), runs, lift=cell.lift if code else 0.0)
        for code, share in enumerate(shares)
    ]
    errors = np.max([_errors(arm, arms[0], cell) for arm in arms[1:]], axis=0)
    once = np.ones((runs, len(arms) - 1))
    any_look, until_end = np.ones((2, runs, LOOKS, len(arms) - 1))
    outside = np.zeros((2, runs))
    rises = np.zeros(runs)
    for run, look in np.argwhere(errors > FEWEST_ERRORS):
        moments = _moments([arm.joint(run, look) for arm in arms], cell.population)
        last = look == LOOKS - 1
        for code, arm in enumerate(moments.arms[1:]):
            pair = arm, moments.arms[0]
            if last:
                effect = two_means(*pair, shared=moments.shared)
                once[run, code] = effect.p_value
                if code == 0:
                    rises[run] = effect.absolute.value
                    outside[:, run] = _outside(effect, cell)
            if cell.lift == 0.0 and min(arm.n, moments.arms[0].n) >= 2:
                free = always_valid(*pair, tightest_at=0.7 * cell.units, shared=moments.shared)
                ended = always_valid(*pair, tightest_at=1.0, progress=(look + 1) / LOOKS, shared=moments.shared)
                any_look[run, look, code], until_end[run, look, code] = free.p_value, ended.p_value
    found = once[:, 0] <= ALPHA
    values = [_moments([arm.joint(run, LOOKS - 1) for arm in arms[:2]], cell.population) for run in range(0, runs, 40)]
    return Errors(
        runs=runs,
        once=0.0 if cell.lift else float(_any_found(once).mean()),
        better=0.0 if cell.lift else float(np.mean(found & (rises > 0))),
        worse=0.0 if cell.lift else float(np.mean(found & (rises < 0))),
        any_look=float(_any_found(any_look).any(axis=1).mean()),
        until_end=float(_any_found(until_end).any(axis=1).mean()),
        absolute=float(outside[0].mean()),
        relative=float(outside[1].mean()),
        silent=float(np.mean([two_means(one.arms[1], one.arms[0]).needed_units is not None for one in values])),
    )


def upper(share: float, runs: int) -> float:
    """Return the upper end of the 95 % interval of a share (Clopper & Pearson 1934)."""
    count = round(share * runs)
    return 1.0 if count == runs else float(special.betaincinv(count + 1, runs - count, 0.975))


@dataclass(frozen=True, slots=True)
class _Arms:
    arms: tuple[Moments, ...]
    shared: float


def _moments(joint: list[JointMoments], population: Population) -> _Arms:
    if population.metric == "cuped":
        adjusted = adjust(joint)
        return _Arms(adjusted.arms, adjusted.shared)
    if population.metric == "ratio":
        joint = [arm.ratio() for arm in joint]
    return _Arms(tuple(arm.marginal() for arm in joint), 0.0)


def _errors(arm: Sums, control: Sums, cell: Cell) -> Values:
    """Return by how many own standard errors the lift differs from the true one (runs, looks), at least.

    Both tests must find a difference, so what is below `FEWEST_ERRORS` here is never found. NaN if nothing is known.
    """
    if cell.population.metric == "cuped":
        # Adjusted errors are computed by the analysis only: everything is analyzed at the last look.
        errors = np.zeros(arm.totals.shape[:2])
        errors[:, -1] = np.inf
        errors[:, LOOKS // 4 :: 5] = np.inf
        return errors
    means, variances = [], []
    for one in (arm, control):
        mean, covariance = one.means[..., 0], one.covariances
        if cell.population.metric == "ratio":
            below = np.where(one.means[..., 1] > 0, one.means[..., 1], np.nan)
            mean = mean / below
            variance = covariance[..., 0, 0] - 2 * mean * covariance[..., 0, 1] + mean**2 * covariance[..., 1, 1]
            variance = variance / below**2
        else:
            variance = covariance[..., 0, 0]
        means.append(mean)
        variances.append(np.maximum(variance, 0.0) / np.maximum(one.units, 1))
    factor = 1.0 + cell.lift
    with np.errstate(invalid="ignore", divide="ignore"):
        lift = np.abs(means[0] - factor * means[1]) / np.sqrt(variances[0] + factor**2 * variances[1])
        true = cell.lift * cell.population.mean
        difference = np.abs(means[0] - means[1] - true) / np.sqrt(variances[0] + variances[1])
    errors = np.fmax(lift, difference)
    if cell.lift != 0.0:
        errors[:, :-1] = 0.0
    return errors


def _any_found(p_values: Values) -> Values:
    """Return if any arm is found, by Holm (..., arms)."""
    # Holm finds something exactly if the smallest p-value is at most alpha / arms.
    return np.asarray(p_values.min(axis=-1) <= ALPHA / p_values.shape[-1])


def _outside(effect: Effect, cell: Cell) -> tuple[bool, bool]:
    def misses(estimate: Estimate | None, truth: float) -> bool:
        return estimate is not None and not estimate.low <= truth <= estimate.high

    return misses(effect.absolute, cell.lift * cell.population.mean), misses(effect.relative, cell.lift)
