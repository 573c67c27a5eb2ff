"""Which model answers: a request takes one snapshot at its start, and all of its answer comes from that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from recsys.ranking.recommender import Recommender


class Snapshot(Protocol):
    """A model as it is while a request is answered."""

    @property
    def recommender(self) -> Recommender:
        """What ranks; `recommender.version` is the version in `Model-Version`."""


class Models(Protocol):
    """Where the present model is found. `current` is read once a request, and costs nothing."""

    @property
    def current(self) -> Snapshot:
        """The snapshot that new requests are to use."""


@dataclass(frozen=True, slots=True)
class FixedModel:
    """One recommender for good: its own and only snapshot."""

    recommender: Recommender

    @property
    def current(self) -> FixedModel:
        """Itself."""
        return self
