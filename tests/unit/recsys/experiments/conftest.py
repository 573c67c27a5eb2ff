"""One small experiment, to be changed by each test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.lifecycle import start
from recsys.experiments.design.metric_names import MetricName

Maker = Callable[..., Experiment]


@pytest.fixture(scope="session")
def declared() -> Callable[..., dict[str, Any]]:
    """What a file may hold, with some keys replaced."""

    def values(**changes: Any) -> dict[str, Any]:
        return {
            "key": "mild",
            "title": "Milder pictures",
            "hypothesis": "Milder pictures look more like the product",
            "control": "now",
            "arms": {"now": {}, "mild": {"overrides": {"strength": 0.3}}},
            "metrics": [{"name": "ctr"}],
            **changes,
        }

    return values


@pytest.fixture(scope="session")
def experiment(declared: Callable[..., dict[str, Any]]) -> Maker:
    """An experiment with some keys replaced."""
    return lambda **changes: Experiment.model_validate(declared(**changes))


@pytest.fixture(scope="session")
def running(experiment: Maker) -> Maker:
    """The same, running since second 1000, without a history."""
    return lambda **changes: experiment(status="running", started_at=1000, **changes)


START = 1_790_000_000


@pytest.fixture(scope="session")
def trial(declared: Callable[..., dict[str, Any]]) -> Maker:
    """An experiment that was started at `START`, with all metrics, as `lifecycle.start` leaves it."""

    def made(**changes: Any) -> Experiment:
        metrics = [{"name": name} for name in MetricName if name is not MetricName.DWELL]
        guardrails = [{"metric": "dwell", "margin": 0.1}]
        decision = {"looks": "fixed", "end_at": START + 15 * 86_400}
        values = declared(**{"metrics": metrics, "guardrails": guardrails, "decision": decision, **changes})
        return start(Experiment.model_validate(values), START)

    return made
