"""Conflicts between experiments: two of them must not compete for a unit, a salt, a holdout or an option."""

from __future__ import annotations

from recsys.experiments.design.definition import Experiment, Ranges


def find_conflict(one: Experiment, other: Experiment) -> str | None:
    """Return why two experiments that are not stopped cannot exist together, with the cure; None if they can.

    Experiments of one namespace share no unit. All others overlap with independent splits, so that their arms must not
    set the same option.
    """
    return _namespaces(one, other) or _salts(one, other) or _holdouts(one, other) or _options(one, other)


def _exclusive(one: Experiment, other: Experiment) -> bool:
    return one.namespace is not None and other.namespace is not None and one.namespace.name == other.namespace.name


def _namespaces(one: Experiment, other: Experiment) -> str | None:
    if one.namespace is None or other.namespace is None or not _exclusive(one, other):
        return None
    name = one.namespace.name
    if one.unit is not other.unit:
        return (
            f"namespace {name!r}: {one.key!r} assigns {one.unit}s and {other.key!r} {other.unit}s, which cannot "
            "exclude each other; give one of them another namespace"
        )
    shared = _overlap(one.namespace.segments, other.namespace.segments)
    if shared is None:
        return None
    return (
        f"namespace {name!r}: {one.key!r} and {other.key!r} overlap in segments {shared[0]}-{shared[1]}; give each "
        "segments of its own, or stop one of them"
    )


def _salts(one: Experiment, other: Experiment) -> str | None:
    if one.salt != other.salt or _exclusive(one, other):
        return None
    return (
        f"salt {one.salt!r}: {one.key!r} and {other.key!r} share it, so that both would split units in the same way; "
        "leave `salt` out of one of them"
    )


def _holdouts(one: Experiment, other: Experiment) -> str | None:
    if one.holdout is None or other.holdout is None or one.holdout.name != other.holdout.name:
        return None
    if one.holdout.share == other.holdout.share and one.unit is other.unit:
        return None
    return (
        f"holdout {one.holdout.name!r}: {one.key!r} leaves out {one.holdout.share:g} of {one.unit}s and {other.key!r} "
        f"{other.holdout.share:g} of {other.unit}s; say the same in both, or name two holdouts"
    )


def _options(one: Experiment, other: Experiment) -> str | None:
    both = sorted(_set_options(one) & _set_options(other))
    if not both or _exclusive(one, other) or one.targeting.excludes(other.targeting):
        return None
    return (
        f"override {both[0]!r}: set by arms of {one.key!r} and of {other.key!r}, which can meet in one request; put "
        "both into one namespace with segments of their own, or stop one of them"
    )


def _set_options(experiment: Experiment) -> set[str]:
    return {
        f"blend.{name}" if option == "blend" else option
        for arm in experiment.arms.values()
        for option, value in arm.overrides.explicit.items()
        for name in (value if option == "blend" else ("",))
    }


def _overlap(one: Ranges, other: Ranges) -> tuple[int, int] | None:
    shared = (
        (max(first, start), min(last, end))
        for first, last in one
        for start, end in other
        if start <= last and first <= end
    )
    return next(shared, None)
