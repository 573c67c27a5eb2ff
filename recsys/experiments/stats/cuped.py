"""CUPED: smaller variance by data of units from before the experiment (Deng, Xu, Kohavi & Walker 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recsys.errors import DataError
from recsys.experiments.stats.moments import JointMoments, Moments, Values

_SMALLEST_EIGENVALUE = 1e-10
"""Smallest eigenvalue of the covariates' correlation matrix, relative to the largest; below it, covariates repeat."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Arms after CUPED, in the order given.

    `arms`: with adjusted means and variances. `coefficients` (k,): theta, of each covariate. `shared`: the variance
    that the means of all arms have in common, from the pooled mean of covariates: it cancels in differences and
    belongs into relative lift. `variance_left`: 1 - R² within arms, the share of variance that is left, in [0, 1].
    """

    arms: tuple[Moments, ...]
    coefficients: tuple[float, ...]
    shared: float
    variance_left: float


def adjust(arms: Sequence[JointMoments]) -> Adjusted:
    """Adjust the arms' first column for the others: y - theta (x - mean of x over all arms).

    theta is the regression within arms, pooled (Deng et al. 2013, eq. 4), so a treatment effect does not enter it; a
    covariate that is constant or repeats another one gets 0 or shares. For a ratio give `JointMoments.ratio()` of each
    arm, with a pre-period numerator and denominator as covariates. Covariates must be from before the exposure: one
    that the treatment can change biases the effect.

    One theta serves all arms. The adjusted difference is then right for any theta, also a wrong one, and each arm has
    its own variance, so that unequal arms do no harm (the caution of Freedman 2008). Slopes of each arm (Lin 2013)
    would rest on the smaller arm alone: of 95 : 5 units its slope has 95 % of the weight. For the k coefficients that
    are estimated, variances are multiplied by f / (f - k), f being the degrees of freedom within arms. Without as many
    units nothing is adjusted.

    Raises:
        DataError: without arms, covariates or units.
    """
    if not arms or any(len(arm.means) < 2 for arm in arms):
        raise DataError("CUPED takes arms of a metric and at least one covariate: leave it out if there is none")
    freedom = sum(max(arm.n - 1, 0) for arm in arms)
    if freedom == 0:
        raise DataError("no arm has two units: CUPED needs more data")
    pooled = sum((max(arm.n - 1, 0) * arm.covariance for arm in arms), np.zeros_like(arms[0].covariance)) / freedom
    units = sum(arm.n for arm in arms)
    center = sum((arm.n * arm.means[1:] for arm in arms), np.zeros(len(pooled) - 1)) / units
    covariance = pooled[1:, 1:]
    # Regression in units of standard deviations, so that the pseudo-inverse sees correlations.
    deviations = np.sqrt(np.diag(covariance))
    scale = np.where(deviations > 0.0, deviations, 1.0)
    correlation = covariance / np.outer(scale, scale)
    inverse = np.linalg.pinv(correlation, rcond=_SMALLEST_EIGENVALUE, hermitian=True)
    theta = np.asarray(inverse @ (pooled[0, 1:] / scale) / scale)
    eigenvalues = np.linalg.eigvalsh(correlation)
    estimated = int(np.count_nonzero(eigenvalues > max(_SMALLEST_EIGENVALUE * eigenvalues.max(), 0.0)))
    if freedom <= estimated:
        theta, estimated = np.zeros_like(theta), 0
    loss = freedom / (freedom - estimated)
    weights = np.array([1.0, *-theta])
    adjusted = [
        Moments(
            arm.n,
            float(arm.means[0] - theta @ (arm.means[1:] - center)),
            loss * max(float(weights @ arm.covariance @ weights), 0.0),
            arm.sizes,
        )
        for arm in arms
    ]
    explained = float(theta @ covariance @ theta)
    left = 1.0 - explained / pooled[0, 0] if pooled[0, 0] > 0.0 else 1.0
    return Adjusted(
        arms=tuple(adjusted),
        coefficients=tuple(map(float, theta)),
        shared=explained / units,
        variance_left=float(np.clip(left, 0.0, 1.0)),
    )


def fill_missing(covariate: Values) -> Values:
    """Split a covariate (n,) with NaN for units without a pre-period (new users) into two columns (n, 2).

    The first is the covariate with 0 for NaN, the second 1 for these units and 0 for others. Together they adjust known
    units by their covariate and new ones by their own mean, whatever is filled in; no unit is dropped.
    """
    missing = np.isnan(covariate)
    return np.column_stack([np.where(missing, 0.0, covariate), missing])
