"""Settings of the models except ALS: one frozen class each, with ranges; the models have the formulas."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from recsys.config import Settings


class Weighting(StrEnum):
    """Weighting of events in item-kNN before items are compared."""

    COSINE = "cosine"
    TFIDF = "tfidf"
    BM25 = "bm25"


class NeighborSettings(Settings):
    """Settings of a sparse item-item model. `neighbors`: stored neighbors of each item."""

    neighbors: int = Field(default=100, ge=1)


class ItemKnnSettings(NeighborSettings):
    """Settings of item-kNN.

    `k1` (BM25 only): saturation of repeated events. `b` (BM25 only): penalty on items with many events.
    """

    weighting: Weighting = Weighting.BM25
    k1: float = Field(default=0.2, gt=0)
    b: float = Field(default=0.75, ge=0, le=1)


class Rp3BetaSettings(NeighborSettings):
    """Settings of RP3beta.

    `alpha`: exponent of the steps' probabilities. `beta`: penalty on an item's popularity (0: none, 1: full).
    """

    alpha: float = Field(default=0.5, gt=0)
    beta: float = Field(default=0.2, ge=0, le=1)


class EaseSettings(Settings):
    """Settings of EASE.

    `regularization`: λ, in likes. `memory_limit`: largest dense items x items matrix, in bytes; above it each item is
    predicted from the `neighbors` items that are most often liked together with it.
    """

    regularization: float = Field(default=100.0, gt=0)
    memory_limit: int = Field(default=2 * 1024**3, ge=0)
    neighbors: int = Field(default=100, ge=1)
