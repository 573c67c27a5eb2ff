"""What an experiment is: declared in `<project>/experiments/<key>.toml`, and checked whole before anything runs.

    title = "Pictures restyled more mildly"
    hypothesis = "Milder pictures look more like the product, so that more of them are clicked"
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

Files are read and written by `recsys.experiments.design.files`; states are changed by
`recsys.experiments.design.lifecycle`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from recsys.config import Unit
from recsys.experiments.design.fields import Declared, Moment, Name, Text, Word, unknown_name
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.design.overrides import Overrides
from recsys.experiments.design.targeting import Targeting

SEGMENTS = 1000
"""A namespace has segments 0 .. SEGMENTS - 1, each with the same share of units."""
MAX_ARMS = 16

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Segment = Annotated[int, Field(ge=0, lt=SEGMENTS)]
Ranges = tuple[tuple[Segment, Segment], ...]
"""Ranges of segments, (first, last), both included."""


class UnitKind(StrEnum):
    """What is assigned to an arm: a user, wherever they come back, or one session."""

    USER = "user"
    SESSION = "session"


class Status(StrEnum):
    """Draft: forced units alone get their arm. Running: units are assigned. Stopped: nobody is, for good."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"


class Arm(Declared):
    """One way to serve. `weight`: its say in the split, relative to the others'; 0 for forced units alone."""

    weight: Weight = 1.0
    description: str = ""
    overrides: Overrides = Overrides()


class Namespace(Declared):
    """Experiments of one namespace never share a unit: each takes other `segments`, of 0 .. SEGMENTS - 1."""

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
        """The share of units in these segments."""
        return sum(last - first + 1 for first, last in self.segments) / SEGMENTS


class Holdout(Declared):
    """Units that are in none of the experiments with this holdout, to measure what all of them did together.

    `share`: of all units. `name`: experiments that name the same one leave the same units out.
    """

    share: float = Field(gt=0, lt=1)
    name: Name = "all"


class Metric(Declared):
    """What should move, and which way. The first one of an experiment decides, the others explain."""

    name: MetricName
    direction: Direction = Direction.INCREASE


class MarginScale(StrEnum):
    """Of the control's mean, or in the metric's own unit."""

    RELATIVE = "relative"
    ABSOLUTE = "absolute"


class Guardrail(Declared):
    """What must not get worse by `margin` or more: the test is of non-inferiority, and a metric that is not shown to be
    above -margin (for `increase`) does not pass. A `relative` margin is a share of the control's mean, below 1."""

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
    """When results may be looked at: on any day, by always-valid intervals, or once, at the end."""

    SEQUENTIAL = "sequential"
    FIXED = "fixed"


class Decision(Declared):
    """When an experiment is decided. `alpha`: the two-sided error of the first kind. `power`: what sample sizes are
    planned for. `minimum_days`: no decision before, whatever the figures; whole weeks even out the days of a week."""

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    power: float = Field(default=0.8, gt=0.5, lt=1)
    looks: Looks = Looks.SEQUENTIAL
    minimum_days: int = Field(default=14, ge=1, le=365)


class Split(Declared):
    """All that must stay as it is while units are assigned, or the figures of an arm are of two different things.

    `weights` by arm; `treatments`: a hash of each arm's overrides; `holdout`: name=share, or ""; `namespace`: its name,
    or "".
    """

    unit: UnitKind
    salt: str
    control: str
    namespace: str
    holdout: str
    weights: Mapping[str, float]
    treatments: Mapping[str, str]


class Action(StrEnum):
    """What was done to an experiment."""

    START = "start"
    RAMP = "ramp"
    STOP = "stop"


class Change(Declared):
    """One entry of the history: what was done when, and who could be exposed from then on; a start keeps the split."""

    at: Moment
    action: Action
    coverage: Unit
    segments: Ranges = ()
    split: Split | None = None


class Experiment(Declared):
    """A validated experiment. Raises pydantic's ValidationError; `files.load_experiment` names file and cure.

    `key`: its name, that of the file. `unit`: what is assigned. `salt`: what is hashed beside the unit; another salt is
    another split (default: the key). `coverage`: the share of units that may be exposed, of those that targeting,
    namespace and holdout leave. `forced`: unit to arm, for those who try an arm out; never part of the analysis.
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
    def _weighted(cls, arms: Mapping[str, Arm]) -> Mapping[str, Arm]:
        weighted = [name for name, arm in arms.items() if arm.weight > 0]
        if not weighted:
            raise ValueError("all weights are 0, so that no unit gets an arm; give at least two arms a weight above 0")
        if len(weighted) == 1:
            raise ValueError(f"{weighted[0]!r} alone has a weight above 0: nothing to compare; give another arm one")
        return arms

    @model_validator(mode="after")
    def _arms_are_known(self) -> Experiment:
        known = list(self.arms)
        if self.control not in self.arms:
            raise ValueError(f"control: {unknown_name('arm', self.control, known)}")
        if self.arms[self.control].weight == 0:
            raise ValueError(f"control: {self.control!r} has weight 0: nothing to compare with; give it a weight")
        for arm in self.forced.values():
            # The unit's id is somebody's, so it is not told.
            if arm not in self.arms:
                raise ValueError(f"forced: {unknown_name('arm', arm, known)}")
        return self

    @model_validator(mode="after")
    def _metrics_once(self) -> Experiment:
        names = [*(metric.name for metric in self.metrics), *(guardrail.metric for guardrail in self.guardrails)]
        repeated = sorted({name.value for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"{repeated[0]} is named twice; a metric is either to move or a guardrail, once")
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
            raise ValueError("stopped_at: lies before started_at; put both right")
        return self

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        return self.metrics[0]

    @property
    def treatments(self) -> tuple[str, ...]:
        """The arms beside the control, by name."""
        return tuple(sorted(name for name in self.arms if name != self.control))

    @property
    def shares(self) -> dict[str, float]:
        """The share of units of the experiment in each arm, by name; they sum to 1."""
        total = sum(arm.weight for arm in self.arms.values())
        return {name: self.arms[name].weight / total for name in sorted(self.arms)}
