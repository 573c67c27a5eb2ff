"""Relative lift, treatment / control - 1: Fieller's interval, with the arms' own variances or with pooled ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recsys.experiments.stats.effect import Estimate
from recsys.experiments.stats.moments import Moments

LARGEST_G = 0.05
"""Largest g for the delta method. g = (critical * standard error / mean)² of the control; below 0.05 the delta method
is known to be as good as Fieller's (Finney 1978, Statistical Method in Biological Assay; Hirschberg & Lye 2010)."""


@dataclass(frozen=True, slots=True)
class QuotientVariance:
    """Variance of t - R c at a quotient R: squared R² + linear R + constant."""

    squared: float
    linear: float
    constant: float

    @classmethod
    def from_own(cls, treatment: Moments, control: Moments, shared: float = 0.0) -> QuotientVariance:
        """Build from the variance of each arm: v_t / n_t + R² v_c / n_c + shared (1 - R)²."""
        own, other = treatment.variance_of_mean, control.variance_of_mean
        return cls(other + shared, -2.0 * shared, own + shared)

    @classmethod
    def from_pooled(cls, treatment: Moments, control: Moments, shared: float = 0.0) -> QuotientVariance:
        """Build from one variance for both arms, which grows in proportion to the mean.

        If the quotient is R, the treatment's variance is R times the control's, as it is for counts, rare conversions
        and orders. Each arm then estimates the control's variance, A / R + B with the shares A and B of the pooled
        variance, and (A / R + B)(R / n_t + R² / n_c) = (A + B R)(1 / n_t + R / n_c) is quadratic in R. For R = 1 it is
        the pooled variance of the difference.
        """
        freedom = treatment.n + control.n - 2
        a = (treatment.n - 1) * treatment.variance / freedom
        b = (control.n - 1) * control.variance / freedom
        return cls(b / control.n + shared, a / control.n + b / treatment.n - 2.0 * shared, a / treatment.n + shared)


def find_lift(treatment: Moments, control: Moments, variance: QuotientVariance, critical: float) -> Estimate:
    """Return all lifts R - 1 for which t - R c is within `critical` of its standard errors of 0 (Fieller 1954).

    The interval leaves out 0 exactly if t - c is more than `critical` standard errors from 0. They are not an interval
    if the control itself is not that far from 0: the upper bound is infinite then, and the lower one too if the
    quotient may have any sign.
    """
    t, c, q2 = treatment.mean, control.mean, critical**2
    lift = t / c - 1.0
    squared = c * c - q2 * variance.squared
    center = t * c + q2 * variance.linear / 2.0
    # (t c + q² l / 2)² - (c² - q² s)(t² - q² k) with t² c² taken out, which would swallow the rest.
    inside = t * c * variance.linear + c * c * variance.constant + t * t * variance.squared
    inside += q2 * (variance.linear**2 / 4.0 - variance.squared * variance.constant)
    root = math.sqrt(max(q2 * inside, 0.0))
    if squared > 0.0:
        return Estimate(lift, (center - root) / squared - 1.0, (center + root) / squared - 1.0)
    # All quotients but those between two roots; they are an interval if only one root is above 0.
    first, last = sorted(((center - root) / squared, (center + root) / squared)) if squared < 0.0 else (0.0, 0.0)
    if first <= 0.0 < last:
        return Estimate(lift, last - 1.0, math.inf)
    return Estimate(lift, -math.inf, math.inf)


def unknown_lift(treatment: Moments, control: Moments) -> Estimate | None:
    """Return the lift with infinite bounds, if its error is unknown; None if the control's mean is not above 0."""
    if control.mean <= 0.0:
        return None
    return Estimate(treatment.mean / control.mean - 1.0, -math.inf, math.inf)


def delta_variance(treatment: Moments, control: Moments, shared: float = 0.0) -> float:
    """Compute the variance of treatment / control by the delta method (Deng, Knoblich & Lu 2018, section 3.1).

    (v_t + R² v_c + shared (1 - R)²) / c² with R = t / c and v the variances of the means. For a control's mean near 0
    it is too small: the distribution of the quotient is skewed there.
    """
    ratio = treatment.mean / control.mean
    own = treatment.variance_of_mean + ratio**2 * control.variance_of_mean
    return (own + shared * (1.0 - ratio) ** 2) / control.mean**2
