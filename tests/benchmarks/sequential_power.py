"""Units that looks on any day need beside a single look, for the same power.

    python -m tests.benchmarks.sequential_power [--looks 20]

Normal estimates with looks at equal distances up to the planned size. Printed: the error without an effect at any of
these looks, the units at the end for 80 % power, and the mean units at which the experiment stops. Units are multiples
of those of a single look.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import special
from scipy.optimize import brentq

from recsys.experiments.stats.moments import Values
from recsys.experiments.stats.sequential import boundary, planned_boundary
from recsys.rng import generator

RUNS, POWER = 200_000, 0.8


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--looks", type=int, default=20)
    looks = parser.parse_args().looks
    time = np.arange(1, looks + 1) / looks
    steps = generator(0, "sequential power").standard_normal((RUNS, looks))
    motion = steps.cumsum(axis=1) / np.sqrt(looks)
    once = (special.ndtri(0.975) + special.ndtri(POWER)) ** 2
    print("| boundary | errors at the end | error without an effect | units | mean units |")
    print("|---|---|---|---|---|")
    for name, edges in {
        "declared end": planned_boundary(time),
        "no end, tuned to the planned size": boundary(time, tightest_at=1.0),
    }.items():

        def found(effect: float, edges: Values = edges) -> Values:
            return np.asarray((motion + effect * time) / np.sqrt(time) > edges)

        errors = np.mean((np.abs(motion) / np.sqrt(time) > edges).any(axis=1))
        effect = brentq(lambda size: found(size).any(axis=1).mean() - POWER, 2.0, 6.0, xtol=1e-3)
        hits = found(effect)
        ends = np.where(hits.any(axis=1), time[hits.argmax(axis=1)], 1.0)
        units = effect**2 / once
        print(f"| {name} | {edges[-1]:.2f} | {errors:.2%} | {units:.2f} | {units * ends.mean():.2f} |")


if __name__ == "__main__":
    main()
