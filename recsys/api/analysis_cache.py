"""Analyses of running experiments, from the live logs: made off the event loop, one at a time, and kept for a while."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool

from recsys.bundle.types import Bundle
from recsys.clock import now
from recsys.experiments.design.definition import Experiment
from recsys.serving.live_store import LiveStore

KEPT_S = 30.0
"""How long an analysis is given again: it reads all logs, and nothing of weight changes within seconds."""


@dataclass(slots=True)
class AnalysisCache:
    """For one event loop alone."""

    live: LiveStore
    _kept: dict[str, tuple[Experiment, float, dict[str, Any]]] = field(default_factory=dict)
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, experiment: Experiment, bundle: Bundle) -> dict[str, Any]:
        """The analysis as `recsys experiment analyze --json` prints it, and whether it is `healthy`.

        `bundle`: where style vectors of items are. Raises like `analyze`.
        """
        async with self._alone:
            kept = self._kept.get(experiment.key)
            if kept is not None and kept[0] == experiment and time.monotonic() - kept[1] < KEPT_S:
                return kept[2]
            found = await run_in_threadpool(self._analyzed, experiment, bundle)
            self._kept[experiment.key] = experiment, time.monotonic(), found
            return found

    def _analyzed(self, experiment: Experiment, bundle: Bundle) -> dict[str, Any]:
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
            variety = StyleVariety.of(list(bundle.catalog.ids.values), bundle.space.vectors)
        logs = Logs.of_database(self.live.database, experiment.unit)
        found = analyze(experiment, logs, now(), diversity=variety)
        return {**json.loads(analysis_json(found)), "healthy": found.healthy}
