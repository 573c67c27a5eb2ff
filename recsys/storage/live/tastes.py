"""Tastes that users chose, and the event from which their history counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from recsys.storage.database import Database
from recsys.storage.tables import TASTES
from recsys.storage.writes import upsert

# This query runs in each request; built once, SQLAlchemy finds it compiled.
_OF_USER = select(TASTES.c.styles, TASTES.c.strength, TASTES.c.reset_seq).where(TASTES.c.user_id == bindparam("user"))


@dataclass(frozen=True, slots=True)
class ChosenTaste:
    """Taste that a user chose.

    Attributes:
        styles: ids of style references.
        strength: strength of restyling, in [0, 1]; None if not chosen.
        reset_seq: events up to this number do not count for the taste; None if all do.
    """

    styles: tuple[str, ...] = ()
    strength: float | None = None
    reset_seq: int | None = None


NO_TASTE = ChosenTaste()


class TasteStore:
    """Store of the table TASTES: one row per user who chose or reset a taste."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, user_id: str) -> ChosenTaste:
        """Return the taste that a user chose; an empty one if there is none."""
        with self._database.reading() as connection:
            row = connection.execute(_OF_USER, {"user": user_id}).one_or_none()
        if row is None:
            return NO_TASTE
        return ChosenTaste(tuple(json.loads(row.styles)), row.strength, row.reset_seq)

    def put(self, user_id: str, styles: Sequence[str], strength: float | None, changed_at: int) -> ChosenTaste:
        """Replace the chosen taste; an earlier reset stays in force. `changed_at`: seconds since 1970 UTC."""
        return self._change(user_id, ChosenTaste(tuple(styles), strength), changed_at)

    def reset(self, user_id: str, events_through: int, changed_at: int) -> ChosenTaste:
        """Delete the chosen taste, and stop counting events up to this seq for it."""
        return self._change(user_id, ChosenTaste(reset_seq=events_through), changed_at)

    def _change(self, user_id: str, taste: ChosenTaste, changed_at: int) -> ChosenTaste:
        with self._database.writing() as connection:
            old = connection.execute(_OF_USER, {"user": user_id}).one_or_none()
            resets = [seq for seq in (taste.reset_seq, old and old.reset_seq) if seq is not None]
            new = ChosenTaste(taste.styles, taste.strength, max(resets, default=None))
            row = {
                "user_id": user_id,
                "styles": json.dumps(new.styles),
                "strength": new.strength,
                "reset_seq": new.reset_seq,
                "changed_at": changed_at,
            }
            upsert(connection, TASTES, [row])
        return new
