"""Experiments as callers declare and see them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError, model_validator

from recsys.api.schemas.common import JSON, Strict, Text
from recsys.config import Unit
from recsys.experiments.design.assignment import Reason
from recsys.experiments.design.definition import (
    MAX_ARMS,
    Arm,
    Decision,
    Experiment,
    Guardrail,
    Holdout,
    Metric,
    Namespace,
    Ranges,
    Segment,
    Status,
    UnitKind,
)
from recsys.experiments.design.fields import Declared, Name, Word
from recsys.experiments.design.fields import Text as Prose
from recsys.experiments.design.targeting import Targeting

Country = Annotated[str, Field(pattern=r"^[A-Za-z]{2}$")]


class NewExperiment(Declared):
    """An experiment to be drafted: what its file in TOML would say, and its key. States and times come later."""

    key: Name = Field(description="Its name for good.", examples=["milder-pictures"])
    title: Prose = Field(examples=["Pictures restyled more mildly"])
    hypothesis: Prose = Field(
        description="What should move, and why.", examples=["Milder pictures look more like the product"]
    )
    unit: UnitKind = UnitKind.USER
    salt: Word | None = Field(default=None, description="Hashed beside the unit. Default: the key.")
    coverage: Unit = Field(default=1.0, description="The share of units that may be exposed.")
    control: Name = Field(description="The arm that the others are compared with.", examples=["now"])
    arms: Mapping[Name, Arm] = Field(
        min_length=2,
        max_length=MAX_ARMS,
        description="Each arm's weight in the split, and what it changes.",
        examples=[{"now": {}, "mild": {"overrides": {"strength": 0.3}}}],
    )
    namespace: Namespace | None = None
    holdout: Holdout | None = None
    targeting: Targeting = Targeting()
    forced: Mapping[Word, Name] = Field(
        default_factory=dict, description="Units that get an arm to try it out, by id; never part of the analysis."
    )
    metrics: tuple[Metric, ...] = Field(min_length=1, examples=[[{"name": "ctr"}]])
    guardrails: tuple[Guardrail, ...] = ()
    decision: Decision = Decision()

    @classmethod
    def read(cls, body: bytes) -> Experiment:
        """The draft that a body in JSON declares. Raises RequestValidationError."""
        try:
            given = cls.model_validate_json(body)
            draft = Experiment.model_validate(given.model_dump(exclude_unset=True, exclude_none=True))
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None
        # What is declared is read leniently, as "0.5" for 0.5, which JSON with its types has no need of.
        wrong = [
            {"type": "kind", "loc": ("body", *place), "msg": f"Input should be {_KINDS[wanted]}"}
            for place, wanted in _other_kinds(json.loads(body), given.model_dump(mode="json", exclude_unset=True))
        ]
        if wrong:
            raise RequestValidationError(wrong)
        return draft


_KINDS: dict[type, str] = {bool: "true or false", str: "a text", float: "a number", type(None): "null"}


def _other_kinds(
    given: Any, read: Any, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], type]]:
    """Where scalars of JSON were read as another kind, and which one."""
    if isinstance(given, dict) and isinstance(read, dict):
        for key in given.keys() & read.keys():
            yield from _other_kinds(given[key], read[key], (*place, key))
    elif isinstance(given, list) and isinstance(read, list):
        for number, pair in enumerate(zip(given, read, strict=False)):
            yield from _other_kinds(*pair, (*place, number))
    elif (kind := _kind(read)) in _KINDS and _kind(given) is not kind:
        yield place, kind


def _kind(value: Any) -> type:
    return float if type(value) is int else type(value)


class AssignmentOptions(Strict):
    """Whose arm is asked for, and what is known of their request."""

    unit: Text | None = Field(default=None, description="A unit of the experiment's kind.", examples=["u001"])
    user_id: Text | None = Field(default=None, description="Who asks; with an account.")
    session_id: Text | None = Field(default=None, description="The visit.")
    category: list[Text] = Field(default_factory=list, max_length=100, description="What the list is limited to.")
    platform: Text | None = Field(default=None, description="Where it is shown.")
    country: Country | None = Field(default=None, description="Two letters of ISO 3166.")
    language: Text | None = Field(default=None, description="A language tag of BCP 47.")
    known_user: bool | None = Field(
        default=None, description="Whether the person has a history. Default: what the service knows of `user_id`."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> AssignmentOptions:
        if self.unit is not None and (self.user_id is not None or self.session_id is not None):
            raise ValueError("give either unit, or user_id and session_id")
        return self


class ArmView(BaseModel):
    """An arm."""

    share: float = Field(description="Of the units of the experiment.", examples=[0.5])
    description: str
    overrides: dict[str, Any] = Field(description="What it changes.", examples=[{"strength": 0.3}])


class ExperimentView(BaseModel):
    """An experiment, and how it stands."""

    key: str = Field(examples=["milder-pictures"])
    title: str
    hypothesis: str
    unit: UnitKind
    status: Status
    coverage: float
    started_at: int | None = Field(description="Seconds since 1970 UTC.")
    stopped_at: int | None
    control: str = Field(examples=["now"])
    arms: dict[str, ArmView]
    metrics: list[str] = Field(description="The first decides.", examples=[["ctr"]])
    guardrails: list[str]
    forced: int = Field(description="How many units have their arm to try it out.")
    problem: str | None = Field(description="Why it is not served as its file says; null where it is.")


class ExperimentList(BaseModel):
    """The experiments of the shop, by key."""

    experiments: list[ExperimentView]
    problems: dict[str, str] = Field(description="What is wrong with files of experiments, by key.")


class AssignmentView(BaseModel):
    """A unit's place in an experiment."""

    experiment: str
    unit: UnitKind
    arm: str | None = Field(description="null: in none, served as without the experiment.", examples=["mild"])
    propensity: float = Field(description="How probable that arm was for a unit of the experiment.", examples=[0.5])
    forced: bool
    reason: Reason
    served: bool = Field(description="Whether the service can serve the experiment; see `problem` of the experiment.")


class FindingView(BaseModel):
    """One check of the data."""

    check: str = Field(examples=["sample ratio"])
    sound: bool
    words: str = Field(description="What was found, and what to do where it is not sound.")
    p_value: float | None


class ConclusionView(BaseModel):
    """What to do, and why."""

    advice: str = Field(examples=["keep going"])
    treatment: str | None = Field(description="What to ship, if anything.")
    why: list[str]


class Results(BaseModel):
    """What is known of an experiment: health first. Unless the data are sound there are no effects."""

    experiment: str
    healthy: bool
    health: list[FindingView]
    conclusion: ConclusionView
    now: int = Field(description="When it was analyzed, in seconds since 1970 UTC.")
    until: int = Field(description="The end of what was looked at.")
    days: float
    units: dict[str, int] = Field(description="By arm.")
    exposures: int
    forced: int = Field(description="Units that were left out since their arm was forced.")
    comparisons: list[dict[str, Any]] = Field(
        description="Each treatment against the control in each metric: means, effect, interval, p-value, posterior."
    )
    over_time: list[dict[str, Any]] = Field(description="The primary effect at the end of each day.")
    segments: list[dict[str, Any]] = Field(description="The primary effect among parts of the units.")
    unmeasured: dict[str, str] = Field(description="Why a declared metric is not there.")
    tightest_at: float = Field(description="Units at which intervals for any look are narrowest.")
    days_left: dict[str, int | None] = Field(
        description="By treatment, until an effect as large as the one estimated would be found."
    )


class Ramp(Strict):
    """More units for a running experiment: a larger coverage, more segments, or both."""

    model_config = JSON

    coverage: float | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="Not less than it is.", examples=[0.5]
    )
    segments: list[Annotated[list[Segment], Field(min_length=2, max_length=2)]] | None = Field(
        default=None, description="All of its segments, old and new: [[first, last], ...].", examples=[[[0, 499]]]
    )

    @property
    def ranges(self) -> Ranges | None:
        """The segments as an experiment has them."""
        return None if self.segments is None else tuple((first, last) for first, last in self.segments)

    @model_validator(mode="after")
    def _something(self) -> Ramp:
        if self.coverage is None and self.segments is None:
            raise ValueError("give coverage, segments or both")
        return self
