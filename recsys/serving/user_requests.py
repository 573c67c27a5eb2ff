"""Requests of users: the bundle's history of a user, and their events and choices since the build.

An event counts from the moment it is stored. The bundle contains events up to `Bundle.events_through`. Later events are
added like events of a session, with weights that fade by age.
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

MAX_EVENTS = 200
"""Number of newest events of a user in a request; older ones count after the next build."""


class UserRequests:
    """Builder of requests from live events and choices."""

    def __init__(self, events: EventStore, weights: EventSettings, taste: TasteSettings, clock: Clock = now) -> None:
        self._events = events
        self._weights = weights
        self._taste = taste
        self._clock = clock

    def build(self, user_id: UserId, state: UserState, recommender: Recommender, options: Request) -> Request:
        """Return a user's request.

        Args:
            user_id: Id of the user.
            state: State of the user in the live data.
            recommender: Recommender that will answer.
            options: Request without a user, with limit, filters and other options.

        Raises:
            StorageError: The events cannot be read.
        """
        built = recommender.bundle.events_through
        # After a reset the taste rests only on later events, even if the bundle already contains them.
        taste_from = built if state.reset_seq is None else state.reset_seq
        after = min(built, taste_from)
        events = self._events.user_events(user_id, after, MAX_EVENTS) if state.last_event > after else []
        if taste_from > built and not options.filters.seen:
            # Events between the build and the reset do not count, but their items are excluded as interacted.
            interacted = {event.item_id for event in events if event.seq <= taste_from}
            options = replace(options, filters=replace(options.filters, exclude=options.filters.exclude | interacted))
        return replace(
            options,
            user_id=None if state.erased else user_id,
            items=self.weights([event for event in events if event.seq > taste_from], recommender.catalog.has_item),
            styles=tuple(style for style in state.styles if recommender.styles.may_restyle(style)),
            ignore_style_history=state.reset_seq is not None,
        )

    def weights(self, events: Sequence[StoredEvent], known: Callable[[ItemId], bool]) -> dict[ItemId, float]:
        """Return the summed weights of events by item, faded by age, without items whose weights cancel out."""
        today, half_life = self._clock(), self._taste.half_life_days * SECONDS_PER_DAY
        weights: defaultdict[ItemId, float] = defaultdict(float)
        for event in events:
            if known(event.item_id):
                faded = 0.5 ** (max(0, today - event.timestamp) / half_life)
                weights[event.item_id] += self._weights.weight(event.event) * faded
        return {item_id: weight for item_id, weight in weights.items() if weight != 0}
