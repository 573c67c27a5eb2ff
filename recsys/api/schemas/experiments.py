"""Schemas of experiments."""

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
    """Draft of an experiment: the content of its TOML file and its key. Status and times are set later."""

    key: Name = Field(description="Permanent name of the experiment.", examples=["milder-pictures"])
    title: Prose = Field(examples=["Pictures restyled more mildly"])
    hypothesis: Prose = Field(
        description="Expected effect, and its cause.", examples=["Milder pictures look more like the product"]
    )
    unit: UnitKind = UnitKind.USER
    salt: Word | None = Field(default=None, description="Text that is hashed with the unit. Default: the key.")
    coverage: Unit = Field(default=1.0, description="Share of units that may be exposed.")
    control: Name = Field(description="Arm with which the others are compared.", examples=["now"])
    arms: Mapping[Name, Arm] = Field(
        min_length=2,
        max_length=MAX_ARMS,
        description="Arms by name: weight in the split, and overrides.",
        examples=[{"now": {}, "mild": {"overrides": {"strength": 0.3}}}],
    )
    namespace: Namespace | None = None
    holdout: Holdout | None = None
    targeting: Targeting = Targeting()
    forced: Mapping[Word, Name] = Field(
        default_factory=dict,
        description="Arm by unit id, for inspection; these units are not analyzed.",
    )
    metrics: tuple[Metric, ...] = Field(min_length=1, examples=[[{"name": "ctr"}]])
    guardrails: tuple[Guardrail, ...] = ()
    decision: Decision = Decision()

    @classmethod
    def read(cls, body: bytes) -> Experiment:
        """Return the draft in a JSON body. Raises RequestValidationError."""
        try:
            given = cls.model_validate_json(body)
            draft = Experiment.model_validate(given.model_dump(exclude_unset=True, exclude_none=True))
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None
        # The TOML model converts values such as "0.5" to 0.5; JSON has types, so other types are rejected.
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
    """Yield the places of JSON scalars that were read as another type, with that type."""
    if isinstance(given, dict) and isinstance(read, dict):
        for key in given.keys() & read.keys():
            # Times may be dates in text or seconds since 1970.
            if key.endswith("_at") and type(given[key]) in (int, str):
                continue
            yield from _other_kinds(given[key], read[key], (*place, key))
    elif isinstance(given, list) and isinstance(read, list):
        for number, pair in enumerate(zip(given, read, strict=False)):
            yield from _other_kinds(*pair, (*place, number))
    elif (kind := _kind(read)) in _KINDS and _kind(given) is not kind:
        yield place, kind


def _kind(value: Any) -> type:
    return float if type(value) is int else type(value)


class AssignmentOptions(Strict):
    """Unit of an assignment, and properties of its request."""

    unit: Text | None = Field(default=None, description="Id of a unit of the experiment's kind.", examples=["u001"])
    user_id: Text | None = Field(default=None, description="Id of the user.")
    session_id: Text | None = Field(default=None, description="Id of the visit.")
    category: list[Text] = Field(
        default_factory=list, max_length=100, description="Categories to which the list is limited."
    )
    platform: Text | None = Field(default=None, description="Platform that shows the list.")
    country: Country | None = Field(default=None, description="Country in two letters of ISO 3166.")
    language: Text | None = Field(default=None, description="Language tag of BCP 47.")
    known_user: bool | None = Field(
        default=None, description="Whether the user has a history. Default: looked up by `user_id`."
    )

    @model_validator(mode="after")
    def _check_unit(self) -> AssignmentOptions:
        if self.unit is not None and (self.user_id is not None or self.session_id is not None):
            raise ValueError("give either unit, or user_id and session_id")
        return self


class ArmView(BaseModel):
    """Arm of an experiment."""

    share: float = Field(description="Share of the experiment's units.", examples=[0.5])
    description: str
    overrides: dict[str, Any] = Field(description="Settings that the arm changes.", examples=[{"strength": 0.3}])


class ExperimentView(BaseModel):
    """Experiment with its status."""

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
    metrics: list[str] = Field(description="Metrics; the first one decides.", examples=[["ctr"]])
    looks: str = Field(description="When results are read: sequential (any day) or fixed (once).", examples=["fixed"])
    end_at: int | None = Field(description="Declared end, in seconds since 1970 UTC.")
    planned_units: int | None = Field(description="Declared number of units of all arms.")
    alpha: float = Field(description="Two-sided type I error rate.")
    power: float = Field(description="Planned power.")
    minimal_effect: float | None = Field(description="Smallest change that matters, as a share of the control's mean.")
    guardrails: list[str]
    forced: int = Field(description="Number of units with a forced arm.")
    problem: str | None = Field(description="Reason why the experiment is not served; null: it is served.")


class ExperimentList(BaseModel):
    """Experiments of the shop."""

    experiments: list[ExperimentView]
    problems: dict[str, str] = Field(description="Problems of experiment files, by key.")


class AssignmentView(BaseModel):
    """Assignment of a unit in an experiment."""

    experiment: str
    unit: UnitKind
    arm: str | None = Field(
        description="Arm of the unit; null: it is served without the experiment.", examples=["mild"]
    )
    propensity: float = Field(description="Probability of that arm for a unit of the experiment.", examples=[0.5])
    forced: bool
    reason: Reason
    served: bool = Field(description="Whether the service can serve the experiment; see `problem` of the experiment.")


class FindingView(BaseModel):
    """Check of the data."""

    check: str = Field(examples=["sample ratio"])
    sound: bool
    words: str = Field(description="Result of the check, and the cure if it failed.")
    p_value: float | None


class DecisionView(BaseModel):
    """Decision with its reasons."""

    advice: str = Field(examples=["keep going"])
    arm: str | None = Field(description="Arm to ship; null: none.")
    why: list[str]


class LookView(BaseModel):
    """Declared look, and how far the experiment is on its way there."""

    looks: str = Field(description="Monitoring that is used: sequential (any day) or fixed (once).", examples=["fixed"])
    alpha: float = Field(description="Two-sided type I error rate.")
    power: float = Field(description="Planned power.")
    end_at: int | None = Field(description="Declared end, in seconds since 1970 UTC.")
    planned_units: int | None = Field(description="Declared number of units of all arms.")
    minimal_effect: float | None = Field(description="Smallest change that matters, as a share of the control's mean.")
    reached: bool = Field(description="Whether the end is reached: the result does not change any more.")
    at: int | None = Field(description="Time of the end once it is reached.")
    expected_at: int | None = Field(description="Time of the end at the present rate of new units.")
    progress: float = Field(description="Share of the way to the end.")
    words: str = Field(description="The look in words.")


class Results(BaseModel):
    """Results of an experiment, health first. Without sound data there are no effects."""

    experiment: str
    healthy: bool
    health: list[FindingView]
    decision: DecisionView
    look: LookView
    now: int = Field(description="Time of the analysis, in seconds since 1970 UTC.")
    until: int = Field(description="End of the analyzed period, in seconds since 1970 UTC.")
    days: float
    units: dict[str, int] = Field(description="Number of units by arm.")
    exposures: int
    forced: int = Field(description="Number of units that were left out because their arm was forced.")
    comparisons: list[dict[str, Any]] = Field(
        description="Each arm against the control in each metric: means, effect, interval, p-value, posterior."
    )
    over_time: list[dict[str, Any]] = Field(description="Effect on the first metric at the end of each day.")
    segments: list[dict[str, Any]] = Field(description="Effect on the first metric in segments of units.")
    novelty: list[dict[str, Any]] = Field(
        description="Effect on the first metric by day since the first exposure, and its trend, by arm."
    )
    interactions: list[dict[str, Any]] = Field(
        description="Difference between the effects on the first metric in two arms of another experiment, by pair."
    )
    unmeasured: dict[str, str] = Field(description="Reasons for metrics without a result, by metric.")
    tightest_at: float = Field(description="Number of units at which sequential intervals are narrowest.")
    days_left: dict[str, int | None] = Field(
        description="Days by arm until an effect as large as the estimated one would be detected."
    )


class Ramp(Strict):
    """Larger coverage or more segments of a running experiment."""

    model_config = JSON

    coverage: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="New share of units, not smaller than now.",
        examples=[0.5],
    )
    segments: list[Annotated[list[Segment], Field(min_length=2, max_length=2)]] | None = Field(
        default=None, description="All segments, old and new: [[first, last], ...].", examples=[[[0, 499]]]
    )

    @property
    def ranges(self) -> Ranges | None:
        """Segments as the experiment stores them."""
        return None if self.segments is None else tuple((first, last) for first, last in self.segments)

    @model_validator(mode="after")
    def _check_change(self) -> Ramp:
        if self.coverage is None and self.segments is None:
            raise ValueError("give coverage, segments or both")
        return self
