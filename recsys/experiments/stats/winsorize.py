"""Winsorizing: values above a cap count as the cap, so that a few units do not decide an experiment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.errors import DataError
from recsys.experiments.stats.moments import Values
from recsys.schema import IntArray

MOST_CUT = 5
"""Values that a cap may cut at any size."""
TAIL = 0.001
"""Share of the values above 0 that a cap may cut if that is more."""
_FEW = 10


@dataclass(frozen=True, slots=True)
class Cap:
    """Cap of the values of all arms together, and what it did.

    Attributes:
        value: largest value that counts, in the metric's unit; infinite if nothing can be cut.
        positive: number of values above 0.
        cut: number of values above the cap.
        removed: share of the sum of all values that lies above the cap, in [0, 1].
        bias: mean removed per unit of each arm (k,), in the metric's unit; an effect on capped values is lower than one
            on all values by the arm's bias less the control's.
    """

    value: float
    positive: int
    cut: int
    removed: float
    bias: tuple[float, ...]

    @classmethod
    def from_values(cls, values: Values, value: float, arm: IntArray, arms: int) -> Cap:
        """Describe what a cap of `value` does to values (n,) of units in the arms with codes `arm` (n,)."""
        above = values - winsorize(values, value)
        total = float(values.sum())
        by_arm = np.bincount(arm, above, minlength=arms) / np.maximum(np.bincount(arm, minlength=arms), 1)
        return cls(
            value,
            int(np.count_nonzero(values > 0.0)),
            int(np.count_nonzero(values > value)),
            float(above.sum()) / total if total > 0.0 else 0.0,
            tuple(map(float, by_arm)),
        )


def most_cut(positive: int, tail: float = TAIL) -> int:
    """Return how many of `positive` values above 0 a cap may cut: 5, or the share `tail` if more; at most a tenth."""
    return max(min(MOST_CUT, -(-positive // _FEW)), int(positive * tail))


def pooled_cap(values: Values, *, slack: float = 1.0, tail: float = TAIL) -> float:
    """Compute the cap of values (n,) of all arms together: the largest value that is not cut, times `slack`.

    The cap is one of the values, never between two: an interpolated quantile of fewer than 1,000 values grows with the
    largest one and caps nothing. As long as outliers are at most `most_cut`, their size has no influence on the cap.
    It is fixed on pooled data: a cap of each arm's own would cut more from the arm that earns more. Only values above
    0 count, because most units have none (revenue). Infinite with fewer than two of these.

    Raises:
        DataError: for NaN.
    """
    if np.isnan(values).any():
        raise DataError("the rank of values with NaN means nothing: fill or drop these units first")
    used = values[values > 0.0]
    if len(used) < 2:
        return float("inf")
    rank = len(used) - 1 - most_cut(len(used), tail)
    return slack * float(np.partition(used, rank)[rank])


def winsorize(values: Values, cap: float) -> Values:
    """Set values (n,) above `cap` to `cap`. The effect is then on capped values; reports must say so."""
    return np.minimum(values, cap)
