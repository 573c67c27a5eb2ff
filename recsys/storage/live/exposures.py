"""Log of exposures: lists shown, with propensities. A thread writes them, so that requests never wait for it."""

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
"""Action of an item's image (target as `action`, strength, propensity and so on), or None for the original."""


class EncodedLists(NamedTuple):
    """Lists of an exposure as JSON, so that repeated answers are encoded only once."""

    items: str
    propensities: str
    pictures: str

    @classmethod
    def from_lists(
        cls, items: Sequence[ItemId], propensities: Sequence[float], pictures: Sequence[Picture]
    ) -> EncodedLists:
        """Encode the fields of an `Exposure`."""
        plain = [None if picture is None else dict(picture) for picture in pictures]
        return cls(json.dumps(items), json.dumps(propensities), json.dumps(plain))


@dataclass(frozen=True, slots=True)
class Exposure:
    """One list shown to a user; the lists have the same length and are in the order shown.

    Attributes:
        request_id: request that the list answers.
        user_id: user; None for a session without a user id.
        timestamp: seconds since 1970 UTC.
        model_version: version of the bundle.
        items: ids of the items.
        propensities: probability of each item at its position, in (0, 1].
        pictures: action of each item's image; None for the original.
        arms: experiment to arm, for experiments that could change the list and assigned the arm at random.
        session_id: visit; None if unknown.
        platform: place where the list was shown; None if unknown.
        category: the one category that was requested; None if there were none or several.
        arm_propensities: experiment to the probability of its arm, in (0, 1].
        encoded: the three lists as JSON, if the caller has them already.
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
    encoded: EncodedLists | None = field(default=None, compare=False, repr=False)


class ExposureLog:
    """Store of exposures with its own thread, which writes them within 0.1 s. Safe to share between threads.

    While the database fails, exposures wait; if more than `capacity` wait, the oldest are dropped. A kill loses the
    waiting ones. If a connection breaks during a commit, the same exposure may be stored twice.
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
        # Held while a batch is taken and stored, or returned; always acquired before `_changed`.
        self._storing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="exposures", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Return the number of exposures that are not stored yet, without those being written now."""
        return len(self._waiting)

    def append(self, exposure: Exposure) -> None:
        """Queue an exposure; never waits for the database. Raises ValueError after `close`."""
        with self._changed:
            if self._closing:
                raise ValueError("the exposure log is closed")
            self._waiting.append(exposure)
            self._drop_surplus()
            # The first exposure wakes the thread; waking it for each would take a fifth of a quick request.
            if len(self._waiting) == 1:
                self._changed.notify_all()

    def flush(self) -> bool:
        """Store all waiting exposures now; return False if the database fails, so that they still wait."""
        while self._waiting:
            if not self._store_batch():
                return False
        # A batch that the thread has taken is neither waiting nor stored.
        with self._storing:
            return not self._waiting

    def close(self) -> None:
        """Store all waiting exposures and end the thread. If the database fails, they are dropped and counted."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        if not self.flush():
            self.dropped += len(self._waiting)
            logger.warning("%d exposures are lost: the database did not store them", len(self._waiting))
            self._waiting.clear()

    def erase(self, user_id: UserId) -> int:
        """Delete all exposures of a user, also waiting ones of this process; return their number.

        Other processes may have waiting ones too, for at most `every_s` while the database works.
        """
        with self._storing:
            with self._changed:
                others = [exposure for exposure in self._waiting if exposure.user_id != user_id]
                erased = len(self._waiting) - len(others)
                self._waiting = deque(others)
            with self.database.writing() as connection:
                return erased + connection.execute(delete(EXPOSURES).where(EXPOSURES.c.user_id == user_id)).rowcount

    def request_exposures(self, request_id: str) -> list[Exposure]:
        """Return the stored exposures of a request, oldest first."""
        query = select(EXPOSURES).where(EXPOSURES.c.request_id == request_id).order_by(EXPOSURES.c.seq)
        with self.database.reading() as connection:
            rows = [_decode(dict(row)) for row in connection.execute(query).mappings()]
        return [
            Exposure(**{**row, **{name: tuple(row[name]) for name in ("items", "propensities", "pictures")}})
            for row in rows
            if row.pop("seq")
        ]

    def frames(self, after: int = 0, through: int | None = None, rows: int = 10_000) -> Iterator[pd.DataFrame]:
        """Yield exposures with `after` < `seq` <= `through` (default: all), by `seq`, at most `rows` in each frame.

        Columns are `seq` and the fields of `Exposure`; `items`, `propensities` and `pictures` are lists, `arms` and
        `arm_propensities` dicts.
        """
        return exposure_frames(self.database, after, through, rows)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                # Exposures that arrive during this wait join the batch.
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
                self._return_batch(batch, error)
                return False
            if self._failing:
                self._failing = False
                logger.info("exposures are stored again")
            self.written += len(batch)
            return True

    def _store(self, batch: Sequence[Exposure]) -> None:
        if batch:
            with self.database.writing() as connection:
                # Without SQLAlchemy, whose part of a row takes longer than the database's.
                query = _INSERT if self.database.is_sqlite else _INSERT.replace("?", "%s")
                connection.exec_driver_sql(query, [_encode(exposure) for exposure in batch])

    def _return_batch(self, batch: Sequence[Exposure], error: StorageError) -> None:
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
    """Yield frames as `ExposureLog.frames` does, for callers who only read."""
    while True:
        query = select(EXPOSURES).where(EXPOSURES.c.seq > after).order_by(EXPOSURES.c.seq).limit(rows)
        if through is not None:
            query = query.where(EXPOSURES.c.seq <= through)
        with database.reading(whole_log=True) as connection:
            batch = [_decode(dict(row)) for row in connection.execute(query).mappings()]
        if not batch:
            return
        after = batch[-1]["seq"]
        yield pd.DataFrame(batch)


def _encode(exposure: Exposure) -> tuple[object, ...]:
    lists = exposure.encoded or EncodedLists.from_lists(exposure.items, exposure.propensities, exposure.pictures)
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


def _decode(row: dict[str, Any]) -> dict[str, Any]:
    propensities = json.loads(row["arm_propensities"] or "{}")
    return row | {name: json.loads(row[name]) for name in _LISTS} | {"arm_propensities": propensities}
