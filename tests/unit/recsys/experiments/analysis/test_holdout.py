"""The report of a holdout finds what all experiments did together, and says what is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.dataset.project import Project
from recsys.errors import ExperimentError
from recsys.experiments.analysis.analyze import Analysis
from recsys.experiments.analysis.decision import Advice
from recsys.experiments.analysis.holdout import HELD_OUT, SERVED, analyze_holdout, find_holdout
from recsys.experiments.analysis.log_health import Check
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.design.assignment import uniform
from recsys.experiments.design.definition import Experiment, Holdout, Metric
from recsys.experiments.design.files import create_experiment
from recsys.experiments.design.lifecycle import start, stop
from recsys.experiments.design.metric_names import MetricName
from recsys.reports.experiment_page import analysis_json, render_experiment
from recsys.simulation.synthetic_logs import Planted, Population, SimulatedLogs, simulate_logs

Maker = Callable[..., Experiment]
START, DAY, SHARE = 1_790_000_000, 86_400, 0.2
NOW = START + 15 * DAY
PEOPLE = Population(users=2_500)
CTR = (Metric(name=MetricName.CTR),)
LIFT = Planted(ctr=0.3)


@pytest.fixture(scope="module")
def held(trial: Maker) -> Experiment:
    return trial(holdout={"share": SHARE})


@pytest.fixture(scope="module")
def simulated(held: Experiment) -> SimulatedLogs:
    return simulate_logs(held, {"now": LIFT, "mild": LIFT}, PEOPLE)


def report(held: Experiment, logs: Logs, metrics: tuple[Metric, ...] = CTR) -> Analysis:
    return analyze_holdout([held], metrics, logs, NOW)


@pytest.fixture(scope="module")
def found(held: Experiment, simulated: SimulatedLogs) -> Analysis:
    return report(held, simulated.logs)


def test_the_joint_effect_is_found_against_units_held_out_by_the_hash(
    found: Analysis, simulated: SimulatedLogs
) -> None:
    units = simulated.exposures["unit"].unique()
    out = sum(uniform("holdout", "all", unit) < SHARE for unit in units)
    assert found.units == {HELD_OUT: out, SERVED: len(units) - out}
    assert found.healthy
    (ctr,) = found.comparisons
    lift = ctr.effect.relative
    assert ctr.better
    assert lift is not None
    assert lift.low < 0.3 < lift.high
    assert found.over_time[-1].units == len(units)
    assert found.decision.advice is Advice.REPORT
    assert found.decision.why[0].startswith("Click-through rate is better with the experiments: +")
    page = render_experiment(found, ".md", plots=False)
    assert "Nothing to decide" in page
    assert "of 95 %" not in page


def test_a_list_of_several_experiments_counts_once(held: Experiment, simulated: SimulatedLogs, found: Analysis) -> None:
    rows = simulated.exposures
    other = rows.assign(experiment="another", arm="a")
    both = pd.concat([rows, other]).sort_values(["timestamp", "request_id"], ignore_index=True)
    again = report(held, replace(simulated, exposures=both).logs)
    assert analysis_json(again) == analysis_json(found)


def test_nothing_planted_nothing_found_and_a_small_holdout_says_what_it_needs(held: Experiment) -> None:
    none = report(held, simulate_logs(held, {}, Population(users=1_500)).logs, (*CTR, Metric(name="conversion")))
    assert none.decision.why[0].startswith("Click-through rate is not shown to differ with the experiments")
    assert "would have been found" in none.decision.why[0]
    small = report(held, simulate_logs(held, {}, Population(users=150)).logs, (Metric(name=MetricName.CONVERSION),))
    assert re.search(r"needs about [\d,]+ units of both arms", small.decision.why[0])


def test_lists_outside_of_experiments_are_needed(held: Experiment, simulated: SimulatedLogs) -> None:
    rows = simulated.exposures
    without = report(held, replace(simulated, exposures=rows[rows["experiment"].notna()]).logs)
    assert not without.healthy
    assert any("also those outside of experiments" in line for line in without.decision.why)
    # A part of the held-out units is not logged.
    lost = np.array([uniform("holdout", "all", unit) < SHARE / 3 for unit in rows["unit"]])
    part = report(held, replace(simulated, exposures=rows[~lost]).logs)
    assert [one.check for one in part.health if not one.sound] == [Check.SPLIT]
    assert part.decision.advice is Advice.FIX_DATA
    assert part.comparisons == ()


def test_experiments_of_a_holdout(experiment: Maker, held: Experiment) -> None:
    with pytest.raises(ExperimentError, match="no experiment has a holdout: create them with --holdout"):
        find_holdout([experiment()])
    draft = experiment(key="draft", holdout={"share": SHARE})
    with pytest.raises(ExperimentError, match="none of its experiments was started: draft"):
        find_holdout([draft])
    later = start(experiment(key="later", holdout={"share": SHARE}), START + DAY)
    assert find_holdout([later, draft, held, experiment()]) == (held, later)
    wider = later.model_copy(update={"key": "wider", "holdout": Holdout(share=0.3)})
    with pytest.raises(ExperimentError, match="'mild' and 'wider' differ in its share"):
        find_holdout([held, wider])
    named = later.model_copy(update={"key": "named", "holdout": Holdout(share=0.3, name="other")})
    with pytest.raises(ExperimentError, match="name one of all, other"):
        find_holdout([held, named])
    with pytest.raises(ExperimentError, match="oter"):
        find_holdout([held, named], "oter")


def test_it_ends_with_its_experiments(held: Experiment, simulated: SimulatedLogs) -> None:
    ended = report(stop(held, START + 10 * DAY), simulated.logs)
    assert ended.until == START + 10 * DAY
    assert ended.days == 10.0


def test_the_command(held: Experiment, simulated: SimulatedLogs, tmp_path: Path) -> None:
    shop = Project.init(tmp_path / "shop", "shop")
    create_experiment(shop.experiments, held)
    simulated.exposures.to_parquet(tmp_path / "shown.parquet")
    simulated.events.to_parquet(tmp_path / "done.parquet")
    files = ["--exposures", tmp_path / "shown.parquet", "--events", tmp_path / "done.parquet"]
    options = ["--metric", "ctr", "--until", "2026-10-05T00:00Z", "--json"]
    arguments = ["experiment", "holdout", shop.root, "all", *files, *options]
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["experiment"] == "holdout-all"
    assert [one["metric"] for one in told["comparisons"]] == ["ctr"]
    assert told["comparisons"][0]["better"]
