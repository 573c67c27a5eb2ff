"""Cache of experiment results, which are computed from the live logs off the event loop."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool

from recsys.api.schemas.experiment_plans import PlanRequest
from recsys.bundle.types import Bundle
from recsys.clock import now
from recsys.experiments.design.definition import Experiment
from recsys.serving.live_store import LiveStore

MAX_AGE_S = 30.0
"""Age up to which results are reused: an analysis reads all logs, and little changes within seconds."""


@dataclass(slots=True)
class AnalysisCache:
    """Results by experiment, for one event loop. One analysis runs at a time."""

    live: LiveStore
    _cached: dict[str, tuple[Experiment, float, dict[str, Any]]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def analyze(
        self, experiment: Experiment, bundle: Bundle, others: Sequence[Experiment] = ()
    ) -> dict[str, Any]:
        """Return the analysis as `recsys experiment analyze --json` prints it, with the field `healthy`.

        `bundle` has the style vectors of items; `others` are the experiments of the shop. Raises like `analyze`.
        """
        async with self._lock:
            cached = self._cached.get(experiment.key)
            if cached is not None and cached[0] == experiment and time.monotonic() - cached[1] < MAX_AGE_S:
                return cached[2]
            results = await run_in_threadpool(self._analyze, experiment, bundle, others)
            self._cached[experiment.key] = experiment, time.monotonic(), results
            return results

    async def plan(self, request: PlanRequest) -> dict[str, Any]:
        """Return a plan as `recsys experiment plan --json` prints it. Raises like `plan_from_logs`."""
        async with self._lock:
            return await run_in_threadpool(self._plan, request)

    def _plan(self, request: PlanRequest) -> dict[str, Any]:
        from recsys.experiments.analysis.experiment_plan import Goal, plan_from_logs, plan_from_numbers
        from recsys.experiments.analysis.log_sources import Logs
        from recsys.experiments.analysis.planning import Rules
        from recsys.experiments.stats.power import Baseline
        from recsys.reports.experiment_page import analysis_json

        total = sum(request.arms.values())
        shares = {name: weight / total for name, weight in request.arms.items()}
        control = request.control or next(iter(shares))
        rules = Rules(shares, control, request.alpha, request.power, request.looks)
        goal = Goal(request.metric, request.effect, request.direction)
        given = request.baseline
        if given is not None:
            rate = given.deviation is None
            baseline = Baseline.from_rate(given.mean) if rate else Baseline(given.mean, (given.deviation or 0.0) ** 2)
            found = plan_from_numbers(baseline, goal, rules, units_per_day=request.units_per_day, days=request.days)
        else:
            self.live.exposures.flush()
            logs = Logs.from_database(self.live.database, request.unit)
            found = plan_from_logs(logs, [goal], rules, coverage=request.coverage, days=request.days, unit=request.unit)
        plain: dict[str, Any] = json.loads(analysis_json(found))
        return plain

    def _analyze(self, experiment: Experiment, bundle: Bundle, others: Sequence[Experiment]) -> dict[str, Any]:
        # Imported on first use: statistics take memory and a second, which most processes never need.
        from recsys.experiments.analysis.analyze import analyze
        from recsys.experiments.analysis.log_health import declared_metrics
        from recsys.experiments.analysis.log_sources import Logs
        from recsys.experiments.analysis.style_diversity import StyleVariety
        from recsys.experiments.design.metric_names import MetricName
        from recsys.reports.experiment_page import analysis_json

        self.live.exposures.flush()
        variety = None
        if MetricName.STYLE_DIVERSITY in declared_metrics(experiment):
            variety = StyleVariety.from_vectors(list(bundle.catalog.ids.values), bundle.space.vectors)
        logs = Logs.from_database(self.live.database, experiment.unit)
        results = analyze(experiment, logs, now(), diversity=variety, others=others)
        return {**json.loads(analysis_json(results)), "healthy": results.healthy}
