"""The split may be tested after every unit: false alarms stay rare at all looks together, true ones come early."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import ConfigError, DataError
from recsys.experiments.stats.sequential_split import split_p_value
from recsys.rng import generator


def test_a_known_factor() -> None:
    """One unit says nothing; two in one arm are what a Polya urn makes more probable."""
    assert split_p_value([1, 0], [1, 1]) == pytest.approx(1.0)
    k = 10.0
    # Polya urn with 5 + 5: P(2, 0) = 1/2 * 6/11.
    assert split_p_value([2, 0], [1, 1], k) == pytest.approx(0.25 / (0.5 * 6 / 11))


@pytest.mark.parametrize("weights", [(1, 1), (9, 1), (90, 5, 5)])
def test_looks_after_every_hundred_units_err_rarely(weights: tuple[int, ...]) -> None:
    """200 experiments, 50 looks: at most 1 % are ever below 0.01, give or take 3 standard errors of simulation."""
    random, runs, looks = generator(0, "sequential split"), 200, 50
    shares = np.array(weights) / sum(weights)
    counts = random.multinomial(100, shares, (runs, looks)).cumsum(axis=1)
    ever = sum(any(split_p_value(counts[run, look], weights) <= 0.01 for look in range(looks)) for run in range(runs))
    assert ever <= runs * 0.01 + 3 * np.sqrt(runs * 0.01)


def test_a_loss_of_a_tenth_of_an_arm_is_found() -> None:
    assert split_p_value([10_000, 9_000], [1, 1]) < 1e-6
    assert split_p_value([10_000, 9_930], [1, 1]) > 0.5


def test_what_is_no_split() -> None:
    with pytest.raises(ConfigError, match="above 0"):
        split_p_value([1, 1], [1, 0])
    with pytest.raises(DataError, match="one of each"):
        split_p_value([1], [1, 1])
