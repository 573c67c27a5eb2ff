"""Start, ramp and stop an experiment, and detect changes that are not allowed while it runs.

A running experiment may expose more units, but never fewer, and an assigned unit keeps its arm. Changes that would
move units (salt, weights, namespace, holdout), or change an arm (its overrides), are rejected: no analysis could
separate the units before from those after. Such a change is a new experiment with its own key.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import ValidationError

from recsys.errors import ExperimentError
from recsys.experiments.design.definition import Action, Change, Decision, Experiment, Looks, Ranges, Split, Status
from recsys.experiments.design.fields import format_time, list_problems


def start(experiment: Experiment, at: int) -> Experiment:
    """Start a draft at `at` (seconds since 1970 UTC).

    Raises:
        ExperimentError: if it is no draft, or if its declared end is missing or past.
    """
    if experiment.status is not Status.DRAFT:
        cure = (
            "copy its file to a new key"
            if experiment.status is Status.STOPPED
            else "add units with `recsys experiment ramp`"
        )
        raise ExperimentError(f"{experiment.key}: is {experiment.status} already, only a draft can start; {cure}")
    check_declared_end(experiment, at)
    return _apply(experiment, Action.START, at, status=Status.RUNNING, started_at=at)


def ramp(
    experiment: Experiment, at: int, *, coverage: float | None = None, segments: Ranges | None = None
) -> Experiment:
    """Add units to a running experiment.

    Args:
        experiment: experiment before the change.
        at: time of the change, seconds since 1970 UTC.
        coverage: new coverage, at least the present one.
        segments: new segments of its namespace, all of them, old and new.

    Raises:
        ExperimentError: if it does not run, or if units would leave it.
    """
    _check_running(experiment, "ramped")
    if coverage is not None and not experiment.coverage <= coverage <= 1:
        raise ExperimentError(
            f"{experiment.key}: coverage {coverage:g} must lie between the present one, {experiment.coverage:g}, and "
            "1: units that have seen an arm stay in it; to expose no more units, stop the experiment"
        )
    changes: dict[str, object] = {} if coverage is None else {"coverage": coverage}
    if segments is not None:
        if experiment.namespace is None:
            raise ExperimentError(f"{experiment.key}: has no namespace, hence no segments; ramp its coverage")
        if not _numbers(experiment.namespace.segments) <= _numbers(segments):
            raise ExperimentError(
                f"{experiment.key}: segments {_format_ranges(segments)} must include the present ones, "
                f"{_format_ranges(experiment.namespace.segments)}: units that have seen an arm stay in it"
            )
        changes["namespace"] = {"name": experiment.namespace.name, "segments": segments}
    return _apply(experiment, Action.RAMP, at, **changes)


def stop(experiment: Experiment, at: int) -> Experiment:
    """Stop a running experiment at `at` (seconds since 1970 UTC): no unit is exposed from then on.

    Raises:
        ExperimentError: if it does not run.
    """
    _check_running(experiment, "stopped")
    return _apply(experiment, Action.STOP, at, status=Status.STOPPED, stopped_at=at)


def check_declared_end(experiment: Experiment, at: int) -> None:
    """Check that the declared end of a draft can still come, at `at` (seconds since 1970 UTC).

    Raises:
        ExperimentError: if `fixed` monitoring names no end, or if the end is past.
    """
    decision = experiment.decision
    if decision.looks is Looks.FIXED and not decision.names_its_end:
        raise ExperimentError(
            f"{experiment.key}: decision.looks: 'fixed' looks once, at a declared end, and none is declared; give "
            "end_at (a date with time zone) or planned_units (`recsys experiment plan` computes both), or say "
            "looks = 'sequential' to look on any day"
        )
    if decision.end_at is not None and decision.end_at <= at:
        raise ExperimentError(
            f"{experiment.key}: decision.end_at: {format_time(decision.end_at)} is past, it is {format_time(at)} now; "
            "give a later date"
        )


def build_split(experiment: Experiment) -> Split:
    """Record everything that must not change while the experiment runs."""
    holdout = experiment.holdout
    names = sorted(experiment.arms)
    overrides = [experiment.arms[name].overrides.model_dump(mode="json", exclude_none=True) for name in names]
    hashes = [hashlib.sha256(json.dumps(one, sort_keys=True).encode()).hexdigest()[:16] for one in overrides]
    return Split(
        unit=experiment.unit,
        salt=experiment.salt,
        control=experiment.control,
        namespace="" if experiment.namespace is None else experiment.namespace.name,
        holdout="" if holdout is None else f"{holdout.name}={holdout.share!r}",
        weights={name: experiment.arms[name].weight for name in names},
        treatments=dict(zip(names, hashes, strict=True)),
        look=_describe_look(experiment.decision),
    )


def _describe_look(decision: Decision) -> str:
    parts = [decision.looks.value, f"alpha {decision.alpha:g}"]
    if decision.end_at is not None:
        parts.append(f"end_at {format_time(decision.end_at)}")
    if decision.planned_units is not None:
        parts.append(f"planned_units {decision.planned_units}")
    return ", ".join(parts)


def config_drift(experiment: Experiment) -> str | None:
    """Return how an experiment differs from its history, with the cure; None if it does not.

    A stopped experiment is checked by its analysis, which reads the logs by the file's definition.
    """
    status, history = experiment.status, experiment.history
    if status is Status.DRAFT:
        started = "status: draft, but the history has a start; restore the status, or use a new key"
        return started if history else None
    if not history or history[0].split is None:
        return f"status: {status}, but the history has no start; set it to draft and run `recsys experiment start`"
    moved = _find_change(history[0].split, build_split(experiment))
    if moved is not None:
        why = (
            "results that were seen already could choose when to look"
            if moved.startswith("look:")
            else "which would move units between arms or mix two versions of an arm"
        )
        return (
            f"{moved} after the start, {why}; undo the change, or stop this experiment and create another one with a "
            "new key"
        )
    last = history[-1]
    if last.coverage != experiment.coverage or last.segments != _segments(experiment):
        return (
            f"coverage {experiment.coverage:g} and segments {_format_ranges(_segments(experiment))} differ from the "
            f"history, {last.coverage:g} and {_format_ranges(last.segments)}; restore them and use "
            "`recsys experiment ramp`"
        )
    return None


def _check_running(experiment: Experiment, change: str) -> None:
    if experiment.status is not Status.RUNNING:
        cure = "start it first" if experiment.status is Status.DRAFT else "that is for good; copy it to a new key"
        raise ExperimentError(
            f"{experiment.key}: is {experiment.status}; only a running experiment can be {change}; {cure}"
        )


def _apply(experiment: Experiment, action: Action, at: int, **changes: object) -> Experiment:
    last = max((change.at for change in experiment.history), default=0)
    if at < last:
        raise ExperimentError(
            f"{experiment.key}: {format_time(at)} is before its last change, {format_time(last)}; set this machine's "
            "clock"
        )
    try:
        after = Experiment.model_validate({**dict(experiment), **changes})
    except ValidationError as error:
        raise ExperimentError(f"{experiment.key}: " + "; ".join(list_problems(error))) from None
    entry = Change(
        at=at,
        action=action,
        coverage=after.coverage,
        segments=_segments(after),
        split=build_split(after) if action is Action.START else None,
    )
    return after.model_copy(update={"history": (*experiment.history, entry)})


def _find_change(before: Split, after: Split) -> str | None:
    for name in Split.model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old == new or (name == "look" and not old):
            continue
        if name == "treatments" and set(old) == set(new):
            arm = next(arm for arm in old if old[arm] != new[arm])
            return f"arms.{arm}.overrides: changed"
        if name in ("weights", "treatments"):
            return f"arms: changed from {_weights(before)} to {_weights(after)}"
        return f"{name}: changed from {str(old)!r} to {str(new)!r}"
    return None


def _weights(split: Split) -> str:
    return ", ".join(f"{name} (weight {weight:g})" for name, weight in split.weights.items())


def _segments(experiment: Experiment) -> Ranges:
    return () if experiment.namespace is None else experiment.namespace.segments


def _numbers(segments: Ranges) -> set[int]:
    return {number for first, last in segments for number in range(first, last + 1)}


def _format_ranges(segments: Ranges) -> str:
    return ", ".join(f"{first}-{last}" for first, last in segments) or "none"
