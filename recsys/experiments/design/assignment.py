"""Which arm a unit gets: a salted hash, the same on every machine and in every process, with nothing to store.

A unit's number for a purpose is SHA-1 of the length-prefixed UTF-8 parts (purpose, salt, unit): the first 60 bits, an
integer in [0, 2^60). Each purpose has a number of its own, so that they are independent:

- "holdout" with the holdout's name: below its share, the unit is in no experiment of that holdout.
- "segment" with the namespace's name: its segment, of `SEGMENTS`.
- "coverage" with the salt: below the coverage, the unit is in the experiment.
- "split" with the salt: where it falls among the arms' weights, laid end to end by the arms' names.

More coverage, or more segments, lets units in and moves none, because neither has a say in the split. All comparisons
are of integers, so that rounding cannot differ between machines; arms are in order of their names, so that the order
in a file says nothing. Ids are hashed as they come: two spellings of a letter in Unicode are two ids.

Beside others (facts as read in their sources): PlanOut takes SHA-1's first 15 hexadecimal digits, too, of parts joined
by dots, so that ("a.b", "c") and ("a", "b.c") are the same, and divides by 2^60 - 1, so that 1.0 can occur.
GrowthBook takes FNV-1a of 32 bits modulo 1,000 (version 1) or 10,000 (version 2, hashed twice), of parts without a
separator; coverage narrows each arm's range of the same number, so that it moves nobody either, but shares of less
than 0.01 % cannot be expressed, and weights that do not sum to 1 are replaced by equal ones without a word.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from recsys.experiments.design.definition import SEGMENTS, Experiment, Status
from recsys.experiments.design.targeting import ANY_CONTEXT, Context, Targeting
from recsys.rng import length_prefixed

BITS = 60
WHOLE = 1 << BITS
OUTSIDE = -1
"""Stands for "in no arm" in arrays of arm codes."""
_SEGMENT_BITS = 52
Number = TypeVar("Number", int, NDArray[np.int64])
# A lone surrogate cannot come over HTTP, but must not stop a replay of somebody's log.
_ERRORS = "surrogatepass"


class Reason(StrEnum):
    """Why a unit has its arm, or none."""

    SPLIT = "split"
    FORCED = "forced"
    NO_UNIT = "no unit"
    NOT_RUNNING = "not running"
    NOT_TARGETED = "not targeted"
    HELD_OUT = "held out"
    OTHER_SEGMENT = "other segment"
    NOT_COVERED = "not covered"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A unit's place in an experiment.

    `arm`: None where the unit is not in it, and is served as if there were no experiment. `propensity` in [0, 1]: how
    probable that arm was for a unit in the experiment (its share of the weights); 1 where forced, 0 without an arm.
    """

    experiment: str
    arm: str | None
    propensity: float
    forced: bool
    reason: Reason

    @property
    def counts(self) -> bool:
        """Whether the unit is part of the analysis: it has an arm, and by chance."""
        return self.reason is Reason.SPLIT


@dataclass(frozen=True, slots=True)
class Hash:
    """A unit's number for one purpose and salt."""

    prefix: bytes

    @classmethod
    def of(cls, purpose: str, salt: str) -> Hash:
        """The hash of units for `purpose`, salted."""
        return cls(length_prefixed(purpose.encode()) + length_prefixed(salt.encode("utf-8", _ERRORS)))

    def point(self, unit: bytes) -> int:
        """The number in [0, 2^60) of a length-prefixed unit (`encoded`)."""
        digest = hashlib.sha1(self.prefix + unit, usedforsecurity=False).digest()
        return int.from_bytes(digest[:8], "big") >> (64 - BITS)

    def points(self, units: Sequence[bytes]) -> NDArray[np.int64]:
        """The numbers (n,) of n length-prefixed units."""
        sha1, prefix = hashlib.sha1, self.prefix
        digests = b"".join([sha1(prefix + unit, usedforsecurity=False).digest() for unit in units])
        heads = np.frombuffer(digests, dtype=np.uint8).reshape(-1, 20)[:, :8]
        return (np.ascontiguousarray(heads).view(">u8")[:, 0] >> np.uint64(64 - BITS)).astype(np.int64)


def encoded(unit: str) -> bytes:
    """A unit as it is hashed: UTF-8, after its length in bytes."""
    return length_prefixed(unit.encode("utf-8", _ERRORS))


def uniform(purpose: str, salt: str, unit: str) -> float:
    """A unit's number as a float in [0, 1): the first 53 of its bits."""
    return (Hash.of(purpose, salt).point(encoded(unit)) >> (BITS - 53)) / (1 << 53)


@dataclass(frozen=True, slots=True)
class Plan:
    """An experiment made ready to assign units quickly. Immutable, safe to share between threads.

    `arms`: names in order, the codes of `assign_many` being their places; `bounds` (len(arms),): where each one's part
    of [0, 2^60) ends.
    """

    experiment: str
    status: Status
    arms: tuple[str, ...]
    bounds: tuple[int, ...]
    split: Hash
    coverage: Hash
    covered: int
    holdout: Hash | None
    held_out: int
    namespace: Hash | None
    segments: tuple[bool, ...]
    targeting: Targeting | None
    forced: dict[str, Assignment]
    places: tuple[Assignment, ...]
    outside: dict[Reason, Assignment]

    @classmethod
    def of(cls, experiment: Experiment) -> Plan:
        """The plan of an experiment."""
        key, shares = experiment.key, experiment.shares
        namespace, holdout = experiment.namespace, experiment.holdout
        segments = () if namespace is None else namespace.segments
        return cls(
            experiment=key,
            status=experiment.status,
            arms=tuple(shares),
            bounds=_bounds([experiment.arms[name].weight for name in shares]),
            split=Hash.of("split", experiment.salt),
            coverage=Hash.of("coverage", experiment.salt),
            covered=_threshold(experiment.coverage),
            holdout=None if holdout is None else Hash.of("holdout", holdout.name),
            held_out=0 if holdout is None else _threshold(holdout.share),
            namespace=None if namespace is None else Hash.of("segment", namespace.name),
            segments=tuple(any(first <= n <= last for first, last in segments) for n in range(SEGMENTS)),
            targeting=None if experiment.targeting.everyone else experiment.targeting,
            forced={unit: Assignment(key, arm, 1.0, True, Reason.FORCED) for unit, arm in experiment.forced.items()},
            places=tuple(Assignment(key, name, share, False, Reason.SPLIT) for name, share in shares.items()),
            outside={reason: Assignment(key, None, 0.0, False, reason) for reason in Reason},
        )

    def assign(self, unit: str | None, context: Context = ANY_CONTEXT) -> Assignment:
        """The arm of a unit, for a request with this context; None for a request that has no such unit.

        Forced units get their arm in a draft, too, whatever else holds, until the experiment is stopped.
        """
        if unit is None:
            return self.outside[Reason.NO_UNIT]
        if self.forced and self.status is not Status.STOPPED and unit in self.forced:
            return self.forced[unit]
        if self.status is not Status.RUNNING:
            return self.outside[Reason.NOT_RUNNING]
        if self.targeting is not None and not self.targeting.matches(context):
            return self.outside[Reason.NOT_TARGETED]
        return self._placed(encoded(unit))

    def assign_many(self, units: Sequence[str]) -> NDArray[np.int64]:
        """The codes (n,) of the arms of n units, `OUTSIDE` for those in none: as if it ran, and all were targeted.

        For planning and for checks of logs; forced units count as outside, since they are not analyzed.
        """
        encodings = [encoded(unit) for unit in units]
        codes = np.searchsorted(np.array(self.bounds), self.split.points(encodings), side="right").astype(np.int64)
        inside = self.coverage.points(encodings) < self.covered if self.covered < WHOLE else np.True_
        if self.holdout is not None:
            inside = inside & (self.holdout.points(encodings) >= self.held_out)
        if self.namespace is not None:
            inside = inside & np.array(self.segments)[_segment(self.namespace.points(encodings))]
        if self.forced:
            inside = inside & np.array([unit not in self.forced for unit in units], dtype=np.bool_)
        return np.where(inside, codes, OUTSIDE)

    def _placed(self, unit: bytes) -> Assignment:
        if self.holdout is not None and self.holdout.point(unit) < self.held_out:
            return self.outside[Reason.HELD_OUT]
        if self.namespace is not None and not self.segments[_segment(self.namespace.point(unit))]:
            return self.outside[Reason.OTHER_SEGMENT]
        if self.covered < WHOLE and self.coverage.point(unit) >= self.covered:
            return self.outside[Reason.NOT_COVERED]
        return self.places[bisect_right(self.bounds, self.split.point(unit))]


def _segment(point: Number) -> Number:
    """The segment of a number: its first bits times SEGMENTS, which fit 63 bits."""
    return (point >> (BITS - _SEGMENT_BITS)) * SEGMENTS >> _SEGMENT_BITS


def _threshold(share: float) -> int:
    return int(Fraction(share) * WHOLE)


def _bounds(weights: Sequence[float]) -> tuple[int, ...]:
    """Where each weight's part of [0, 2^60) ends; the last one that has any ends at 2^60."""
    parts = [Fraction(weight) for weight in weights]
    total = sum(parts)
    ends, sum_so_far = [], Fraction(0)
    for part in parts:
        sum_so_far += part
        ends.append(int(sum_so_far / total * WHOLE))
    return tuple(ends)
