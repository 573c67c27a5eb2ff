"""Replay: items of later events are relevant to users, and the pipeline has not seen these events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.bundle.types import Bundle
from recsys.dataset.importers import import_data
from recsys.dataset.interactions import Interactions
from recsys.dataset.project import Project
from recsys.errors import ConfigError, DataError
from recsys.experiments.design.metric_names import MetricName
from recsys.ranking.recommender import Recommender
from recsys.schema import UserId
from recsys.simulation.lists import Lists
from recsys.simulation.replay import IRRELEVANT, build_replay, tastes_from_events
from recsys.simulation.run import Plan, run_experiment, true_effects
from recsys.simulation.run_logs import analyze_run
from recsys.simulation.tastes import Tastes
from recsys.training.build import load_interactions
from tests.unit.recsys.simulation.conftest import START, Declare

PLAIN = {"blend": dict.fromkeys(("factors", "neighbors", "style", "category", "trend", "recency"), 0.0)}
"""An arm that ranks by popularity over all times only."""


@pytest.fixture(scope="module")
def events(lists: Lists, sample_project: Project) -> Interactions:
    return load_interactions(sample_project, lists.bundle.catalog)


def test_items_of_later_events_are_relevant_unless_they_had_earlier_ones(lists: Lists, events: Interactions) -> None:
    moment = int(np.quantile(events.timestamps, 0.8))
    before, after = events.before(moment), events.after(moment)
    tastes = tastes_from_events(lists.bundle, before, after)
    assert 50 < len(tastes) < len(events.user_ids)
    for taste in range(0, len(tastes), 20):
        account = tastes.accounts[taste]
        assert account is not None
        user = int(events.user_ids.row(UserId(account)))
        later, earlier = set(after.items[after.users == user]), set(before.items[before.users == user])
        assert set(np.flatnonzero(tastes.relevance[taste] > IRRELEVANT)) == later - earlier
        assert tastes.relevance[taste].max() == 1.0


def test_a_bundle_that_was_never_saved_serves_an_experiment(lists: Lists, tastes: Tastes, declare: Declare) -> None:
    unsaved = Lists(Recommender(replace(lists.bundle, version=Bundle.__dataclass_fields__["version"].default)))
    run = run_experiment(declare(PLAIN), unsaved, tastes, Plan(START, days=2, days_before=1, adaptive=False))
    assert run.exposed.any()


def test_impossible_replays_are_named(lists: Lists, events: Interactions, sample_project: Project) -> None:
    with pytest.raises(DataError, match="no known user comes back"):
        tastes_from_events(lists.bundle, events, events)
    with pytest.raises(ConfigError, match="share is 1"):
        build_replay(sample_project, 1.0)


@pytest.mark.realdata
def test_film_posters_replayed_find_what_offline_evaluation_finds(
    real_data: Path, tmp_path: Path, declare: Declare
) -> None:
    """Offline, the blend's NDCG is twice popularity's; with users who click items they rated later, it wins too."""
    project = Project.init(tmp_path / "films", "films")
    folder = real_data / "ml-100k-posters"
    files = [folder / "items.csv", folder / "ml-100k.item"]
    import_data(project, items=files, interactions=folder / "ml-100k.inter", users=folder / "ml-100k.user")
    recommender, tastes = build_replay(project)
    plan = Plan(START, days=28, days_before=14, users=1_500, adaptive=False)
    run = run_experiment(declare(PLAIN), Lists(recommender), tastes, plan)
    (truth,) = true_effects(run, (MetricName.CTR,), replicates=3)
    found = analyze_run(run)
    assert truth.lift < -0.2
    assert found.primary[0].worse
    lift = found.primary[0].effect.relative
    assert lift is not None
    assert lift.low < truth.lift < lift.high
