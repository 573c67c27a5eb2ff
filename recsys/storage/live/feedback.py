"""Verdicts: whether people were satisfied with restyled pictures, with the propensity of what they were shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import pandas as pd
from sqlalchemy import Integer, cast, delete, func, select

from recsys.storage.database import Database
from recsys.storage.tables import FEEDBACK
from recsys.storage.writes import insert_new


@dataclass(frozen=True, slots=True)
class Rating:
    """One person's verdict on one restyled picture.

    `feedback_id` is the caller's own, once for each verdict. `arm` (the style's name) and `strength` in [0, 1] are what
    was shown; `propensity` in (0, 1] how probable that choice was. `timestamp`: seconds since 1970 UTC.
    """

    feedback_id: str
    user_id: str
    item_id: str
    arm: str
    strength: float
    propensity: float
    satisfied: bool
    request_id: str | None
    model_version: str
    timestamp: int


_COLUMNS = tuple(FEEDBACK.c[field.name] for field in fields(Rating))


class FeedbackStore:
    """The table FEEDBACK, to which verdicts are only ever added, but for erasure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, verdict: Rating) -> bool:
        """Keep a verdict: True if it was accepted, False for a duplicate of one with its `feedback_id`."""
        with self._database.writing() as connection:
            return insert_new(connection, FEEDBACK, "feedback_id", [asdict(verdict)])[0]

    def of_user(self, user_id: str) -> tuple[Rating, ...]:
        """A person's verdicts, in the order in which they came."""
        statement = select(*_COLUMNS).where(FEEDBACK.c.user_id == user_id).order_by(FEEDBACK.c.seq)
        with self._database.reading() as connection:
            return tuple(Rating(*row) for row in connection.execute(statement))

    def everybody(self) -> Mapping[tuple[str, float], tuple[int, int]]:
        """All people's verdicts on each (arm, strength): how many were satisfied, and how many there are.

        Reads the whole table: for something that is kept a while, not for every request.
        """
        satisfied = func.sum(cast(FEEDBACK.c.satisfied, Integer))
        statement = select(FEEDBACK.c.arm, FEEDBACK.c.strength, satisfied, func.count()).group_by(
            FEEDBACK.c.arm, FEEDBACK.c.strength
        )
        with self._database.reading() as connection:
            return {(arm, strength): (int(good), total) for arm, strength, good, total in connection.execute(statement)}

    def erase(self, user_id: str) -> int:
        """Remove a person's verdicts; returns how many went."""
        with self._database.writing() as connection:
            return connection.execute(delete(FEEDBACK).where(FEEDBACK.c.user_id == user_id)).rowcount

    def frame(self) -> pd.DataFrame:
        """All verdicts in their order, one column for each field of `Rating`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(*_COLUMNS).order_by(FEEDBACK.c.seq)).all()
        frame = pd.DataFrame.from_records(rows, columns=[column.name for column in _COLUMNS])
        return frame.astype({"strength": float, "propensity": float, "satisfied": bool, "timestamp": "int64"})
