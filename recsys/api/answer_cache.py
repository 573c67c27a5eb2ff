"""Answers that are asked for again: the same person, in the same state, with the same options, of the same model.

What a person does changes their state, and thereby the key; hence nothing here has to be thrown away but by age and
room. It belongs to one snapshot of the model, and goes with it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from cachetools import TTLCache

from recsys.schema import ItemId
from recsys.storage.exposures import Picture

TTL_S = 60.0
"""Events fade and links are made for photos as they are, so that answers age."""
_OVERHEAD = 2_000
"""Bytes of an entry beside its body, about."""


@dataclass(frozen=True, slots=True)
class Made:
    """A list as it is sent, and what exposures keep of it."""

    body: bytes
    items: tuple[ItemId, ...]
    propensities: tuple[float, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """What an answer depends on; `person` is the id and the state of somebody with an account."""

    user_id: str
    person: Hashable
    options: str
    prefix: str


class AnswerCache:
    """At most `max_bytes` of answers, the least recently used go first. For one event loop alone."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.hits = self.misses = 0
        self._kept: TTLCache[Key, Made] = TTLCache(max_bytes, TTL_S, getsizeof=lambda made: len(made.body) + _OVERHEAD)

    def get(self, key: Key) -> Made | None:
        """The answer under a key, or None."""
        made = self._kept.get(key)
        if made is None:
            self.misses += 1
        else:
            self.hits += 1
        return made

    def put(self, key: Key, made: Made) -> None:
        """Keep an answer, if there is room for one as large."""
        if len(made.body) + _OVERHEAD <= self.max_bytes:
            self._kept[key] = made

    def forget(self, user_id: str) -> None:
        """Drop all answers to a person."""
        for key in [key for key in self._kept if key.user_id == user_id]:
            self._kept.pop(key, None)
