"""Ratings of restyled images: satisfied or not, with the action shown and its propensity."""

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
    """One user's rating of one restyled image.

    Attributes:
        feedback_id: chosen by the caller, unique for each rating.
        user_id: user.
        item_id: item of the image.
        action: target of the action that was shown.
        strength: strength of that action, in [0, 1].
        propensity: probability of that action, in (0, 1].
        satisfied: the rating.
        request_id: request whose list had the image.
        model_version: version of the bundle.
        timestamp: seconds since 1970 UTC.
    """

    feedback_id: str
    user_id: str
    item_id: str
    action: str
    strength: float
    propensity: float
    satisfied: bool
    request_id: str | None
    model_version: str
    timestamp: int


_COLUMNS = tuple(FEEDBACK.c[field.name] for field in fields(Rating))


class FeedbackStore:
    """Store of the table FEEDBACK: ratings are only added, except for erasure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, rating: Rating) -> bool:
        """Store a rating; return False if there is one with its `feedback_id`."""
        with self._database.writing() as connection:
            return insert_new(connection, FEEDBACK, "feedback_id", [asdict(rating)])[0]

    def user_ratings(self, user_id: str) -> tuple[Rating, ...]:
        """Return a user's ratings, in the order in which they came."""
        statement = select(*_COLUMNS).where(FEEDBACK.c.user_id == user_id).order_by(FEEDBACK.c.seq)
        with self._database.reading() as connection:
            return tuple(Rating(*row) for row in connection.execute(statement))

    def counts(self) -> Mapping[tuple[str, float], tuple[int, int]]:
        """Count all users' ratings of each (action, strength): satisfied ones, and all.

        Reads the whole table: cache the result instead of calling this for every request.
        """
        satisfied = func.sum(cast(FEEDBACK.c.satisfied, Integer))
        statement = select(FEEDBACK.c.action, FEEDBACK.c.strength, satisfied, func.count()).group_by(
            FEEDBACK.c.action, FEEDBACK.c.strength
        )
        with self._database.reading() as connection:
            return {
                (action, strength): (int(good), total)
                for action, strength, good, total in connection.execute(statement)
            }

    def erase(self, user_id: str) -> int:
        """Delete a user's ratings; return their number."""
        with self._database.writing() as connection:
            return connection.execute(delete(FEEDBACK).where(FEEDBACK.c.user_id == user_id)).rowcount

    def frame(self) -> pd.DataFrame:
        """Return all ratings in order, one column for each field of `Rating`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(*_COLUMNS).order_by(FEEDBACK.c.seq)).all()
        frame = pd.DataFrame.from_records(rows, columns=[column.name for column in _COLUMNS])
        return frame.astype({"strength": float, "propensity": float, "satisfied": bool, "timestamp": "int64"})
