"""An effect that depends on another experiment is found; experiments that share no unit are not tested."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.analysis.effects.interactions import share_units
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.design.assignment import Plan
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.lifecycle import start, stop
from recsys.reports.experiment_page import render_experiment
from recsys.rng import generator

Maker = Callable[..., Experiment]
START, DAY, UNITS = 1_790_000_000, 86_400, 3_000
NOW = START + 15 * DAY
IDS = [f"u{number:04d}" for number in range(UNITS)]


@pytest.fixture(scope="module")
def own(trial: Maker) -> Experiment:
    return trial(metrics=[{"name": "conversion"}], guardrails=[])


@pytest.fixture(scope="module")
def other(experiment: Maker) -> Experiment:
    arms = {"plain": {}, "dense": {"overrides": {"diversity": 0.1}}}
    return start(experiment(key="dense-lists", control="plain", arms=arms), START - DAY)


def logs(own: Experiment, other: Experiment, means: list[list[float]], seed: int = 0, lists: int = UNITS) -> Logs:
    """One list per unit; the share of buyers is `means[arm in own][arm in other]`, the control first."""
    random = generator(seed, "interactions")
    cells = [np.array(tuple(one.shares))[Plan.from_experiment(one).assign_many(IDS)] for one in (own, other)]
    treated = [(names != one.control).astype(int) for names, one in zip(cells, (own, other), strict=True)]
    time = START + random.integers(14 * DAY, size=UNITS)
    shown = {"request_id": [f"r{unit}" for unit in IDS], "unit": IDS, "timestamp": time, "experiment": own.key}
    exposures = pd.DataFrame({**shown, "arm": cells[0], "items": [["i0"]] * UNITS})
    bought = np.flatnonzero(random.random(UNITS) < np.array(means)[treated[0], treated[1]])
    events = {"unit": np.array(IDS)[bought], "item_id": "i0", "event": "purchase", "timestamp": time[bought] + 60}
    return Logs.from_frames(exposures.iloc[:lists], pd.DataFrame(events))


def found_in(own: Experiment, other: Experiment, means: list[list[float]], seed: int = 0) -> Analysis:
    return analyze(own, logs(own, other, means, seed), NOW, others=[own, other])


def test_an_effect_that_the_other_experiment_takes_away_is_found(own: Experiment, other: Experiment) -> None:
    found = found_in(own, other, [[0.2, 0.2], [0.35, 0.2]])
    (pair,) = found.interactions
    assert (pair.arm, pair.other, pair.other_arm, pair.units) == ("mild", "dense-lists", "dense", UNITS)
    assert pair.found
    assert pair.p_corrected < 0.001
    assert pair.difference.low < -0.15 < pair.difference.high < 0.0
    assert pair.alone == pytest.approx(0.15, abs=0.05)
    assert pair.together == pytest.approx(0.0, abs=0.05)
    assert pair.difference.value == pytest.approx(pair.together - pair.alone)
    assert "depends on the other arm: decide by both columns" in render_experiment(found, ".md", plots=False)


def test_two_effects_that_add_up_do_not_interact(own: Experiment, other: Experiment) -> None:
    pairs = [found_in(own, other, [[0.2, 0.3], [0.3, 0.4]], seed).interactions[0] for seed in range(12)]
    # 0.6 of 12 are expected; 4 or more have a probability of 0.2 %.
    assert sum(pair.found for pair in pairs) < 4
    assert all(pair.found != (pair.difference.low < 0.0 < pair.difference.high) for pair in pairs)


def test_silent_with_few_values(own: Experiment, other: Experiment) -> None:
    assert found_in(own, other, [[0.01, 0.01], [0.01, 0.01]]).interactions == ()
    few = analyze(own, logs(own, other, [[0.2, 0.2], [0.4, 0.1]], lists=300), NOW, others=[other])
    assert few.healthy
    assert few.interactions == ()


def test_arms_of_another_system_are_not_tested(own: Experiment, other: Experiment) -> None:
    given = logs(own, other, [[0.2, 0.2], [0.35, 0.2]])
    assert analyze(own, given, NOW, others=[other], assigned_here=False).interactions == ()
    assert analyze(own, given, NOW).interactions == ()


def test_only_running_experiments_that_can_share_units_are_tested(own: Experiment, other: Experiment) -> None:
    assert share_units(own, other)
    assert not share_units(own, own)
    assert not share_units(own, stop(other, START + DAY))
    low, high = ({"name": "lists", "segments": [segments]} for segments in ((0, 499), (500, 999)))
    one, two = (
        Experiment.model_validate({**given.model_dump(), "namespace": space})
        for given, space in ((own, low), (other, high))
    )
    assert not share_units(one, two)
    assert share_units(one, Experiment.model_validate({**two.model_dump(), "namespace": {**high, "name": "else"}}))
    assert not share_units(own, Experiment.model_validate({**other.model_dump(), "unit": "session"}))


def test_many_pairs_are_corrected(own: Experiment, other: Experiment, experiment: Maker) -> None:
    more = [start(experiment(key=f"other-{number}"), START) for number in range(4)]
    given = logs(own, other, [[0.2, 0.2], [0.35, 0.2]])
    found = analyze(own, given, NOW, others=[*more, other]).interactions
    assert [one.other for one in found] == ["dense-lists", *(one.key for one in more)]
    assert found[0].p_corrected == pytest.approx(5 * found[0].p_value)
    assert [one.found for one in found] == [True, *[False] * 4]
