"""Experiments are given up soon without an effect, and hardly ever with an effect that can be found.

Weekly looks for eight weeks at a shop with new users all the time. To stop by the estimate only (more than a
year for an effect as estimated) would lose an eighth of the effects that eight weeks find in 99 of 100 experiments.
"""

from __future__ import annotations

import pytest

from recsys.clock import SECONDS_PER_DAY
from recsys.experiments.analysis.analyze import analyze
from recsys.experiments.analysis.decision import LONGEST_DAYS, Advice
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.lifecycle import start
from recsys.simulation.synthetic_logs import Planted, Population, simulate_logs

pytestmark = pytest.mark.slow

START, RUNS, LOOKS = 1_790_000_000, 40, (14, 21, 28, 35, 42, 49, 56)
POPULATION = Population(users=3_000, days=LONGEST_DAYS)


def decide(run: int, lift: float) -> tuple[Advice, int, bool]:
    """Return the decision, its day, and whether the last day finds a better treatment."""
    draft = {
        "key": f"wait-{run}",
        "title": "Wait",
        "hypothesis": "It is found in time",
        "control": "now",
        "arms": {"now": {}, "mild": {"overrides": {"strength": 0.3}}},
        "metrics": [{"name": "ctr"}],
    }
    experiment = start(Experiment.model_validate(draft), START)
    logs = simulate_logs(experiment, {"mild": Planted(ctr=lift)}, POPULATION, seed=run).logs
    end = START + LONGEST_DAYS * SECONDS_PER_DAY
    first, last = None, False
    for day in LOOKS:
        found = analyze(experiment, logs, end + SECONDS_PER_DAY, until=START + day * SECONDS_PER_DAY)
        if first is None and found.decision.advice is not Advice.KEEP_GOING:
            first = found.decision.advice, day
        last = bool(found.primary and found.primary[0].better)
    assert first is not None
    return *first, last


def test_experiments_without_an_effect_stop_early() -> None:
    found = [decide(run, 0.0) for run in range(RUNS)]
    assert sum(advice is Advice.STOP for advice, *_ in found) >= 0.9 * RUNS
    assert sum(day for _, day, _ in found) / RUNS < 30


def test_effects_that_can_be_found_are_waited_for() -> None:
    found = [decide(run, 0.16) for run in range(RUNS)]
    in_the_end = sum(last for *_, last in found)
    shipped = sum(advice is Advice.SHIP for advice, *_ in found)
    assert in_the_end >= 0.9 * RUNS
    assert shipped >= 0.92 * in_the_end
