"""Settings of the models beyond ALS: one frozen class each, with ranges; the models have the formulas."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from recsys.config import Settings


class Weighting(StrEnum):
    """How item-kNN weighs an event before items are compared."""

    COSINE = "cosine"
    TFIDF = "tfidf"
    BM25 = "bm25"


class NeighborSettings(Settings):
    """`neighbors`: items kept for each item."""

    neighbors: int = Field(default=100, ge=1)


class ItemKnnSettings(NeighborSettings):
    """`k1`, `b`: how fast repeated events saturate, and how much an item's many events are held against it; for BM25
    alone."""

    weighting: Weighting = Weighting.BM25
    k1: float = Field(default=0.2, gt=0)
    b: float = Field(default=0.75, ge=0, le=1)


class Rp3BetaSettings(NeighborSettings):
    """`alpha`: exponent of the steps' probabilities. `beta`: how much an item's popularity is held against it (0: not
    at all, 1: in full)."""

    alpha: float = Field(default=0.5, gt=0)
    beta: float = Field(default=0.2, ge=0, le=1)


class EaseSettings(Settings):
    """`regularization`: λ, in likes. `memory_limit`: bytes that the dense items x items matrix may take; above it
    each item is predicted from the `neighbors` items that are liked together with it most often."""

    regularization: float = Field(default=100.0, gt=0)
    memory_limit: int = Field(default=2 * 1024**3, ge=0)
    neighbors: int = Field(default=100, ge=1)
