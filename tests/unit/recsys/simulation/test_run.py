"""A simulated experiment is assigned, served and logged by the real parts, and its truth is known."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.dataset.project import Project
from recsys.errors import ConfigError, ProjectError
from recsys.experiments.analysis.analyze import analyze
from recsys.experiments.analysis.decision import Advice
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.design.assignment import Plan as Assigning
from recsys.experiments.design.definition import UnitKind
from recsys.experiments.design.files import find_file, load_experiment
from recsys.experiments.design.metric_names import MetricName
from recsys.ranking.request import Request
from recsys.simulation.lists import Lists
from recsys.simulation.run import Plan, Run, run_experiment, true_effects
from recsys.simulation.run_logs import analyze_run, write_run
from recsys.simulation.tastes import Tastes, draw_tastes
from recsys.storage.database import Database
from tests.simulated.interleaving import interleave_run, required_lists
from tests.unit.recsys.simulation.conftest import POPULAR, START, Declare

STILL = Plan(START, days=14, days_before=7, adaptive=False)


@pytest.fixture(scope="module")
def run(lists: Lists, tastes: Tastes, declare: Declare) -> Run:
    return run_experiment(declare(POPULAR), lists, tastes, STILL)


def test_units_are_assigned_and_served_by_the_real_parts(run: Run, lists: Lists) -> None:
    assert np.array_equal(run.arm, Assigning.from_experiment(run.experiment).assign_many(run.simulator.users.ids))
    visits = run.trace.visits
    visit = int(np.flatnonzero(run.exposed & (run.arm[visits.user] == run.arms.index("now")))[0])
    account = run.simulator.tastes.accounts[int(run.simulator.users.taste[visits.user[visit]])]
    answer = lists.recommender.recommend(Request(user_id=account, limit=lists.length))
    served = lists.bundle.catalog.ids.ids(run.trace.rows[visit])
    assert served == [one.item_id for one in answer.recommendations]
    assert not run.exposed[visits.time < START].any()


def test_the_worse_pipeline_is_found_to_be_as_bad_as_it_is(run: Run) -> None:
    (truth,) = true_effects(run, (MetricName.CTR,), replicates=3)
    found = analyze_run(run)
    assert found.healthy, found.health
    assert -0.85 < truth.lift < -0.5
    assert truth.error < 0.02
    lift = found.primary[0].effect.relative
    assert lift is not None
    assert lift.low < truth.lift < lift.high
    assert (found.decision.advice, found.decision.arm) == (Advice.STOP, None)
    assert found.primary[0].worse


def live_files(project: Project) -> dict[str, bytes]:
    """The project's own live data: other tests may have left some."""
    return {path.name: path.read_bytes() for path in project.live.rglob("*") if path.is_file()}


def test_a_written_run_is_a_project_that_the_analysis_reads(run: Run, sample_project: Project, tmp_path: Path) -> None:
    before = live_files(sample_project)
    folder = write_run(run, sample_project, tmp_path / "out")
    written = Project.open(folder)
    experiment = load_experiment(find_file(written.experiments, "tried"))
    with closing(Database.open(written.database_url)) as database:
        stored = analyze(experiment, Logs.from_database(database), STILL.end)
    logs = folder / "logs"
    files = Logs.from_files(logs / "exposures.parquet", logs / "events.parquet", logs / "feedback.parquet")
    assert stored.healthy
    assert stored.comparisons == analyze(experiment, files, STILL.end).comparisons == analyze_run(run).comparisons
    with pytest.raises(ProjectError, match="not empty"):
        write_run(run, sample_project, folder)
    assert live_files(sample_project) == before


def test_a_planted_lift_is_the_truth(lists: Lists, tastes: Tastes, declare: Declare) -> None:
    plan = replace(STILL, planted={"other": 0.2})
    (truth,) = true_effects(run_experiment(declare({}), lists, tastes, plan), (MetricName.CTR,), replicates=5)
    assert truth.lift == pytest.approx(0.2, abs=0.03)


def test_clicks_change_the_next_list(lists: Lists, tastes: Tastes, declare: Declare) -> None:
    few = Tastes(tastes.accounts[:12], tastes.past[:12], tastes.relevance[:12], tastes.directions[:12])
    plan = Plan(START, days=7, days_before=14)
    run = run_experiment(declare(POPULAR), lists, few, plan)
    again = run_experiment(declare(POPULAR), lists, few, plan)
    assert np.array_equal(run.trace.rows, again.trace.rows)
    visits, clicked = run.trace.visits, run.trace.responses.clicked
    assert clicked.any()
    for user in range(len(few)):
        own = np.flatnonzero(visits.user == user)
        seen: set[int] = set()
        for visit in own.tolist():
            assert not seen & set(run.trace.rows[visit].tolist())
            seen |= set(run.trace.rows[visit][clicked[visit]].tolist())


def test_interleaving_finds_the_better_ranker_with_fewer_lists(lists: Lists, tastes: Tastes, declare: Declare) -> None:
    run = run_experiment(declare({"blend": {"style": 0.0}}), lists, tastes, STILL)
    found = interleave_run(run, "other")
    assert found.outcome.preference.low > 0
    assert found.outcome.sign_p < 1e-6
    assert required_lists(run, "other", found).ratio > 2


def test_users_are_drawn_for_any_catalog(lists: Lists) -> None:
    drawn = draw_tastes(lists.bundle, 40, 0)
    assert drawn.accounts == (None,) * 40
    assert 0 < sum(drawn.is_known(taste) for taste in range(40)) < 40
    own = drawn.relevance.max(axis=1)
    assert np.all(own > 3 * np.median(drawn.relevance, axis=1))
    # With their short past, the pipeline does better than with the general list.
    better = []
    for taste in range(40):
        if drawn.is_known(taste):
            personal = lists.recommender.recommend(Request(items=drawn.past[taste]))
            general = lists.recommender.recommend(Request())
            means = [
                drawn.relevance[taste, [lists.bundle.catalog.ids.row(one.item_id) for one in answer.recommendations]]
                for answer in (personal, general)
            ]
            better.append(means[0].mean() - means[1].mean())
    assert np.mean(better) > 0.05


def test_impossible_simulations_are_named(lists: Lists, tastes: Tastes, declare: Declare) -> None:
    sessions = declare({}).model_copy(update={"unit": UnitKind.SESSION})
    with pytest.raises(ConfigError, match="users only"):
        run_experiment(sessions, lists, tastes, STILL)
    with pytest.raises(ConfigError, match="no arm 'third'"):
        run_experiment(declare({}), lists, tastes, replace(STILL, planted={"third": 0.1}))
    with pytest.raises(ConfigError, match="midnight"):
        run_experiment(declare({}), lists, tastes, replace(STILL, start=START + 5))
    with pytest.raises(ConfigError, match="simulator serves"):
        run_experiment(declare({"model": "0123456789abcdef"}), lists, tastes, STILL)
