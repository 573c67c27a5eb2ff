"""Counts of successes in an arm, such as users who buy."""

from __future__ import annotations

from dataclasses import dataclass

from recsys.errors import DataError
from recsys.experiments.stats.moments import Moments, Sizes


@dataclass(frozen=True, slots=True)
class Proportion:
    """Number of `successes` among `n` units of an arm; each unit counts once. Raises DataError for other counts."""

    successes: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.n or self.n == 0:
            raise DataError(
                f"{self.successes} successes of {self.n} units: count each unit once, and leave arms without units out"
            )

    @property
    def rate(self) -> float:
        """Successes / n, in [0, 1]."""
        return self.successes / self.n

    def moments(self) -> Moments:
        """Return moments of zeros and ones, for tests, intervals and guardrails."""
        variance = self.n * self.rate * (1.0 - self.rate) / max(self.n - 1, 1)
        return Moments(self.n, self.rate, variance, (Sizes(float(self.successes), float(self.successes)),))
