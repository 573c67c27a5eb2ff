"""Tests that an experiment's data are sound; otherwise no effect is credible, however small its p-value.

The threshold of 0.001 is low because the checks run daily on every experiment: an alarm then means something (Fabijan
et al. 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from recsys.errors import ConfigError, DataError
from recsys.experiments.stats.moments import Moments
from recsys.schema import IntArray

THRESHOLD = 0.001


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Units in arms against the declared split.

    `expected` (k,): units by the weights. `p_value`: of the declared split. `strays`: positions of arms of weight 0
    that have units nevertheless, which needs no test. `mismatch`: True if either is an alarm.
    """

    expected: tuple[float, ...]
    statistic: float
    freedom: int
    p_value: float
    strays: tuple[int, ...]
    mismatch: bool


def sample_ratio(counts: Sequence[int], weights: Sequence[float], *, threshold: float = THRESHOLD) -> SampleRatio:
    """Run Pearson's chi-square test for a sample ratio mismatch (SRM; Fabijan et al. 2019).

    `counts` (k,): units that each arm has. `weights` (k,): of the declared split, not of the counts; any sum. An
    arm of weight 0 takes no part in the test: it adds no degree of freedom, and units in it are strays. With one arm
    of weight there is nothing to test (p is 1). The chi-square approximation needs 5 expected units per arm. Raises
    ConfigError for weights below 0 or all 0, DataError for lengths that differ, counts below 0 or no unit.
    """
    seen, shares = np.asarray(counts, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if seen.shape != shares.shape:
        raise DataError(f"{len(seen)} counts for {len(shares)} weights: give one of each per arm")
    if not (np.isfinite(shares).all() and (shares >= 0.0).all() and shares.sum() > 0.0):
        raise ConfigError(f"weights {shares.tolist()}: give weights of 0 or more that are not all 0")
    if (seen < 0).any() or seen.sum() == 0:
        raise DataError(f"units in arms are {seen.astype(int).tolist()}: count each exposed unit once")
    live = shares > 0.0
    strays = tuple(int(arm) for arm in np.flatnonzero(~live & (seen > 0)))
    expected = shares / shares.sum() * seen[live].sum()
    freedom = int(live.sum()) - 1
    if freedom == 0 or seen[live].sum() == 0:
        statistic, p_value = 0.0, 1.0
    else:
        statistic = float(np.sum((seen[live] - expected[live]) ** 2 / expected[live]))
        p_value = float(special.chdtrc(freedom, statistic))
    mismatch = p_value < threshold or bool(strays)
    return SampleRatio(tuple(map(float, expected)), statistic, freedom, p_value, strays, mismatch)


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Test of differences between arms before the experiment. `statistic`: F; `freedom`: degrees of freedom."""

    statistic: float
    freedom: tuple[float, float]
    p_value: float
    imbalanced: bool


def pre_period_imbalance(arms: Sequence[Moments], *, threshold: float = THRESHOLD) -> Imbalance:
    """Run Welch's (1951) and the pooled analysis of variance of a pre-period value over all arms.

    The p-value is the larger of both, as in `fixed.two_means`: Welch's alone finds too much if values are skewed and an
    arm is small.

    An arm cannot change the past, so a small p-value shows that assignment or logging depends on the users. Arms
    without variance or with fewer than 2 units are left out; p is 1 if fewer than two arms remain.
    """
    kept = [arm for arm in arms if arm.n >= 2 and arm.variance > 0.0]
    k = len(kept)
    if k < 2:
        return Imbalance(0.0, (max(k - 1, 0), math.inf), 1.0, False)
    n = np.array([arm.n for arm in kept], dtype=np.float64)
    means = np.array([arm.mean for arm in kept])
    precisions = np.array([1.0 / arm.variance_of_mean for arm in kept])
    shares = precisions / precisions.sum()
    between = float(precisions @ (means - shares @ means) ** 2) / (k - 1)
    spread = float(np.sum((1.0 - shares) ** 2 / (n - 1)))
    statistic = between / (1.0 + 2.0 * (k - 2) / (k * k - 1.0) * spread)
    freedom = (float(k - 1), (k * k - 1.0) / (3.0 * spread))
    pooled = float(np.array([arm.variance for arm in kept]) @ (n - 1)) / float(n.sum() - k)
    usual = float(n @ (means - n @ means / n.sum()) ** 2) / (k - 1) / pooled
    p_value = max(float(special.fdtrc(*freedom, statistic)), float(special.fdtrc(k - 1.0, n.sum() - k, usual)))
    return Imbalance(statistic, freedom, p_value, p_value < threshold)


@dataclass(frozen=True, slots=True)
class MultipleExposures:
    """Units exposed to several arms.

    `units`: number of all units. `multiple`: sorted codes of units in several arms, to be left out. `share`: share of
    these, in [0, 1]. `alarm`: True if it is above the limit.
    """

    units: int
    multiple: IntArray
    share: float
    alarm: bool


def multiple_exposures(units: IntArray, arms: IntArray, *, largest_share: float = 0.01) -> MultipleExposures:
    """Find units that were exposed to more than one arm, from exposures: `units` (m,) and `arms` (m,), codes from 0.

    Several exposures to one arm are fine. Deterministic assignment produces no such unit; they come from a changed
    split, users with two accounts or devices, or forced arms. A few that are left out bias little, more than
    `largest_share` may.

    Raises:
        DataError: for lengths that differ or codes below 0.
    """
    if units.shape != arms.shape:
        raise DataError(f"{len(units)} units and {len(arms)} arms: give the arm of each exposure")
    if len(units) == 0:
        return MultipleExposures(0, np.zeros(0, dtype=np.int64), 0.0, False)
    if min(units.min(), arms.min()) < 0:
        raise DataError("codes of units and arms count from 0: leave out exposures without either")
    width = int(arms.max()) + 1
    of_pairs = np.unique(units.astype(np.int64) * width + arms) // width
    multiple = np.unique(of_pairs[1:][of_pairs[1:] == of_pairs[:-1]])
    total = int(np.count_nonzero(np.diff(of_pairs))) + 1
    share = len(multiple) / total
    return MultipleExposures(total, multiple, share, share > largest_share)
