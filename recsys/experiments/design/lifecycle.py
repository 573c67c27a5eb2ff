"""Start, ramp and stop: each gives the experiment as it is afterwards, and what may not change in between.

An experiment that runs exposes more and more units, never fewer, and never others: who was assigned stays where they
are. What would move them (salt, weights, namespace, holdout) or make an arm two things (its overrides) is refused,
because no analysis could tell the two apart; that is a new experiment, with a key of its own.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import ValidationError

from recsys.errors import ExperimentError
from recsys.experiments.design.definition import Action, Change, Experiment, Ranges, Split, Status
from recsys.experiments.design.fields import iso, problems_of


def start(experiment: Experiment, at: int) -> Experiment:
    """Running from `at` (seconds since 1970 UTC) on. Raises ExperimentError where it is no draft."""
    if experiment.status is not Status.DRAFT:
        cure = "copy its file to a new key" if experiment.status is Status.STOPPED else "`recsys experiment ramp` adds"
        raise ExperimentError(f"{experiment.key}: is {experiment.status} already, a draft alone starts; {cure}")
    return _changed(experiment, Action.START, at, status=Status.RUNNING, started_at=at)


def ramp(
    experiment: Experiment, at: int, *, coverage: float | None = None, segments: Ranges | None = None
) -> Experiment:
    """More units from `at` on: a larger `coverage`, more `segments` (all of them, old and new), or both.

    Raises ExperimentError where it does not run, or where units would leave it.
    """
    _must_run(experiment, "ramps")
    if coverage is not None and not experiment.coverage <= coverage <= 1:
        raise ExperimentError(
            f"{experiment.key}: coverage {coverage:g} must lie between what it is, {experiment.coverage:g}, and 1: who "
            "has seen an arm stays in it; to expose nobody any longer, stop the experiment"
        )
    changes: dict[str, object] = {} if coverage is None else {"coverage": coverage}
    if segments is not None:
        if experiment.namespace is None:
            raise ExperimentError(f"{experiment.key}: has no namespace, hence no segments; ramp its coverage")
        if not _numbers(experiment.namespace.segments) <= _numbers(segments):
            raise ExperimentError(
                f"{experiment.key}: segments {_shown(segments)} must include those it has, "
                f"{_shown(experiment.namespace.segments)}: who has seen an arm stays in it"
            )
        changes["namespace"] = {"name": experiment.namespace.name, "segments": segments}
    return _changed(experiment, Action.RAMP, at, **changes)


def stop(experiment: Experiment, at: int) -> Experiment:
    """Nobody is exposed from `at` on. Raises ExperimentError where it does not run."""
    _must_run(experiment, "is stopped")
    return _changed(experiment, Action.STOP, at, status=Status.STOPPED, stopped_at=at)


def split_of(experiment: Experiment) -> Split:
    """What must stay as it is while the experiment runs."""
    holdout = experiment.holdout
    return Split(
        unit=experiment.unit,
        salt=experiment.salt,
        control=experiment.control,
        namespace="" if experiment.namespace is None else experiment.namespace.name,
        holdout="" if holdout is None else f"{holdout.name}={holdout.share!r}",
        weights={name: experiment.arms[name].weight for name in sorted(experiment.arms)},
        treatments={name: _treatment(experiment, name) for name in sorted(experiment.arms)},
    )


def config_drift(experiment: Experiment) -> str | None:
    """How an experiment differs from what its history says, with the cure; None where all is well.

    For stopped ones it is the analysis that asks: their logs are read by what the file says.
    """
    status, history = experiment.status, experiment.history
    if status is Status.DRAFT:
        started = "status: draft, but the history says that it was started; put the status back, or use a new key"
        return started if history else None
    if not history or history[0].split is None:
        return f"status: {status}, but the history has no start; set it to draft and run `recsys experiment start`"
    moved = _moved(history[0].split, split_of(experiment))
    if moved is not None:
        return (
            f"{moved} after the start, which would move units between arms or make an arm two things; put it back, or "
            "stop this experiment and begin another one under a new key"
        )
    last = history[-1]
    if last.coverage != experiment.coverage or last.segments != _segments(experiment):
        return (
            f"coverage {experiment.coverage:g} and segments {_shown(_segments(experiment))} are not what the history "
            f"says, {last.coverage:g} and {_shown(last.segments)}; put them back and use `recsys experiment ramp`"
        )
    return None


def _must_run(experiment: Experiment, done: str) -> None:
    if experiment.status is not Status.RUNNING:
        cure = "start it first" if experiment.status is Status.DRAFT else "that is for good; copy it to a new key"
        raise ExperimentError(f"{experiment.key}: is {experiment.status}, and only what runs {done}; {cure}")


def _changed(experiment: Experiment, action: Action, at: int, **changes: object) -> Experiment:
    last = max((change.at for change in experiment.history), default=0)
    if at < last:
        raise ExperimentError(
            f"{experiment.key}: {iso(at)} lies before its last change, {iso(last)}; put this machine's clock right"
        )
    try:
        after = Experiment.model_validate({**dict(experiment), **changes})
    except ValidationError as error:
        raise ExperimentError(f"{experiment.key}: " + "; ".join(problems_of(error))) from None
    entry = Change(
        at=at,
        action=action,
        coverage=after.coverage,
        segments=_segments(after),
        split=split_of(after) if action is Action.START else None,
    )
    return after.model_copy(update={"history": (*experiment.history, entry)})


def _moved(before: Split, after: Split) -> str | None:
    for name in Split.model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
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


def _treatment(experiment: Experiment, arm: str) -> str:
    overrides = experiment.arms[arm].overrides.model_dump(mode="json", exclude_none=True)
    return hashlib.sha256(json.dumps(overrides, sort_keys=True).encode()).hexdigest()[:16]


def _segments(experiment: Experiment) -> Ranges:
    return () if experiment.namespace is None else experiment.namespace.segments


def _numbers(segments: Ranges) -> set[int]:
    return {number for first, last in segments for number in range(first, last + 1)}


def _shown(segments: Ranges) -> str:
    return ", ".join(f"{first}-{last}" for first, last in segments) or "none"
