"""Schemas of plans of experiments."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, field_validator, model_validator

from recsys.api.schemas.common import JSON, Strict
from recsys.experiments.design.definition import MAX_ARMS, Looks, UnitKind
from recsys.experiments.design.fields import Name
from recsys.experiments.design.metric_names import Direction, MetricName


class GivenBaseline(Strict):
    """Metric of the control in numbers."""

    model_config = JSON

    mean: float = Field(gt=0, le=1e12, description="Mean of a unit's value.", examples=[0.05])
    deviation: float | None = Field(
        default=None,
        gt=0,
        le=1e12,
        description="Standard deviation of a unit's value; only a share of units (conversion) needs none.",
    )


class PlanRequest(Strict):
    """Experiment to plan, from the live logs, or from a given baseline."""

    model_config = JSON

    arms: dict[Name, Annotated[float, Field(ge=0.0001, le=10_000)]] = Field(
        default_factory=lambda: {"control": 1.0, "treatment": 1.0},
        min_length=2,
        max_length=MAX_ARMS,
        description="Weight of each arm.",
        examples=[{"now": 9, "mild": 1}],
    )
    control: Name | None = Field(default=None, description="Control. Default: the first arm.")
    metric: Annotated[MetricName, Field(strict=False)] = Field(
        default=MetricName.CTR, description="Metric that decides."
    )
    direction: Annotated[Direction, Field(strict=False)] = Direction.INCREASE
    effect: float | None = Field(
        default=None,
        ge=0.0001,
        le=10,
        description="Smallest change that matters, as a share of the mean.",
        examples=[0.05],
    )
    baseline: GivenBaseline | None = Field(default=None, description="Numbers to plan with. Default: the live logs.")
    units_per_day: float | None = Field(default=None, gt=0, le=1e12, description="New units a day; with `baseline`.")
    days: int | None = Field(default=None, ge=1, le=365, description="Planned length in days.")
    looks: Annotated[Looks, Field(strict=False)] = Field(default=Looks.SEQUENTIAL, description="Monitoring.")
    alpha: float = Field(default=0.05, gt=0, lt=0.5, description="Two-sided type I error rate.")
    power: float = Field(default=0.8, gt=0.5, lt=1, description="Probability to find the effect.")
    coverage: float = Field(default=1.0, gt=0, le=1, description="Share of units in the experiment.")
    unit: Annotated[UnitKind, Field(strict=False)] = Field(default=UnitKind.USER, description="Unit of assignment.")

    @field_validator("looks", mode="before")
    @classmethod
    def _accept_any(cls, looks: object) -> object:
        return Looks.SEQUENTIAL if looks == "any" else looks

    @model_validator(mode="after")
    def _check_parts(self) -> PlanRequest:
        if self.control is not None and self.control not in self.arms:
            raise ValueError(f"control {self.control!r} is no arm")
        if self.units_per_day is not None and self.baseline is None:
            raise ValueError("units_per_day needs a baseline; the live logs have their own rate")
        if self.baseline is not None and self.baseline.deviation is None and self.metric is not MetricName.CONVERSION:
            raise ValueError(f"{self.metric} is no share of units: give baseline.deviation, or leave the baseline out")
        return self


class NeedsView(BaseModel):
    """Units and days that an effect needs."""

    effect: float
    units: int = Field(description="Units of all arms.")
    units_by_arm: dict[str, int]
    days: int | None = Field(description="Days in whole weeks; null: more than a year, or the rate is unknown.")


class DayView(BaseModel):
    """Smallest effect that can be found after some days."""

    day: int
    units: int
    absolute: float | None = Field(description="In the metric's unit; null: none can be found.")
    relative: float | None = Field(description="As a share of the mean.")


class MetricPlanView(BaseModel):
    """Plan for a metric."""

    metric: str
    mean: float
    deviation: float
    needs: NeedsView | None = Field(description="Null without an effect.")
    curve: list[DayView] = Field(description="Smallest detectable effect by day.")


class PlanView(BaseModel):
    """Plan of an experiment."""

    looks: str
    alpha: float
    power: float
    control: str
    shares: dict[str, float]
    source: str = Field(description="Where the baseline is from.")
    units_per_day: float | None
    metrics: list[MetricPlanView]
    unmeasured: dict[str, str] = Field(description="Reasons for metrics that the logs do not contain, by metric.")
