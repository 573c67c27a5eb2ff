"""A person as the recommender takes them: what the bundle knows of them, and what has happened since.

An event counts from the moment it is stored. What the bundle was built from ends at `Bundle.events_through`; later
events come on top, as those of a session do, faded by their age like all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from recsys.clock import SECONDS_PER_DAY, Clock, now
from recsys.config import EventSettings, TasteSettings
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.schema import ItemId, UserId
from recsys.storage.live.events import EventStore, StoredEvent
from recsys.storage.live.user_state import UserState

MOST_EVENTS = 200
"""The newest events of a person that a request takes in; older ones wait for the next build."""


class Persons:
    """Joins live events and choices to requests."""

    def __init__(self, events: EventStore, weights: EventSettings, taste: TasteSettings, clock: Clock = now) -> None:
        self._events = events
        self._weights = weights
        self._taste = taste
        self._clock = clock

    def request(self, user_id: UserId, state: UserState, recommender: Recommender, wish: Request) -> Request:
        """`wish` (limit, filters and the like) of this person. Raises StorageError."""
        built = recommender.bundle.events_through
        # What came since a reset is the taste's only source, also where a bundle has it already.
        telling = built if state.reset_seq is None else state.reset_seq
        after = min(built, telling)
        events = self._events.user_events(user_id, after, MOST_EVENTS) if state.last_event > after else []
        if telling > built and not wish.filters.seen:
            # What was touched between the build and the reset says nothing any more, but it was touched.
            touched = {event.item_id for event in events if event.seq <= telling}
            wish = replace(wish, filters=replace(wish.filters, exclude=wish.filters.exclude | touched))
        return replace(
            wish,
            user_id=None if state.erased else user_id,
            items=self.weights([event for event in events if event.seq > telling], recommender.catalog.has_item),
            styles=tuple(style for style in state.styles if recommender.styles.may_restyle(style)),
            fresh_taste=state.reset_seq is not None,
        )

    def weights(self, events: Sequence[StoredEvent], known: Callable[[ItemId], bool]) -> dict[ItemId, float]:
        """What events say of items in the catalog, faded by age; an item whose events cancel out is left out."""
        today, half_life = self._clock(), self._taste.half_life_days * SECONDS_PER_DAY
        weights: defaultdict[ItemId, float] = defaultdict(float)
        for event in events:
            if known(event.item_id):
                faded = 0.5 ** (max(0, today - event.timestamp) / half_life)
                weights[event.item_id] += self._weights.weight(event.event) * faded
        return {item_id: weight for item_id, weight in weights.items() if weight != 0}
