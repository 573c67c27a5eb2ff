"""What was shown to whom, and how probable it was: written behind the requests, which never wait for it."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import delete, select

from recsys.errors import StorageError
from recsys.schema import ItemId, UserId
from recsys.storage.database import Database
from recsys.storage.tables import EXPOSURES

logger = logging.getLogger(__name__)

EVERY_S = 0.1
RETRY_S = 1.0
CAPACITY = 10_000
_BATCH = 1_000
_LISTS = ("items", "propensities", "pictures", "arms")
_INSERT = (
    "INSERT INTO exposures (request_id, user_id, timestamp, model_version, items, propensities, pictures, arms, "
    "arm_propensities, session_id, platform, category) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

Picture = Mapping[str, str | float] | None
"""What the picture of an item was (say, arm, strength and propensity), or None for the original."""


class Encoded(NamedTuple):
    """The lists of an exposure as JSON: for answers that are given again and again, written once."""

    items: str
    propensities: str
    pictures: str

    @classmethod
    def of(cls, items: Sequence[ItemId], propensities: Sequence[float], pictures: Sequence[Picture]) -> Encoded:
        """Of the fields of an `Exposure`."""
        plain = [None if picture is None else dict(picture) for picture in pictures]
        return cls(json.dumps(items), json.dumps(propensities), json.dumps(plain))


@dataclass(frozen=True, slots=True)
class Exposure:
    """One answer. `items`, `propensities` (in (0, 1]) and `pictures` are in the order shown and of one length.

    `user_id` is None for a session without an account; `timestamp` in seconds since 1970 UTC. `arms`: experiment to
    arm, where the treatment matters and chance assigned it, with `arm_propensities` in (0, 1]. `session_id`, `platform`
    and `category` (the one that was asked for) are None where unknown. `encoded`: the three lists as JSON, where
    somebody has them already.
    """

    request_id: str
    user_id: UserId | None
    timestamp: int
    model_version: str
    items: tuple[ItemId, ...]
    propensities: tuple[float, ...]
    pictures: tuple[Picture, ...]
    arms: Mapping[str, str]
    session_id: str | None = None
    platform: str | None = None
    category: str | None = None
    arm_propensities: Mapping[str, float] = field(default_factory=dict)
    encoded: Encoded | None = field(default=None, compare=False, repr=False)


class ExposureLog:
    """Exposures in a database, written by a thread of this log's own within 0.1 s. Safe to share between threads.

    While the database fails they wait, and the oldest are dropped when more than `capacity` do; a kill loses those
    that wait. Where a connection breaks during a commit the same exposure may be stored twice.
    """

    def __init__(self, database: Database, *, capacity: int = CAPACITY, every_s: float = EVERY_S) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.database = database
        self.capacity = capacity
        self.written = 0
        self.dropped = 0
        self._every_s = every_s
        self._failing = False
        self._closing = False
        self._waiting: deque[Exposure] = deque()
        self._changed = threading.Condition()
        # Held from taking a batch until it is stored or given back; taken before `_changed`.
        self._storing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="exposures", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many are not stored yet, but for those that are just being written."""
        return len(self._waiting)

    def append(self, exposure: Exposure) -> None:
        """Have it stored soon; never waits for the database. Raises ValueError after `close`."""
        with self._changed:
            if self._closing:
                raise ValueError("the exposure log is closed")
            self._waiting.append(exposure)
            self._drop_surplus()
            # The thread is awake once one waits; to wake it for each would take a fifth of a quick request.
            if len(self._waiting) == 1:
                self._changed.notify_all()

    def flush(self) -> bool:
        """Store all that wait, now; False where the database fails, and they wait on."""
        while self._waiting:
            if not self._store_batch():
                return False
        # A batch that the thread has taken is not waiting, and not stored yet.
        with self._storing:
            return not self._waiting

    def close(self) -> None:
        """Store all that wait and end the thread. What the database does not take now is dropped, and counted."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        if not self.flush():
            self.dropped += len(self._waiting)
            logger.warning("%d exposures are lost: the database did not take them", len(self._waiting))
            self._waiting.clear()

    def erase(self, user_id: UserId) -> int:
        """Delete all exposures of a person, also those that wait here; returns how many there were.

        Other processes have their own that wait, for `every_s` at most while the database works.
        """
        with self._storing:
            with self._changed:
                kept = [exposure for exposure in self._waiting if exposure.user_id != user_id]
                erased = len(self._waiting) - len(kept)
                self._waiting = deque(kept)
            with self.database.writing() as connection:
                return erased + connection.execute(delete(EXPOSURES).where(EXPOSURES.c.user_id == user_id)).rowcount

    def of_request(self, request_id: str) -> list[Exposure]:
        """What was shown in the answers to a request, stored ones alone, oldest first."""
        query = select(EXPOSURES).where(EXPOSURES.c.request_id == request_id).order_by(EXPOSURES.c.seq)
        with self.database.reading() as connection:
            rows = [_plain(dict(row)) for row in connection.execute(query).mappings()]
        return [
            Exposure(**{**row, **{name: tuple(row[name]) for name in ("items", "propensities", "pictures")}})
            for row in rows
            if row.pop("seq")
        ]

    def frames(self, after: int = 0, through: int | None = None, rows: int = 10_000) -> Iterator[pd.DataFrame]:
        """Exposures with `after` < `seq` <= `through` (default: all), by `seq`, at most `rows` in each frame.

        Columns `seq` and the fields of `Exposure`; `items`, `propensities` and `pictures` are lists, `arms` and
        `arm_propensities` dicts.
        """
        return exposure_frames(self.database, after, through, rows)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                # What comes in the meantime goes into the same batch.
                if self._changed.wait_for(lambda: self._closing, RETRY_S if self._failing else self._every_s):
                    return
            self._store_batch()

    def _store_batch(self) -> bool:
        with self._storing:
            with self._changed:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            try:
                self._store(batch)
            except StorageError as error:
                self._give_back(batch, error)
                return False
            if self._failing:
                self._failing = False
                logger.info("exposures are stored again")
            self.written += len(batch)
            return True

    def _store(self, batch: Sequence[Exposure]) -> None:
        if batch:
            with self.database.writing() as connection:
                # Past SQLAlchemy, whose part of a row takes longer than the database's.
                query = _INSERT if self.database.is_sqlite else _INSERT.replace("?", "%s")
                connection.exec_driver_sql(query, [_row(exposure) for exposure in batch])

    def _give_back(self, batch: Sequence[Exposure], error: StorageError) -> None:
        with self._changed:
            self._waiting.extendleft(reversed(batch))
            self._drop_surplus()
            self._changed.notify_all()
        if not self._failing:
            self._failing = True
            logger.warning("exposures are not stored, and wait: %s", error)

    def _drop_surplus(self) -> None:
        while len(self._waiting) > self.capacity:
            self._waiting.popleft()
            self.dropped += 1


def exposure_frames(
    database: Database, after: int = 0, through: int | None = None, rows: int = 10_000
) -> Iterator[pd.DataFrame]:
    """As `ExposureLog.frames`, for those who only read."""
    while True:
        query = select(EXPOSURES).where(EXPOSURES.c.seq > after).order_by(EXPOSURES.c.seq).limit(rows)
        if through is not None:
            query = query.where(EXPOSURES.c.seq <= through)
        with database.reading() as connection:
            found = [_plain(dict(row)) for row in connection.execute(query).mappings()]
        if not found:
            return
        after = found[-1]["seq"]
        yield pd.DataFrame(found)


def _row(exposure: Exposure) -> tuple[object, ...]:
    lists = exposure.encoded or Encoded.of(exposure.items, exposure.propensities, exposure.pictures)
    return (
        exposure.request_id,
        exposure.user_id,
        exposure.timestamp,
        exposure.model_version,
        *lists,
        json.dumps(dict(exposure.arms)) if exposure.arms else "{}",
        json.dumps(dict(exposure.arm_propensities)) if exposure.arm_propensities else None,
        exposure.session_id,
        exposure.platform,
        exposure.category,
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    propensities = json.loads(row["arm_propensities"] or "{}")
    return row | {name: json.loads(row[name]) for name in _LISTS} | {"arm_propensities": propensities}
