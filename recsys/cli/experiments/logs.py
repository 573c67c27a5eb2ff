"""Logs and style vectors that commands of experiments read, and the analysis of live data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recsys.dataset.project import Project
    from recsys.experiments.analysis.analyze import Analysis
    from recsys.experiments.analysis.log_sources import Logs, Reading
    from recsys.experiments.analysis.style_diversity import StyleVariety
    from recsys.experiments.design.definition import UnitKind
    from recsys.experiments.design.metric_names import MetricName


def analyze_experiment(project: Project, key: str) -> Analysis:
    """Analyze an experiment from the project's live data."""
    from recsys.clock import now
    from recsys.experiments.analysis.analyze import analyze
    from recsys.experiments.analysis.log_health import declared_metrics
    from recsys.experiments.design.files import find_file, load_experiment
    from recsys.experiments.design.registry import Registry

    one = load_experiment(find_file(project.experiments, key))
    with open_logs(project, one.unit, None, None, None) as logs:
        variety = load_variety(project, declared_metrics(one), None)
        return analyze(one, logs, now(), diversity=variety, others=Registry(project.experiments).experiments.values())


@contextmanager
def open_logs(
    project: Project,
    unit: UnitKind,
    exposures: Path | None,
    events: Path | None,
    feedback: Path | None,
    reading: Reading | None = None,
) -> Iterator[Logs]:
    """Open logs in files, or by default the live data of a project."""
    from recsys.errors import ProjectError
    from recsys.experiments.analysis.log_sources import Logs, Reading

    if exposures is not None and events is not None:
        yield Logs.from_files(exposures, events, feedback, reading or Reading())
        return
    from recsys.storage.database import Database

    if not project.has_live_data:
        raise ProjectError(
            f"{project.root}: no live data to analyze; run `recsys serve`, or give --exposures and --events"
        )
    database = Database.open(project.database_url)
    try:
        yield Logs.from_database(database, unit)
    finally:
        database.close()


def describe_reading(logs: Logs) -> Iterator[str]:
    """Read all files; yield what was taken for what, and the number of rows."""
    from recsys.experiments.analysis.log_sources import FileLog

    for log in (logs.exposures, logs.events, logs.feedback):
        if isinstance(log, FileLog):
            rows, found = 0, dict[str, str]()
            for chunk in log.chunks():
                rows += len(chunk)
                found |= {name: str(values[0]) for name, values in chunk.columns.items() if len(values)}
            yield f"{log.path}: {rows:,} rows"
            yield from (f"  {name}: the first is {value:.80}" for name, value in found.items())
            yield from (f"  {note}" for note in log.notes)


def load_variety(project: Project, metrics: Iterable[MetricName], vectors: Path | None) -> StyleVariety | None:
    """Load style vectors from the given file or the current bundle; None if no metric needs them."""
    from recsys.bundle.store import load_bundle
    from recsys.errors import BundleError
    from recsys.experiments.analysis.style_diversity import StyleVariety
    from recsys.experiments.design.metric_names import MetricName

    if vectors is not None:
        return StyleVariety.from_file(vectors)
    if MetricName.STYLE_DIVERSITY not in metrics:
        return None
    try:
        bundle = load_bundle(project.bundles, project.root)
    except BundleError:
        # The log may have the column; if it does not, the analysis says so.
        return None
    return StyleVariety.from_vectors(list(bundle.catalog.ids.values), bundle.space.vectors)
