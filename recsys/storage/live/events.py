"""Events of the running service: what people did, stored once and durable before it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sqlalchemy import delete, func, select

from recsys.config import EventSettings
from recsys.schema import EVENT, INTERACTION_COLUMNS, ITEM_ID, TIMESTAMP, USER_ID, WEIGHT, EventKind, ItemId, UserId
from recsys.storage.database import Database
from recsys.storage.tables import EVENTS, EXPOSURES
from recsys.storage.writes import insert_new

_TOLD = ("event_id", "user_id", "item_id", "event", "timestamp", "amount", "dwell_s", "request_id", "position")
_FIELDS = (*_TOLD, "session_id")
_ANSWERED = select(func.min(EXPOSURES.c.session_id)).where(EXPOSURES.c.request_id == EVENTS.c.request_id)
_SESSION = func.coalesce(EVENTS.c.session_id, _ANSWERED.scalar_subquery()).label("session_id")
_LAST_OF_USER = "SELECT max(seq) FROM events WHERE user_id = ?"
_OF_USER = f"""
    SELECT seq, {", ".join(_FIELDS)} FROM events WHERE user_id = ? AND seq > ? ORDER BY seq DESC LIMIT ?
"""  # noqa: S608 - names alone


@dataclass(frozen=True, slots=True)
class Event:
    """What a person did with an item.

    `event_id` is the caller's, and the same whenever this event is sent again. `timestamp` in seconds since 1970 UTC.
    `amount`: what a purchase was worth; `dwell_s`: seconds of a view. `request_id` and `position` (from 1): the
    answer that it came from, and the place in it. `session_id`: the visit that it was part of.
    """

    event_id: str
    user_id: UserId
    item_id: ItemId
    event: EventKind
    timestamp: int
    amount: float | None = None
    dwell_s: float | None = None
    request_id: str | None = None
    position: int | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent(Event):
    """An event and its number: they count upwards in the order in which events became visible."""

    seq: int = field(kw_only=True)


class EventStore:
    """Events in a database. Safe to share between threads; all methods raise like `Database`'s blocks."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def append(self, events: Sequence[Event], received_at: int) -> list[bool]:
        """Store the events that are new, all or none; when this returns they are on the disk.

        Returns for each whether it was accepted; False: an event of this id was stored before, or is earlier in
        `events`. `received_at` in seconds since 1970 UTC.
        """
        rows = [{**{name: getattr(event, name) for name in _FIELDS}, "received_at": received_at} for event in events]
        if not rows:
            return []
        for row in rows:
            row["event"] = str(row["event"])
        with self.database.writing() as connection:
            return insert_new(connection, EVENTS, "event_id", rows)

    def of_user(self, user_id: UserId, after: int = 0, limit: int = 1_000) -> list[StoredEvent]:
        """The latest `limit` events of a person with numbers above `after`, the newest last."""
        rows = self.database.rows(_OF_USER, (user_id, after, limit))
        return [
            StoredEvent(event_id, UserId(user), ItemId(item), EventKind(kind), *rest, seq=seq)
            for seq, event_id, user, item, kind, *rest in reversed(rows)
        ]

    def last_of_user(self, user_id: UserId) -> int:
        """The number of a person's newest event; 0 without any."""
        return int(self.database.rows(_LAST_OF_USER, (user_id,))[0][0] or 0)

    def last_seq(self) -> int:
        """The number of the newest event; 0 without any."""
        with self.database.reading() as connection:
            return int(connection.execute(select(func.max(EVENTS.c.seq))).scalar() or 0)

    def frame(self, weights: EventSettings, through: int | None = None) -> pd.DataFrame:
        """Events up to the number `through` (default: all), with `recsys.schema.INTERACTION_COLUMNS` and their order.

        Since numbers are visible in their order, the same `through` gives the same events, erased ones apart.
        """
        columns = (EVENTS.c.user_id, EVENTS.c.item_id, EVENTS.c.event, EVENTS.c.timestamp)
        query = select(*columns)
        if through is not None:
            query = query.where(EVENTS.c.seq <= through)
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
        frame = pd.DataFrame.from_records(rows, columns=[column.name for column in columns])
        frame = frame.astype({USER_ID: "str", ITEM_ID: "str", EVENT: "str", TIMESTAMP: np.int64})
        frame[WEIGHT] = frame[EVENT].map({kind.value: weights.weight(kind) for kind in EventKind}).astype(np.float32)
        # Servers order text each in a way of its own.
        return frame[list(INTERACTION_COLUMNS)].sort_values([TIMESTAMP, USER_ID, ITEM_ID, EVENT], ignore_index=True)

    def frames(self, after: int = 0, through: int | None = None, rows: int = 100_000) -> Iterator[pd.DataFrame]:
        """Events with `after` < `seq` <= `through` (default: all), by `seq`, at most `rows` in each frame.

        Columns `seq` and the fields of `Event`; `session_id` is that of the answer which an event names, where the
        event does not tell it.
        """
        columns = (EVENTS.c.seq, *(EVENTS.c[name] for name in _TOLD), _SESSION)
        while True:
            query = select(*columns).where(EVENTS.c.seq > after).order_by(EVENTS.c.seq).limit(rows)
            if through is not None:
                query = query.where(EVENTS.c.seq <= through)
            with self.database.reading() as connection:
                found = connection.execute(query).all()
            if not found:
                return
            after = found[-1][0]
            yield pd.DataFrame.from_records(found, columns=[column.name for column in columns])

    def erase(self, user_id: UserId) -> int:
        """Delete all events of a person; returns how many there were."""
        with self.database.writing() as connection:
            return connection.execute(delete(EVENTS).where(EVENTS.c.user_id == user_id)).rowcount
