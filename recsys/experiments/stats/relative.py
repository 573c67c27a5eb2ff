"""Relative lift, treatment / control - 1: the delta method, or Fieller's interval if the control is near 0."""

from __future__ import annotations

import math
from typing import Literal

from recsys.experiments.stats.effect import Estimate
from recsys.experiments.stats.moments import Moments

Lift = Literal["auto", "delta", "fieller"]

LARGEST_G = 0.05
"""Largest g for the delta method; above it Fieller's interval is used. g = (critical * standard error / mean)² of the
control; below 0.05 the delta method is known to be as good (Finney 1978, Statistical Method in Biological Assay;
Hirschberg & Lye 2010)."""


def relative_lift(
    treatment: Moments, control: Moments, critical: float, *, shared: float = 0.0, method: Lift = "auto"
) -> Estimate | None:
    """Compute treatment / control - 1 with an interval of `critical` standard errors.

    None if the control's mean is 0 or below.

    `critical`: a quantile of Student's t or the Normal for one look, `sequential.boundary` for any number. `shared`:
    variance that both means have in common (`cuped.Adjusted.shared`). Metrics that can be negative
    (a profit) have no relative lift unless the control's mean is above 0.
    """
    if control.mean <= 0.0:
        return None
    if method == "auto":
        g = critical**2 * (control.variance_of_mean + shared) / control.mean**2
        method = "fieller" if g > LARGEST_G else "delta"
    if method == "fieller":
        return _fieller(treatment, control, critical, shared)
    lift = treatment.mean / control.mean - 1.0
    margin = critical * math.sqrt(delta_variance(treatment, control, shared))
    return Estimate(lift, lift - margin, lift + margin)


def unknown_lift(treatment: Moments, control: Moments) -> Estimate | None:
    """Return the lift with infinite bounds, if its error is unknown; None as in `relative_lift`."""
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


def _fieller(treatment: Moments, control: Moments, critical: float, shared: float) -> Estimate:
    """Return all R for which t - R c is within `critical` of its standard errors of 0 (Fieller 1954).

    They are not an interval if the control itself is not that far from 0; then both bounds are infinite.
    """
    t, c, q2 = treatment.mean, control.mean, critical**2
    v_t, v_c = treatment.variance_of_mean + shared, control.variance_of_mean + shared
    lift = t / c - 1.0
    squared = c * c - q2 * v_c
    if squared <= 0.0:
        return Estimate(lift, -math.inf, math.inf)
    # (t c - q² s)² - (c² - q² v_c)(t² - q² v_t) with t² c² taken out, which would swallow the rest.
    discriminant = q2 * (c * c * v_t + t * t * v_c - 2.0 * t * c * shared + q2 * (shared**2 - v_c * v_t))
    center, margin = t * c - q2 * shared, math.sqrt(max(discriminant, 0.0))
    return Estimate(lift, (center - margin) / squared - 1.0, (center + margin) / squared - 1.0)
