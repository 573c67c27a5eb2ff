"""Sample ratio mismatch at any look: a test of the declared split that may be read after every unit.

Lindon & Malek (2022), Anytime-valid inference for multinomial count data, NeurIPS 35, section 3: the Bayes factor of a
Dirichlet prior around the declared split against that split is a martingale as units come in one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from recsys.errors import ConfigError, DataError

CONCENTRATION = 1_000.0
"""Strength of the prior, in units: shares that are off by some per cent are found earliest."""


def split_p_value(counts: Sequence[int], weights: Sequence[float], concentration: float = CONCENTRATION) -> float:
    """Compute the always-valid p-value of the declared split.

    Under the split, the probability that it is at most alpha at any look is at most alpha, exactly for each size.

    Args:
        counts: units of each arm (k,).
        weights: declared weights (k,), above 0; any sum.
        concentration: strength of the prior, in units, above 0.

    Returns:
        1 / Bayes factor, at most 1.

    Raises:
        ConfigError: for weights that are not above 0.
        DataError: for lengths that differ, or counts below 0.
    """
    seen, shares = np.asarray(counts, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if seen.shape != shares.shape or (seen < 0).any():
        raise DataError(f"counts {list(counts)} for {len(shares)} weights: give one of each per arm, 0 or more")
    if not (np.isfinite(shares).all() and (shares > 0.0).all()):
        raise ConfigError(f"weights {list(weights)}: give weights above 0")
    shares = shares / shares.sum()
    prior = concentration * shares
    log_factor = (
        math.lgamma(concentration)
        - math.lgamma(concentration + float(seen.sum()))
        + float(np.sum(special.gammaln(prior + seen) - special.gammaln(prior)))
        - float(np.sum(seen * np.log(shares)))
    )
    return math.exp(min(-log_factor, 0.0))
