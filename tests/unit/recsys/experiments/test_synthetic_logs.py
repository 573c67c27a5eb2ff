"""Simulated logs are the same for the same seed, hold what is planted, and what cannot be simulated is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from recsys.errors import ConfigError, ExperimentError
from recsys.experiments.design.definition import Experiment
from recsys.simulation.synthetic_logs import Planted, Population, simulate_logs

Maker = Callable[..., Experiment]
PEOPLE = Population(users=500)


def test_the_same_seed_gives_the_same(trial: Maker) -> None:
    one, again = (simulate_logs(trial(), {"mild": Planted(ctr=0.5)}, PEOPLE) for _ in range(2))
    for name in ("exposures", "events", "feedback"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(again, name))
    other = simulate_logs(trial(), {}, PEOPLE, seed=1)
    assert not one.exposures["unit"].equals(other.exposures["unit"])


def test_a_plant_changes_its_arm_alone(trial: Maker) -> None:
    plain, planted = (simulate_logs(trial(), lifts, PEOPLE) for lifts in ({}, {"mild": Planted(ctr=0.5)}))
    arm = plain.exposures.drop_duplicates("unit").set_index("unit")["arm"]
    clicks = [
        logs.events[(logs.events["event"] == "click") & logs.events["request_id"].notna()]["unit"]
        .map(arm)
        .value_counts()
        for logs in (plain, planted)
    ]
    assert clicks[0]["now"] == clicks[1]["now"]
    assert clicks[1]["mild"] > 1.3 * clicks[0]["mild"]


def test_who_is_not_covered_is_in_no_arm(trial: Maker) -> None:
    exposures = simulate_logs(trial(coverage=0.5), {}, PEOPLE).exposures
    outside = exposures["arm"].isna()
    assert 0.3 < outside.mean() < 0.7
    assert exposures.loc[outside, "experiment"].isna().all()
    assert exposures.loc[~outside, "propensity"].eq(0.5).all()


def test_what_cannot_be_simulated(trial: Maker, experiment: Maker, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="draft"):
        simulate_logs(experiment(), {})
    with pytest.raises(ConfigError, match="no arm 'bold'"):
        simulate_logs(trial(), {"bold": Planted()})
    with pytest.raises(ConfigError, match="dwell is -1"):
        simulate_logs(trial(), {"mild": Planted(dwell=-1)})
