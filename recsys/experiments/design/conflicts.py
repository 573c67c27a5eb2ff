"""Conflicts between experiments: two of them must not compete for a unit, a salt, a holdout or an option."""

from __future__ import annotations

from recsys.experiments.design.definition import Experiment


def find_conflict(one: Experiment, other: Experiment) -> str | None:
    """Return why two experiments that are not stopped cannot exist together, with the cure; None if they can.

    Experiments of one namespace share no unit. All others overlap with independent splits, so that their arms must not
    set the same option.
    """
    exclusive = False
    if one.namespace is not None and other.namespace is not None and one.namespace.name == other.namespace.name:
        exclusive, name = True, one.namespace.name
        if one.unit is not other.unit:
            return (
                f"namespace {name!r}: {one.key!r} assigns {one.unit}s and {other.key!r} {other.unit}s, which cannot "
                "exclude each other; give one of them another namespace"
            )
        overlaps = (
            (max(first, start), min(last, end))
            for first, last in one.namespace.segments
            for start, end in other.namespace.segments
            if start <= last and first <= end
        )
        shared = next(overlaps, None)
        if shared is not None:
            return (
                f"namespace {name!r}: {one.key!r} and {other.key!r} overlap in segments {shared[0]}-{shared[1]}; give "
                "each segments of its own, or stop one of them"
            )
    if one.salt == other.salt and not exclusive:
        return (
            f"salt {one.salt!r}: {one.key!r} and {other.key!r} share it, so that both would split units in the same "
            "way; leave `salt` out of one of them"
        )
    if (
        one.holdout is not None
        and other.holdout is not None
        and one.holdout.name == other.holdout.name
        and (one.holdout.share != other.holdout.share or one.unit is not other.unit)
    ):
        return (
            f"holdout {one.holdout.name!r}: {one.key!r} leaves out {one.holdout.share:g} of {one.unit}s and "
            f"{other.key!r} {other.holdout.share:g} of {other.unit}s; say the same in both, or name two holdouts"
        )
    both = sorted(_set_options(one) & _set_options(other))
    if both and not exclusive and not one.targeting.excludes(other.targeting):
        return (
            f"override {both[0]!r}: set by arms of {one.key!r} and of {other.key!r}, which can meet in one request; "
            "put both into one namespace with segments of their own, or stop one of them"
        )
    return None


def _set_options(experiment: Experiment) -> set[str]:
    """Return the options that some arm sets; a blend counts by its features."""
    return {
        f"blend.{name}" if option == "blend" else option
        for arm in experiment.arms.values()
        for option, value in arm.overrides.explicit.items()
        for name in (value if option == "blend" else ("",))
    }
