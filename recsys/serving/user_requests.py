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
from recsys.profiles.session import ItemState
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.schema import EventKind, ItemId, Undo, UserId
from recsys.storage.live.events import EventStore, StoredEvent
from recsys.storage.live.user_state import UserState, person_ids

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
        ids = person_ids(user_id, state)
        events = []
        if state.last_event > after:
            events = [event for one in ids for event in self._events.user_events(one, after, MAX_EVENTS)]
            events = sorted(events, key=lambda event: event.seq)[-MAX_EVENTS:]
        states = self.states(events, recommender.catalog.has_item, taste_from)
        return replace(
            options,
            user_id=None if state.erased else ids[0],
            merged=() if state.erased else ids[1:],
            items={item_id: one.weight for item_id, one in states.items() if one.weight != 0},
            states=states,
            styles=tuple(style for style in state.styles if recommender.styles.may_restyle(style)),
            ignore_style_history=state.reset_seq is not None,
        )

    def states(
        self, events: Sequence[StoredEvent], known: Callable[[ItemId], bool], taste_from: int = 0
    ) -> dict[ItemId, ItemState]:
        """Return the states of the known items of events.

        Weights fade by age. Events up to the number `taste_from` have no weight, but their items are seen or disliked.
        Of events with the same time, the one that arrived last is the latest.
        """
        today, half_life = self._clock(), self._taste.half_life_days * SECONDS_PER_DAY
        by_item: defaultdict[ItemId, list[tuple[EventKind | Undo, float]]] = defaultdict(list)
        for event in sorted(events, key=lambda event: (event.timestamp, event.seq)):
            if known(event.item_id):
                weight = 0.0
                if isinstance(event.event, EventKind) and event.seq > taste_from:
                    faded = 0.5 ** (max(0, today - event.timestamp) / half_life)
                    weight = self._weights.weight(event.event) * faded
                by_item[event.item_id].append((event.event, weight))
        return {item_id: ItemState.from_events(one) for item_id, one in by_item.items()}
