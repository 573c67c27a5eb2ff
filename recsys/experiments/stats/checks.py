"""Checks of the input that every test of two arms makes."""

from __future__ import annotations

from recsys.errors import ConfigError, DataError
from recsys.experiments.stats.moments import Moments


def check_between_0_and_1(name: str, value: float) -> None:
    """Raise ConfigError if `value` is not strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise ConfigError(f"{name} is {value}: give a number between 0 and 1, both excluded")


def check_arms(**arms: Moments) -> None:
    """Raise DataError for an arm, named by its keyword, whose variance cannot be estimated."""
    for name, arm in arms.items():
        if arm.n < 2:
            units = "1 unit" if arm.n == 1 else f"{arm.n} units"
            raise DataError(f"arm {name!r} has {units}: wait for at least 2, or leave the arm out of the analysis")
