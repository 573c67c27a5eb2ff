"""A plan keeps its promise: experiments of the planned size find the planned effect with the planned power.

2,000 experiments each have a standard error of 0.9 points at 80 %. 76.5 % to 85 % leaves room for skewed values and for
20 looks, which the plan approximates.
"""

from __future__ import annotations

import numpy as np
import pytest

from recsys.experiments.analysis.comparisons import Rule
from recsys.experiments.analysis.planning import Rules, plan_metric
from recsys.experiments.design.definition import Looks
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.power import Baseline
from recsys.rng import generator

RUNS, LOOKS, EFFECT, RATE = 2_000, 20, 0.15, 0.08
SPREAD = 0.8
"""Sigma of the logarithm of a unit's value."""
SPLITS = {
    "equal": {"now": 0.5, "new": 0.5},
    "small arm": {"now": 0.9, "new": 0.1},
    "small control": {"now": 0.1, "new": 0.9},
    "three arms": {"now": 0.4, "new": 0.3, "other": 0.3},
}


def running_moments(values: np.ndarray) -> list[Moments]:
    """Return the moments of the first 1 / 20, 2 / 20, ... of the values (n,)."""
    ends = np.linspace(0, len(values), LOOKS + 1).round().astype(int)[1:]
    sums, squares = np.cumsum(values)[ends - 1], np.cumsum(values**2)[ends - 1]
    return [
        Moments(int(n), float(total / n), float((square - total**2 / n) / (n - 1)))
        for n, total, square in zip(ends, sums, squares, strict=True)
    ]


@pytest.mark.statistics_grid
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("looks", Looks)
@pytest.mark.parametrize("binary", [True, False], ids=["conversion", "revenue"])
def test_the_planned_power_is_reached(split: str, looks: Looks, binary: bool) -> None:
    shares = SPLITS[split]
    rules = Rules(shares, "now", looks=looks)
    mean = float(np.exp(SPREAD**2 / 2))
    baseline = Baseline.from_rate(RATE) if binary else Baseline(mean, mean**2 * (np.exp(SPREAD**2) - 1))
    needs = plan_metric("conversion" if binary else "revenue_per_user", baseline, rules, effect=EFFECT).needs
    assert needs is not None
    arm = min(rules.others, key=lambda name: shares[name])
    level = 1.0 - rules.alpha / len(rules.others)
    random, found = generator(0, f"power of plans {split} {looks} {binary}"), 0
    for _ in range(RUNS):
        pairs = []
        for name, factor in ((arm, 1.0 + EFFECT), ("now", 1.0)):
            n = needs.units_by_arm[name]
            values = (
                (random.random(n) < RATE * factor).astype(float) if binary else factor * random.lognormal(0, SPREAD, n)
            )
            pairs.append(running_moments(values))
        looked = range(LOOKS) if looks is Looks.SEQUENTIAL else (LOOKS - 1,)
        for look in looked:
            rule = Rule(looks, level, 1.0, (look + 1) / LOOKS)
            effect = rule.compare(pairs[0][look], pairs[1][look])
            if effect.p_value <= 1.0 - level and effect.absolute.value > 0.0:
                found += 1
                break
    assert 0.765 <= found / RUNS <= 0.85, found / RUNS
