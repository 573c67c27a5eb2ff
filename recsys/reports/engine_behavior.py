"""Metrics of each engine from an experiment that compared engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recsys.errors import ExperimentError
from recsys.experiments.analysis.analyze import Analysis
from recsys.experiments.design.definition import Experiment
from recsys.reports.experiment_view import EffectRow, build_view

UNCHANGED = "original photo"
"""Name of an arm that restyles nothing."""


@dataclass(frozen=True, slots=True)
class Deed:
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
    deeds: Mapping[str, Mapping[str, Deed]]


def behavior_of(analysis: Analysis, usual: str) -> Behavior:
    """Return the columns of an experiment whose arms differ in their engine; arms without one use `usual`.

    Raises ExperimentError if it compares no engines, or two of its arms have the same.
    """
    one, engines = analysis.experiment, _engines(analysis.experiment, usual)
    begin = f"Experiment “{one.title}” ({one.key}), {analysis.days:.0f} days, {analysis.exposures:,} exposures"
    if not analysis.healthy:
        return Behavior(f"{begin}: its logs are not sound, so no results are shown.", (), {})
    rows = build_view(analysis).effects
    metrics = tuple(dict.fromkeys(row.metric for row in rows))
    deeds = {engine: {row.metric: _deed(row, arm) for row in rows if arm in (one.control, row.arm)}
             for arm, engine in engines.items()}  # fmt: skip
    words = (
        f"{begin}. Changes are against {engines[one.control]}; “not shown” does not mean equal. The experiment's own "
        "page has more about its limits."
    )
    return Behavior(words, metrics, {engine: own for engine, own in deeds.items() if own})


def _engines(one: Experiment, usual: str) -> dict[str, str]:
    """Return the engine of each arm."""
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
    return engines


def _deed(row: EffectRow, arm: str) -> Deed:
    if row.arm != arm:
        return Deed(row.control)
    return Deed(row.value, row.change, row.finding, row.tone)
