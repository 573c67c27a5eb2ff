"""Source of the served model. A request takes one snapshot at its start and uses it to the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from recsys.ranking.recommender import Recommender


class Snapshot(Protocol):
    """Model of one request."""

    @property
    def recommender(self) -> Recommender:
        """Recommender; its `version` is the header `Model-Version`."""


class Models(Protocol):
    """Source of the current model. Each request reads `current` once, so reading must be cheap."""

    @property
    def current(self) -> Snapshot:
        """Snapshot for new requests."""


@dataclass(frozen=True, slots=True)
class FixedModel:
    """One recommender, served permanently."""

    recommender: Recommender

    @property
    def current(self) -> FixedModel:
        """Return itself."""
        return self
