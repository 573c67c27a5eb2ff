"""Metrics of each engine from an experiment that compared engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recsys.errors import ExperimentError
from recsys.experiments.analysis.analyze import Analysis
from recsys.reports.experiment_view import build_view

UNCHANGED = "original photo"
"""Name of an arm that restyles nothing."""


@dataclass(frozen=True, slots=True)
class EngineMetric:
    """Metric of one arm: value; change from the control, verdict and tone, which are empty for the control."""

    value: str
    change: str = ""
    verdict: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Behavior:
    """Metrics by engine and name; `words` describes the experiment. There are none if its logs are not sound."""

    words: str
    metrics: tuple[str, ...]
    by_engine: Mapping[str, Mapping[str, EngineMetric]]


def behavior_of(analysis: Analysis, usual: str) -> Behavior:
    """Return the columns of an experiment whose arms differ in their engine; arms without one use `usual`.

    Raises ExperimentError if it compares no engines, or two of its arms have the same.
    """
    one = analysis.experiment
    engines = {
        name: UNCHANGED if arm.overrides.restyle is False else arm.overrides.engine or usual
        for name, arm in one.arms.items()
    }
    if len(set(engines.values())) < 2:
        raise ExperimentError(f"{one.key}: all its arms show {usual}: give one that sets another `engine` or `restyle`")
    for name, engine in engines.items():
        same = [other for other, found in engines.items() if found == engine and other != name]
        if same:
            raise ExperimentError(f"{one.key}: its arms {name} and {same[0]} both show {engine}, so it compares more")
    begin = f"Experiment “{one.title}” ({one.key}), {analysis.days:.0f} days, {analysis.exposures:,} exposures"
    if not analysis.healthy:
        return Behavior(f"{begin}: its logs are not sound, so no results are shown.", (), {})
    rows = build_view(analysis).effects
    metrics = tuple(dict.fromkeys(row.metric for row in rows))
    by_engine: dict[str, dict[str, EngineMetric]] = {engine: {} for engine in engines.values()}
    for row in rows:
        by_engine[engines[one.control]][row.metric] = EngineMetric(row.control)
        by_engine[engines[row.arm]][row.metric] = EngineMetric(row.value, row.change, row.finding, row.tone)
    words = (
        f"{begin}. Changes are against {engines[one.control]}; “not shown” does not mean equal. The experiment's own "
        "page has more about its limits."
    )
    return Behavior(words, metrics, {engine: own for engine, own in by_engine.items() if own})
