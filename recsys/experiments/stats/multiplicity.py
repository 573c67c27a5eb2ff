"""Multiple testing within one experiment: Holm for decisions, Benjamini-Hochberg for exploration."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from recsys.errors import DataError
from recsys.evaluation.significance import holm
from recsys.experiments.stats.moments import Values

Correction = Literal["holm", "benjamini-hochberg"]


def correct_p_values(p_values: ArrayLike, method: Correction = "holm") -> Values:
    """Correct the p-values (M,) of one family; the result has the same order and is in [0, 1].

    "holm" (Holm 1979) holds the chance of any false finding, whatever the tests' dependence: for the metrics and arms
    that decide. "benjamini-hochberg" (1995) holds the expected share of false findings among findings, for independent
    or positively dependent tests: for segments and secondary metrics that one explores. Always-valid p-values may be
    corrected as well.

    Raises:
        DataError: for a value that is not a p-value.
    """
    values = np.asarray(p_values, dtype=np.float64)
    wrong = np.flatnonzero(~((values >= 0.0) & (values <= 1.0)))
    if len(wrong):
        raise DataError(f"p-value number {wrong[0]} is {values[wrong[0]]}: leave out tests that were not possible")
    if not len(values):
        return values
    return holm(values) if method == "holm" else np.asarray(stats.false_discovery_control(values, method="bh"))
