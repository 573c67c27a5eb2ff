"""Events of the running service: each is stored once, and is durable before it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sqlalchemy import delete, func, select

from recsys.config import EventSettings
from recsys.schema import (
    EVENT,
    INTERACTION_COLUMNS,
    ITEM_ID,
    TIMESTAMP,
    USER_ID,
    WEIGHT,
    EventKind,
    ItemId,
    Undo,
    UserId,
)
from recsys.storage.database import Database
from recsys.storage.tables import EVENTS, EXPOSURES
from recsys.storage.writes import insert_new

_CALLER_FIELDS = ("event_id", "user_id", "item_id", "event", "timestamp", "amount", "dwell_s", "request_id", "position")
_FIELDS = (*_CALLER_FIELDS, "session_id")
_EXPOSURE_SESSION = select(func.min(EXPOSURES.c.session_id)).where(EXPOSURES.c.request_id == EVENTS.c.request_id)
_SESSION = func.coalesce(EVENTS.c.session_id, _EXPOSURE_SESSION.scalar_subquery()).label("session_id")
_UNDO = frozenset(Undo)
_LAST_OF_USER = "SELECT max(seq) FROM events WHERE user_id = ?"
_OF_USER = f"""
    SELECT seq, {", ".join(_FIELDS)} FROM events WHERE user_id = ? AND seq > ? ORDER BY seq DESC LIMIT ?
"""  # noqa: S608 - only names


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a user with an item.

    Attributes:
        event_id: chosen by the caller; the same when the event is sent again.
        user_id: user.
        item_id: item.
        event: kind of event, or an undo.
        timestamp: seconds since 1970 UTC.
        amount: value of a purchase.
        dwell_s: seconds of a view.
        request_id: request whose list the event came from.
        position: position of the item in that list, from 1.
        session_id: visit that the event belongs to.
    """

    event_id: str
    user_id: UserId
    item_id: ItemId
    event: EventKind | Undo
    timestamp: int
    amount: float | None = None
    dwell_s: float | None = None
    request_id: str | None = None
    position: int | None = None
    session_id: str | None = None


def parse_event(name: str) -> EventKind | Undo:
    """Return the event with this name. Raises ValueError if there is none."""
    return Undo(name) if name in _UNDO else EventKind(name)


@dataclass(frozen=True, slots=True)
class StoredEvent(Event):
    """Event with its number; numbers increase in the order in which events became visible."""

    seq: int = field(kw_only=True)


class EventStore:
    """Events in a database. Safe to share between threads; all methods raise like `Database`'s blocks."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def append(self, events: Sequence[Event], received_at: int) -> list[bool]:
        """Store new events, either all or none; when this returns, they are on the disk.

        Args:
            events: events to store.
            received_at: seconds since 1970 UTC.

        Returns:
            True for each event that was stored; False if an event with its id was stored before, or precedes it.
        """
        rows = [{**{name: getattr(event, name) for name in _FIELDS}, "received_at": received_at} for event in events]
        if not rows:
            return []
        for row in rows:
            row["event"] = str(row["event"])
        with self.database.writing() as connection:
            return insert_new(connection, EVENTS, "event_id", rows)

    def differences(self, events: Sequence[Event], received_at: int) -> list[tuple[str, ...]]:
        """Return for each event the fields in which it differs from the stored event with its id.

        A time equal to `received_at` was not given by the caller and does not count. No fields, if none is stored.
        """
        if not events:
            return []
        query = select(*(EVENTS.c[name] for name in _FIELDS)).where(
            EVENTS.c.event_id.in_({event.event_id for event in events})
        )
        with self.database.reading() as connection:
            stored = {row.event_id: row for row in connection.execute(query)}
        names = [name for name in _FIELDS if name != "event_id"]
        return [
            tuple(
                name
                for name in names
                if (row := stored.get(event.event_id)) is not None
                and getattr(row, name) != getattr(event, name)
                and not (name == TIMESTAMP and event.timestamp == received_at)
            )
            for event in events
        ]

    def user_events(self, user_id: UserId, after: int = 0, limit: int = 1_000) -> list[StoredEvent]:
        """Return the latest `limit` events of a user with numbers above `after`, the newest last."""
        rows = self.database.rows(_OF_USER, (user_id, after, limit))
        return [
            StoredEvent(event_id, UserId(user), ItemId(item), parse_event(kind), *rest, seq=seq)
            for seq, event_id, user, item, kind, *rest in reversed(rows)
        ]

    def last_user_seq(self, user_id: UserId) -> int:
        """Return the number of a user's newest event; 0 without any."""
        return int(self.database.rows(_LAST_OF_USER, (user_id,))[0][0] or 0)

    def last_seq(self) -> int:
        """Return the number of the newest event; 0 without any."""
        with self.database.reading() as connection:
            return int(connection.execute(select(func.max(EVENTS.c.seq))).scalar() or 0)

    def frame(self, weights: EventSettings, through: int | None = None) -> pd.DataFrame:
        """Return events up to the number `through` (default: all) in `recsys.schema.INTERACTION_COLUMNS`, by number.

        Numbers become visible in order, so the same `through` gives the same events, except for erased ones. The weight
        of an undo is NaN.
        """
        columns = (EVENTS.c.user_id, EVENTS.c.item_id, EVENTS.c.event, EVENTS.c.timestamp)
        query = select(*columns).order_by(EVENTS.c.seq)
        if through is not None:
            query = query.where(EVENTS.c.seq <= through)
        with self.database.reading(whole_log=True) as connection:
            rows = connection.execute(query).all()
        frame = pd.DataFrame.from_records(rows, columns=[column.name for column in columns])
        frame = frame.astype({USER_ID: "str", ITEM_ID: "str", EVENT: "str", TIMESTAMP: np.int64})
        frame[WEIGHT] = frame[EVENT].map({kind.value: weights.weight(kind) for kind in EventKind}).astype(np.float32)
        return frame[list(INTERACTION_COLUMNS)]

    def frames(self, after: int = 0, through: int | None = None, rows: int = 100_000) -> Iterator[pd.DataFrame]:
        """Yield events with `after` < `seq` <= `through` (default: all), by `seq`, at most `rows` in each frame.

        Columns are `seq` and the fields of `Event`. If an event has no `session_id`, it is that of the exposure with
        its `request_id`. Undo events are left out, because analyses count what was done.
        """
        columns = (EVENTS.c.seq, *(EVENTS.c[name] for name in _CALLER_FIELDS), _SESSION)
        while True:
            query = (
                select(*columns)
                .where(EVENTS.c.seq > after, EVENTS.c.event.in_(list(EventKind)))
                .order_by(EVENTS.c.seq)
                .limit(rows)
            )
            if through is not None:
                query = query.where(EVENTS.c.seq <= through)
            with self.database.reading(whole_log=True) as connection:
                batch = connection.execute(query).all()
            if not batch:
                return
            after = batch[-1][0]
            yield pd.DataFrame.from_records(batch, columns=[column.name for column in columns])

    def erase(self, user_id: UserId) -> int:
        """Delete all events of a user; return their number."""
        with self.database.writing() as connection:
            return connection.execute(delete(EVENTS).where(EVENTS.c.user_id == user_id)).rowcount
