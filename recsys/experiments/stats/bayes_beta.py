"""Beta posteriors of two proportions; chances, losses and intervals by deterministic quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special
from scipy.optimize import brentq

from recsys.errors import ConfigError
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.experiments.stats.effect import Estimate
from recsys.experiments.stats.moments import Values
from recsys.experiments.stats.posterior import Posterior
from recsys.experiments.stats.proportions import Proportion

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_TAILS = np.array([1e-18, 1e-12, 1e-8, 1e-5, 1e-3, 0.02, 0.15, 0.5])
"""Tail probabilities of either posterior, on both sides, at which panels of the quadrature end."""


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """Beta(a, b): as if `a` successes and `b` failures had been seen before. Proper: both finite and above 0."""

    a: float = 1.0
    b: float = 1.0

    def __post_init__(self) -> None:
        if not (0.0 < self.a < math.inf and 0.0 < self.b < math.inf):
            raise ConfigError(f"prior Beta({self.a}, {self.b}) is not proper: give two numbers above 0")

    def update(self, arm: Proportion) -> Beta:
        """Return the posterior after the arm's data."""
        return Beta(self.a + arm.successes, self.b + arm.n - arm.successes)


@dataclass(frozen=True)
class Beta:
    """Beta(a, b) distribution over [0, 1]."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        """Mean a / (a + b)."""
        return self.a / (self.a + self.b)

    def below(self, x: Values) -> Values:
        """Return P(X <= x)."""
        return np.asarray(special.betainc(self.a, self.b, np.clip(x, 0.0, 1.0)))

    def above(self, x: Values) -> Values:
        """Return P(X > x), not computed as 1 - P(X <= x)."""
        return np.asarray(special.betaincc(self.a, self.b, np.clip(x, 0.0, 1.0)))

    @cached_property
    def marks(self) -> Values:
        """Quantiles at `_TAILS`, from below and from above."""
        low, high = special.betaincinv(self.a, self.b, _TAILS), special.betainccinv(self.a, self.b, _TAILS)
        return np.concatenate([low, high])

    def average(self, function: Callable[[Values], Values], marks: Values) -> float:
        """Compute E[function(X)] for a function that is smooth except near `marks`.

        In the angle t, x = sin² t, the density 2 sin^(2a-1) t cos^(2b-1) t / B(a, b) has no pole for a, b >= 1/2. It is
        scaled to sum to 1 over the same nodes, which takes out the rounding of B.
        """
        angles, weights = _panels(np.concatenate([self.marks, marks]))
        logs = (2 * self.a - 1) * np.log(np.sin(angles)) + (2 * self.b - 1) * np.log(np.cos(angles))
        density = np.exp(logs - logs.max()) * weights
        return float(density @ function(np.sin(angles) ** 2) / density.sum())


_FLAT = BetaPrior()


def beta_posterior(
    treatment: Proportion, control: Proportion, prior: BetaPrior = _FLAT, *, level: float = 0.95
) -> Posterior:
    """Compute the posterior of two proportions with the same independent Beta prior each.

    Source: Gelman et al. 2013, section 2.4.

    The chance to win is E[P(control < x)] over x of the treatment. The expected loss of shipping is the integral of
    P(treatment <= x) P(control > x) over [0, 1]. All integrands are positive, so small chances and losses keep their
    digits. Intervals invert such integrals by root finding; the center of the lift is its median, as its mean need not
    exist. Errors are below 1e-9 for a, b >= 1/2.
    """
    check_between_0_and_1("level", level)
    t, c = prior.update(treatment), prior.update(control)
    return Posterior(
        absolute=_difference(t, c, level),
        relative=_lift(t, c, level),
        chance_to_win=t.average(c.below, c.marks),
        chance_to_lose=c.average(t.below, t.marks),
        loss_if_shipped=_loss(chosen=t, other=c),
        loss_if_kept=_loss(chosen=c, other=t),
        level=level,
        method=f"Beta posteriors, prior Beta({prior.a:g}, {prior.b:g})",
    )


def _loss(chosen: Beta, other: Beta) -> float:
    angles, weights = _panels(np.concatenate([chosen.marks, other.marks]))
    x = np.sin(angles) ** 2
    return float(weights @ (chosen.below(x) * other.above(x) * np.sin(2.0 * angles)))


def _difference(t: Beta, c: Beta, level: float) -> Estimate:
    marks = t.marks

    def below(difference: float) -> float:
        return c.average(lambda x: t.below(x + difference), marks - difference)

    ends = float(marks.min() - c.marks.max()), float(marks.max() - c.marks.min())
    low, high = (_solve(below, tail, *ends) for tail in ((1 - level) / 2, (1 + level) / 2))
    return Estimate(t.mean - c.mean, low, high)


def _lift(t: Beta, c: Beta, level: float) -> Estimate:
    marks = t.marks

    def below(log_ratio: float) -> float:
        ratio = math.exp(log_ratio)
        return c.average(lambda x: t.below(x * ratio), marks / ratio)

    # No ratio is beyond 1 over the smallest quantile of both.
    widest = -math.log(max(min(t.marks.min(), c.marks.min()), 1e-300))
    middle, low, high = (
        math.expm1(_solve(below, tail, -widest, widest)) for tail in (0.5, (1 - level) / 2, (1 + level) / 2)
    )
    return Estimate(middle, low, high)


def _solve(below: Callable[[float], float], tail: float, low: float, high: float) -> float:
    return float(brentq(lambda at: below(at) - tail, low, high, xtol=1e-12, rtol=1e-12))


def _panels(marks: Values) -> tuple[Values, Values]:
    """Return Gauss-Legendre nodes and weights (m,) of the angles between `marks`, which are proportions."""
    ends = np.unique(np.arcsin(np.sqrt(np.clip(marks, 0.0, 1.0))))
    half = np.diff(ends)[:, None] / 2.0
    center = (ends[:-1] + ends[1:])[:, None] / 2.0
    return (center + half * _NODES).ravel(), (half * _WEIGHTS).ravel()
