"""What operators see of models and the service."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Model(BaseModel):
    """A bundle on disk."""

    version: str = Field(examples=["4f1c9a0b7d3e2a51"])
    created: int = Field(description="Seconds since 1970 UTC.", examples=[1_795_000_000])
    users: int
    items: int
    metrics: dict[str, float] = Field(description="Measured on later events while it was built.")
    current: bool = Field(description="Whether it is the one to serve.")
    serving: bool = Field(description="Whether this process serves it.")


class RefusedModel(BaseModel):
    """A bundle that was not taken into service."""

    version: str
    reason: str


class ModelList(BaseModel):
    """The bundles on disk, newest first."""

    models: list[Model]
    refused: RefusedModel | None = Field(description="The last one that was refused, if the service still wants it.")


class Activated(BaseModel):
    """The model that serves now."""

    model_version: str
