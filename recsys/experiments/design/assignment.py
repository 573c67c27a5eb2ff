"""Assignment of units to arms by a salted hash: the same on every machine and in every process, nothing is stored.

A unit's number for a purpose is SHA-1 of the length-prefixed UTF-8 parts (purpose, salt, unit): the first 60 bits, an
integer in [0, 2^60). Each purpose has its own number, so that the numbers are independent:

- "holdout" with the holdout's name: a unit below the share is in no experiment of that holdout.
- "segment" with the namespace's name: gives the unit's segment, one of `SEGMENTS`.
- "coverage" with the salt: a unit below the coverage is in the experiment.
- "split" with the salt: falls into one arm's range. The ranges are the arms' weights laid end to end, sorted by name.

Coverage and segments do not enter the split. Raising them adds units and moves no unit to another arm. All comparisons
are of integers, so that rounding cannot differ between machines. Arms are sorted by name, so that their order in a
file does not matter. Ids are hashed as they come: two Unicode spellings of one letter are two ids.

Comparison with other systems (read in their sources):

- PlanOut also takes the first 15 hexadecimal digits of SHA-1, but of parts joined by dots: ("a.b", "c") and
  ("a", "b.c") are the same. It divides by 2^60 - 1, so that 1.0 can occur.
- GrowthBook takes FNV-1a of 32 bits modulo 1,000 (version 1) or 10,000 (version 2, hashed twice), of parts without a
  separator. Coverage narrows each arm's range of the same number, so it moves no unit either. Shares below 0.01 %
  cannot be expressed, and weights that do not sum to 1 are silently replaced by equal ones.
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
"""Code for "in no arm" in arrays of arm codes."""
_SEGMENT_BITS = 52
Number = TypeVar("Number", int, NDArray[np.int64])
# A lone surrogate cannot come over HTTP, but must not stop the replay of a log.
_ERRORS = "surrogatepass"


class Reason(StrEnum):
    """Reason why a unit has its arm, or none."""

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
    """Assignment of a unit in one experiment.

    Attributes:
        experiment: key of the experiment.
        arm: name of the arm; None if the unit is not in the experiment and is served as if there were none.
        propensity: probability of that arm for a unit in the experiment, in [0, 1]: its share of the weights. 1 if
            forced, 0 without an arm.
        forced: True if the experiment's file forces the arm.
        reason: reason for the arm, or for having none.
    """

    experiment: str
    arm: str | None
    propensity: float
    forced: bool
    reason: Reason

    @property
    def counts(self) -> bool:
        """True if the unit is part of the analysis: it has an arm, and got it by chance."""
        return self.reason is Reason.SPLIT


@dataclass(frozen=True, slots=True)
class Hash:
    """Hash of units for one purpose and salt."""

    prefix: bytes

    @classmethod
    def from_salt(cls, purpose: str, salt: str) -> Hash:
        """Build the hash for a purpose (see the module's docstring) and a salt."""
        return cls(length_prefixed(purpose.encode()) + length_prefixed(salt.encode("utf-8", _ERRORS)))

    def point(self, unit: bytes) -> int:
        """Return the number in [0, 2^60) of a length-prefixed unit (`encode_unit`)."""
        digest = hashlib.sha1(self.prefix + unit, usedforsecurity=False).digest()
        return int.from_bytes(digest[:8], "big") >> (64 - BITS)

    def points(self, units: Sequence[bytes]) -> NDArray[np.int64]:
        """Return the numbers (n,) of n length-prefixed units."""
        sha1, prefix = hashlib.sha1, self.prefix
        digests = b"".join([sha1(prefix + unit, usedforsecurity=False).digest() for unit in units])
        # The first 8 of a digest's 20 bytes, read as one big-endian integer, shifted down to 60 bits.
        heads = np.frombuffer(digests, dtype=np.uint8).reshape(-1, 20)[:, :8]
        return (np.ascontiguousarray(heads).view(">u8")[:, 0] >> np.uint64(64 - BITS)).astype(np.int64)


def encode_unit(unit: str) -> bytes:
    """Encode a unit for hashing: its length in bytes, then its UTF-8."""
    return length_prefixed(unit.encode("utf-8", _ERRORS))


def uniform(purpose: str, salt: str, unit: str) -> float:
    """Return a unit's number as a float in [0, 1): the first 53 of its bits."""
    return (Hash.from_salt(purpose, salt).point(encode_unit(unit)) >> (BITS - 53)) / (1 << 53)


@dataclass(frozen=True, slots=True)
class Plan:
    """Precomputed assignment of one experiment. Immutable, safe to share between threads.

    Attributes:
        arms: names of the arms in order; the codes of `assign_many` are indices into it.
        bounds: (len(arms),): exclusive end of each arm's range in [0, 2^60).
        covered: units whose coverage number is below it are in the experiment.
        held_out: units whose holdout number is below it are in no experiment of the holdout.
        segments: (SEGMENTS,): True for the segments of the experiment's namespace.
        targeting: conditions on a request; None if there are none.
        forced: assignments of forced units, by unit.
        drawn: assignments of units that got an arm by chance, in the order of `arms`.
        outside: assignments without an arm, by reason.
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
    drawn: tuple[Assignment, ...]
    outside: dict[Reason, Assignment]

    @classmethod
    def from_experiment(cls, experiment: Experiment) -> Plan:
        """Build the plan of an experiment."""
        key, shares = experiment.key, experiment.shares
        namespace, holdout = experiment.namespace, experiment.holdout
        segments = () if namespace is None else namespace.segments
        return cls(
            experiment=key,
            status=experiment.status,
            arms=tuple(shares),
            bounds=_bounds([experiment.arms[name].weight for name in shares]),
            split=Hash.from_salt("split", experiment.salt),
            coverage=Hash.from_salt("coverage", experiment.salt),
            covered=_threshold(experiment.coverage),
            holdout=None if holdout is None else Hash.from_salt("holdout", holdout.name),
            held_out=0 if holdout is None else _threshold(holdout.share),
            namespace=None if namespace is None else Hash.from_salt("segment", namespace.name),
            segments=tuple(any(first <= n <= last for first, last in segments) for n in range(SEGMENTS)),
            targeting=None if experiment.targeting.everyone else experiment.targeting,
            forced={unit: Assignment(key, arm, 1.0, True, Reason.FORCED) for unit, arm in experiment.forced.items()},
            drawn=tuple(Assignment(key, name, share, False, Reason.SPLIT) for name, share in shares.items()),
            outside={reason: Assignment(key, None, 0.0, False, reason) for reason in Reason},
        )

    def assign(self, unit: str | None, context: Context = ANY_CONTEXT) -> Assignment:
        """Assign a unit for a request with this context.

        Forced units get their arm also in a draft and whatever the context, until the experiment is stopped.

        Args:
            unit: id of the user or session; None if the request has no id of that kind.
            context: facts about the request that targeting uses.
        """
        if unit is None:
            return self.outside[Reason.NO_UNIT]
        if self.forced and self.status is not Status.STOPPED and unit in self.forced:
            return self.forced[unit]
        if self.status is not Status.RUNNING:
            return self.outside[Reason.NOT_RUNNING]
        if self.targeting is not None and not self.targeting.matches(context):
            return self.outside[Reason.NOT_TARGETED]
        return self._draw(encode_unit(unit))

    def assign_many(self, units: Sequence[str]) -> NDArray[np.int64]:
        """Return arm codes (n,) of n units, `OUTSIDE` for units in no arm.

        For planning and for checks of logs. Status and targeting are ignored. Forced units count as outside, since
        they are not analyzed.
        """
        encodings = [encode_unit(unit) for unit in units]
        # A number equal to a bound belongs to the next arm: bounds are exclusive ends.
        codes = np.searchsorted(np.array(self.bounds), self.split.points(encodings), side="right").astype(np.int64)
        inside = self.coverage.points(encodings) < self.covered if self.covered < WHOLE else np.True_
        if self.holdout is not None:
            inside = inside & (self.holdout.points(encodings) >= self.held_out)
        if self.namespace is not None:
            inside = inside & np.array(self.segments)[_segment(self.namespace.points(encodings))]
        if self.forced:
            inside = inside & np.array([unit not in self.forced for unit in units], dtype=np.bool_)
        return np.where(inside, codes, OUTSIDE)

    def _draw(self, unit: bytes) -> Assignment:
        if self.holdout is not None and self.holdout.point(unit) < self.held_out:
            return self.outside[Reason.HELD_OUT]
        if self.namespace is not None and not self.segments[_segment(self.namespace.point(unit))]:
            return self.outside[Reason.OTHER_SEGMENT]
        if self.covered < WHOLE and self.coverage.point(unit) >= self.covered:
            return self.outside[Reason.NOT_COVERED]
        return self.drawn[bisect_right(self.bounds, self.split.point(unit))]


def _segment(point: Number) -> Number:
    """Return the segment of a number: its first bits times SEGMENTS, a product that fits into 63 bits."""
    return (point >> (BITS - _SEGMENT_BITS)) * SEGMENTS >> _SEGMENT_BITS


def _threshold(share: float) -> int:
    return int(Fraction(share) * WHOLE)


def _bounds(weights: Sequence[float]) -> tuple[int, ...]:
    """Return the exclusive end of each weight's range in [0, 2^60); the last positive weight ends at 2^60."""
    parts = [Fraction(weight) for weight in weights]
    total = sum(parts)
    ends, sum_so_far = [], Fraction(0)
    for part in parts:
        sum_so_far += part
        ends.append(int(sum_so_far / total * WHOLE))
    return tuple(ends)
