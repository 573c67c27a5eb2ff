"""Schemas of models, health and problems, for operators."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field


class Model(BaseModel):
    """Bundle on disk."""

    version: str = Field(examples=["4f1c9a0b7d3e2a51"])
    created_at: int = Field(description="Time of the build, in seconds since 1970 UTC.", examples=[1_795_000_000])
    users: int
    items: int
    metrics: dict[str, float] = Field(description="Metrics on later events, measured by the build.")
    current: bool = Field(description="Whether it is the version to serve.")
    serving: bool = Field(description="Whether this process serves it.")


class RejectedModel(BaseModel):
    """Bundle that the service does not serve."""

    version: str
    reason: str


class ModelList(BaseModel):
    """Bundles on disk, newest first."""

    models: list[Model]
    rejected: RejectedModel | None = Field(
        description="Version that was rejected last; null once another version is served."
    )


class Activated(BaseModel):
    """Version that is served now."""

    model_version: str


class Live(BaseModel):
    """Answer of a process that is alive."""

    status: str = Field(examples=["alive"])


class Access(StrEnum):
    """Access to the service."""

    OPEN = "open"
    API_KEY = "api_key"


class Ready(BaseModel):
    """State of a service that is ready."""

    status: str = Field(examples=["ready"])
    model_version: str
    access: Access = Field(description="`open`: no API key is set. `api_key`: requests need a key.")
    links_survive_restart: bool = Field(description="Whether the key that signs links is stored.")
    restyling: str = Field(description="`ok`, or the reason why originals are served.", examples=["ok"])


class Draining(BaseModel):
    """Answer of a service that is about to stop."""

    status: str = Field(examples=["draining"])


class ProblemExplanation(BaseModel):
    """Type of problem."""

    type: str
    title: str
    status: int
    meaning: str
    cure: str
