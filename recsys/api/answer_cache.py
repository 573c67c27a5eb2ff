"""Answers that are asked for again: the same person, in the same state, with the same options, of the same model.

What a person does changes their state, and thereby the key; hence nothing here has to be thrown away but by age and
room. It belongs to one snapshot of the model, and goes with it.
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
"""Events fade and links are made for photos as they are, so that answers age."""
_OVERHEAD = 2_000
"""Bytes of an entry beside its body, about."""


@dataclass(frozen=True, slots=True)
class CachedList:
    """A list as it is sent, and what exposures keep of it, apart from who asked when."""

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
        """This list, as it is shown now."""
        return Exposure(
            request_id=request_id,
            user_id=user_id,
            timestamp=now(),
            model_version=self.model_version,
            items=self.items,
            propensities=self.propensities,
            pictures=self.pictures,
            arms={key: str(place.arm) for key, place in self.exposed.items()},
            session_id=self.session_id,
            platform=self.platform,
            category=self.category,
            arm_propensities={key: place.propensity for key, place in self.exposed.items()},
            encoded=self.encoded,
        )


class Key(NamedTuple):
    """What an answer depends on: who asks, their state, the query as it was sent, the links' prefix, and what
    experiments do to it."""

    user_id: str
    state: UserState
    query: bytes
    prefix: str
    arms: RequestArms = NO_ARMS


class AnswerCache:
    """At most `max_bytes` of answers, the least recently used go first. For one event loop alone."""

    def __init__(self, max_bytes: int, hits: int = 0, misses: int = 0) -> None:
        self.max_bytes = max_bytes
        self.hits, self.misses = hits, misses
        self._kept: TTLCache[Key, CachedList] = TTLCache(
            max_bytes, TTL_S, getsizeof=lambda made: len(made.body) + _OVERHEAD
        )

    def get(self, key: Key) -> CachedList | None:
        """The answer under a key, or None."""
        made = self._kept.get(key)
        if made is not None:
            self.hits += 1
        return made

    def emptied(self) -> AnswerCache:
        """A new one as large, which counts on."""
        return AnswerCache(self.max_bytes, self.hits, self.misses)

    def put(self, key: Key, made: CachedList) -> None:
        """Keep an answer that had to be made, if there is room for one as large."""
        self.misses += 1
        if len(made.body) + _OVERHEAD <= self.max_bytes:
            self._kept[key] = made

    def forget(self, user_id: str) -> None:
        """Drop all answers to a person."""
        for key in [key for key in self._kept if key.user_id == user_id]:
            self._kept.pop(key, None)
