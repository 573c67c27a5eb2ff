"""Answer cache: lists of the same user in the same state, with the same options and the same model.

An event of a user changes their state, and with it the key, so entries are dropped only by age and size. A cache
belongs to one snapshot of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cachetools import TTLCache

from recsys.clock import now
from recsys.experiments.design.assignment import Assignment
from recsys.schema import ItemId, UserId
from recsys.serving.experiment_arms import NO_ARMS, RequestArms
from recsys.storage.live.exposures import EncodedLists, Exposure, Picture
from recsys.storage.live.user_state import UserState

TTL_S = 60.0
"""Age up to which an entry is used: weights of events fade, and links depend on the state of photos."""
_OVERHEAD_BYTES = 2_000
"""Approximate size of an entry without its body."""


@dataclass(frozen=True, slots=True)
class CachedList:
    """List as it is sent, and the data for its exposures, without caller and time."""

    body: bytes
    items: tuple[ItemId, ...]
    propensities: tuple[float, ...]
    pictures: tuple[Picture, ...]
    encoded: EncodedLists
    model_version: str
    exposed: Mapping[str, Assignment]
    session_id: str | None = None
    platform: str | None = None
    category: str | None = None

    def exposure(self, request_id: str, user_id: UserId | None) -> Exposure:
        """Return the exposure of this list at the present time."""
        return Exposure(
            request_id=request_id,
            user_id=user_id,
            timestamp=now(),
            model_version=self.model_version,
            items=self.items,
            propensities=self.propensities,
            pictures=self.pictures,
            arms={key: str(one.arm) for key, one in self.exposed.items()},
            session_id=self.session_id,
            platform=self.platform,
            category=self.category,
            arm_propensities={key: one.propensity for key, one in self.exposed.items()},
            encoded=self.encoded,
        )


class Key(NamedTuple):
    """Everything on which an answer depends: user, their state, the query as it was sent, the prefix of links, arms."""

    user_id: str
    state: UserState
    query: bytes
    prefix: str
    arms: RequestArms = NO_ARMS


class AnswerCache:
    """Least recently used cache of at most `max_bytes`, for one event loop."""

    def __init__(self, max_bytes: int, hits: int = 0, misses: int = 0) -> None:
        self.max_bytes = max_bytes
        self.hits, self.misses = hits, misses
        self._lists: TTLCache[Key, CachedList] = TTLCache(
            max_bytes, TTL_S, getsizeof=lambda cached: len(cached.body) + _OVERHEAD_BYTES
        )

    def get(self, key: Key) -> CachedList | None:
        """Return the list of a key, None if there is none."""
        cached = self._lists.get(key)
        if cached is not None:
            self.hits += 1
        return cached

    def empty_copy(self) -> AnswerCache:
        """Return an empty cache of the same size, which continues the counts."""
        return AnswerCache(self.max_bytes, self.hits, self.misses)

    def put(self, key: Key, cached: CachedList) -> None:
        """Store a list that was built, unless it is larger than the cache."""
        self.misses += 1
        if len(cached.body) + _OVERHEAD_BYTES <= self.max_bytes:
            self._lists[key] = cached

    def forget(self, user_id: str) -> None:
        """Delete all lists of a user."""
        for key in [key for key in self._lists if key.user_id == user_id]:
            self._lists.pop(key, None)
