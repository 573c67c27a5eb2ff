"""Definition of an experiment, declared in `<project>/experiments/<key>.toml` and validated before anything runs.

    title = "Milder restyling"
    hypothesis = "Images restyled more mildly look more like the product, so that more of them are clicked"
    control = "as-now"
    coverage = 0.2

    [arms.as-now]
    weight = 1

    [arms.mild]
    weight = 1

    [arms.mild.overrides]
    strength = 0.3

    [[metrics]]
    name = "ctr"

`recsys.experiments.design.files` reads and writes files, `recsys.experiments.design.lifecycle` changes the status.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from recsys.config import Unit
from recsys.experiments.design.fields import Declared, Moment, Name, Text, Word, find_zone, unknown_name
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.design.overrides import Overrides
from recsys.experiments.design.targeting import Targeting

SEGMENTS = 1000
"""Number of segments of a namespace, 0 .. SEGMENTS - 1, each with the same share of units."""
MAX_ARMS = 16

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Segment = Annotated[int, Field(ge=0, lt=SEGMENTS)]
Ranges = tuple[tuple[Segment, Segment], ...]
"""Ranges of segments, (first, last), both included."""


class UnitKind(StrEnum):
    """Kind of unit that is assigned to an arm: a user across sessions, or one session."""

    USER = "user"
    SESSION = "session"


class Status(StrEnum):
    """Status of an experiment.

    Draft: only forced units get an arm. Running: units are assigned. Stopped: no unit is assigned, for good.
    """

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"


class Arm(Declared):
    """Variant of an experiment.

    Attributes:
        weight: weight in the split, relative to the other arms; 0 for forced units only.
        description: free text.
        overrides: settings that the arm changes.
    """

    weight: Weight = 1.0
    description: str = ""
    overrides: Overrides = Overrides()


class Namespace(Declared):
    """Namespace of experiments that never share a unit: each takes other `segments`, of 0 .. SEGMENTS - 1."""

    name: Name
    segments: Ranges = Field(default=((0, SEGMENTS - 1),), min_length=1)

    @field_validator("segments")
    @classmethod
    def _in_order(cls, segments: Ranges) -> Ranges:
        for first, last in segments:
            if first > last:
                raise ValueError(f"[{first}, {last}] ends before it begins; write [{last}, {first}]")
        ordered = sorted(segments)
        for (first, last), (other, end) in pairwise(ordered):
            if other <= last:
                raise ValueError(f"[{first}, {last}] and [{other}, {end}] overlap; name each segment once")
        return tuple(ordered)

    @property
    def share(self) -> float:
        """Share of units in these segments, in (0, 1]."""
        return sum(last - first + 1 for first, last in self.segments) / SEGMENTS


class Holdout(Declared):
    """Units that are in none of the experiments with this holdout, to measure the joint effect of all of them.

    Attributes:
        share: share of all units, in (0, 1).
        name: experiments with the same name leave out the same units.
    """

    share: float = Field(gt=0, lt=1)
    name: Name = "all"


class Metric(Declared):
    """Metric that should move, and its direction. The first metric of an experiment decides, the others explain."""

    name: MetricName
    direction: Direction = Direction.INCREASE


class MarginScale(StrEnum):
    """Scale of a margin: a share of the control's mean, or the metric's own unit."""

    RELATIVE = "relative"
    ABSOLUTE = "absolute"


class Guardrail(Declared):
    """Metric that must not get worse by `margin` or more.

    The test is one of non-inferiority: a metric that is not shown to be above -margin (for `increase`) does not pass.

    Attributes:
        metric: name of the metric.
        margin: largest loss that is accepted, above 0; a `relative` margin is a share of the control's mean, below 1.
        scale: scale of the margin.
        direction: direction in which the metric improves.
    """

    metric: MetricName
    margin: float = Field(gt=0, allow_inf_nan=False)
    scale: MarginScale = MarginScale.RELATIVE
    direction: Direction = Direction.INCREASE

    @model_validator(mode="after")
    def _possible(self) -> Guardrail:
        if self.scale is MarginScale.RELATIVE and self.margin >= 1:
            raise ValueError(
                f"margin {self.margin}: a relative margin is a share below 1 (0.02 for 2 %); or say scale = 'absolute'"
            )
        return self


class Looks(StrEnum):
    """Monitoring: results are read on any day, with always-valid intervals, or once at the declared end.

    In files `any` is another word for `sequential`.
    """

    SEQUENTIAL = "sequential"
    FIXED = "fixed"


class Decision(Declared):
    """Rules for the decision of an experiment.

    `end_at` and `planned_units` declare when the look is. With `fixed` monitoring the only look is at the first of both
    that is reached, and no row after it counts. With `sequential` monitoring, `end_at` is the last look, and
    `planned_units` is the number of units at which intervals are narrowest.

    Attributes:
        alpha: two-sided type I error rate, in (0, 0.5).
        power: power for which sample sizes are planned, in (0.5, 1).
        looks: monitoring, `sequential` (or `any`) or `fixed`.
        minimum_days: no decision before this many days, whatever the results; whole weeks even out weekdays. A declared
            `end_at` may be earlier.
        end_at: declared end, a date with its time zone.
        planned_units: declared number of units of all arms.
        minimal_effect: smallest change of the primary metric that matters, as a share of the control's mean; for
            planning.
        time_zone: IANA name of the time zone in which a day of the results begins and ends, such as Europe/Berlin.
    """

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    power: float = Field(default=0.8, gt=0.5, lt=1)
    looks: Looks = Looks.SEQUENTIAL
    minimum_days: int = Field(default=14, ge=1, le=365)
    end_at: Moment | None = None
    planned_units: int | None = Field(default=None, ge=2, le=10**12)
    minimal_effect: float | None = Field(default=None, gt=0, le=10, allow_inf_nan=False)
    time_zone: str = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        try:
            find_zone(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone; use a name such as Europe/Berlin, or UTC") from None
        return name

    @field_validator("looks", mode="before")
    @classmethod
    def _accept_any(cls, looks: object) -> object:
        return Looks.SEQUENTIAL if looks == "any" else looks

    @property
    def zone(self) -> tzinfo:
        """Time zone in which a day of the results begins and ends."""
        return find_zone(self.time_zone)

    @property
    def names_its_end(self) -> bool:
        """True if a date or a number of units declares the end."""
        return self.end_at is not None or self.planned_units is not None

    @property
    def monitoring(self) -> Looks:
        """Monitoring that the analysis uses: `fixed` needs a declared end, without one it is `sequential`."""
        return Looks.FIXED if self.looks is Looks.FIXED and self.names_its_end else Looks.SEQUENTIAL


class Split(Declared):
    """Record of everything that must not change while units are assigned, or an arm's results would mix two things.

    Attributes:
        unit: kind of unit.
        salt: salt of the hash.
        control: name of the control.
        namespace: name of the namespace, or "".
        holdout: name=share, or "".
        weights: weight by arm.
        treatments: hash of the overrides by arm (the key in files keeps this name).
        look: the declared look in words, or "" in histories of older versions.
    """

    unit: UnitKind
    salt: str
    control: str
    namespace: str
    holdout: str
    weights: Mapping[str, float]
    treatments: Mapping[str, str]
    look: str = ""


class Action(StrEnum):
    """Change of an experiment's status."""

    START = "start"
    RAMP = "ramp"
    STOP = "stop"


class Change(Declared):
    """Entry of the history: the action, its time, and the coverage from then on; a start also records the split."""

    at: Moment
    action: Action
    coverage: Unit
    segments: Ranges = ()
    split: Split | None = None


class Experiment(Declared):
    """Validated experiment.

    Attributes:
        key: name of the experiment and of its file.
        unit: kind of unit that is assigned.
        salt: text that is hashed with the unit; another salt gives another split. Default: the key.
        coverage: share of units that may be exposed, of those that targeting, namespace and holdout leave.
        forced: arm by unit, to try an arm out; forced units are never part of the analysis.
        history: all changes of status, oldest first.

    Raises:
        pydantic.ValidationError: if a value is wrong; `files.load_experiment` turns it into a message with the file
            and the cure.
    """

    key: Name
    title: Text
    hypothesis: Text
    unit: UnitKind = UnitKind.USER
    salt: Word
    status: Status = Status.DRAFT
    started_at: Moment | None = None
    stopped_at: Moment | None = None
    coverage: Unit = 1.0
    control: str
    arms: Mapping[Name, Arm] = Field(min_length=2, max_length=MAX_ARMS)
    namespace: Namespace | None = None
    holdout: Holdout | None = None
    targeting: Targeting = Targeting()
    forced: Mapping[Word, str] = Field(default_factory=dict)
    metrics: tuple[Metric, ...] = Field(min_length=1)
    guardrails: tuple[Guardrail, ...] = ()
    decision: Decision = Decision()
    history: tuple[Change, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _own_salt(cls, raw: Any) -> Any:
        if isinstance(raw, Mapping) and "key" in raw and "salt" not in raw:
            return {**raw, "salt": raw["key"]}
        return raw

    @field_validator("arms")
    @classmethod
    def _check_weights(cls, arms: Mapping[str, Arm]) -> Mapping[str, Arm]:
        weighted = [name for name, arm in arms.items() if arm.weight > 0]
        if not weighted:
            raise ValueError("all weights are 0, so that no unit gets an arm; give at least two arms a weight above 0")
        if len(weighted) == 1:
            raise ValueError(
                f"only {weighted[0]!r} has a weight above 0: nothing to compare; give another arm a weight above 0"
            )
        return arms

    @model_validator(mode="after")
    def _arms_are_known(self) -> Experiment:
        known = list(self.arms)
        if self.control not in self.arms:
            raise ValueError(f"control: {unknown_name('arm', self.control, known)}")
        if self.arms[self.control].weight == 0:
            raise ValueError(f"control: {self.control!r} has weight 0: nothing to compare with; give it a weight")
        for arm in self.forced.values():
            # The message leaves the unit's id out: it is personal data.
            if arm not in self.arms:
                raise ValueError(f"forced: {unknown_name('arm', arm, known)}")
        return self

    @model_validator(mode="after")
    def _metrics_once(self) -> Experiment:
        names = [*(metric.name for metric in self.metrics), *(guardrail.metric for guardrail in self.guardrails)]
        repeated = sorted({name.value for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"{repeated[0]} is named twice; list each metric once, under metrics or guardrails")
        return self

    @model_validator(mode="after")
    def _times_suit_status(self) -> Experiment:
        wanted = {Status.DRAFT: (False, False), Status.RUNNING: (True, False), Status.STOPPED: (True, True)}
        if (self.started_at is not None, self.stopped_at is not None) != wanted[self.status]:
            raise ValueError(
                f"status: {self.status} does not suit started_at and stopped_at: a draft has neither, a running "
                "experiment was started, a stopped one has both; `recsys experiment start` and `stop` write them"
            )
        if self.started_at is not None and self.stopped_at is not None and self.stopped_at < self.started_at:
            raise ValueError("stopped_at: is before started_at; correct both")
        return self

    @property
    def primary(self) -> Metric:
        """Primary metric, on which the decision rests."""
        return self.metrics[0]

    @property
    def other_arms(self) -> tuple[str, ...]:
        """Names of all arms but the control, sorted."""
        return tuple(sorted(name for name in self.arms if name != self.control))

    @property
    def shares(self) -> dict[str, float]:
        """Share of the experiment's units in each arm, by name; the shares sum to 1."""
        total = sum(arm.weight for arm in self.arms.values())
        return {name: self.arms[name].weight / total for name in sorted(self.arms)}

    @property
    def exposed_share(self) -> float:
        """Share of all units that may be exposed, by coverage, namespace and holdout, in [0, 1]."""
        inside = 1.0 if self.namespace is None else self.namespace.share
        left = 1.0 if self.holdout is None else 1.0 - self.holdout.share
        return self.coverage * inside * left
