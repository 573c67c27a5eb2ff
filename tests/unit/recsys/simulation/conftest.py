"""Experiments with the users of the packaged sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from recsys.experiments.design.definition import Experiment
from recsys.ranking.recommender import Recommender
from recsys.simulation.lists import Lists
from recsys.simulation.tastes import Tastes, load_sample_tastes

START = 1_789_948_800 // 86_400 * 86_400
USERS = 300
POPULAR = {"blend": dict.fromkeys(("factors", "neighbors", "style", "category"), 0.0)}
"""An arm that is worse: the same list for all users."""

Declare = Callable[..., Experiment]


@pytest.fixture(scope="session")
def lists(recommender: Recommender) -> Lists:
    """Lists of the sample's pipeline."""
    return Lists(recommender)


@pytest.fixture(scope="session")
def tastes(lists: Lists) -> Tastes:
    """Half of the sample's users."""
    sample = load_sample_tastes(lists.bundle, 0)
    return Tastes(*(getattr(sample, name)[:USERS] for name in Tastes.__slots__))


@pytest.fixture(scope="session")
def declare() -> Declare:
    """Make an experiment of `now` against `other` with these overrides."""

    def build(overrides: Mapping[str, Any], key: str = "tried", metrics: tuple[str, ...] = ("ctr",)) -> Experiment:
        return Experiment.model_validate(
            {
                "key": key,
                "title": "Tried",
                "hypothesis": "It is found",
                "control": "now",
                "arms": {"now": {}, "other": {"overrides": overrides}},
                "metrics": [{"name": name} for name in metrics],
            }
        )

    return build
