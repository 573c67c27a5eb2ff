"""What people chose as their taste, and from when on their events count for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from recsys.storage.database import Database
from recsys.storage.tables import TASTES
from recsys.storage.upsert import upsert

# Every request runs it: built once, so that SQLAlchemy finds it compiled.
_OF_USER = select(TASTES.c.styles, TASTES.c.strength, TASTES.c.reset_seq).where(TASTES.c.user_id == bindparam("user"))


@dataclass(frozen=True, slots=True)
class ChosenTaste:
    """Chosen `styles` (ids of style references), the `strength` of restyling in [0, 1] (None: not chosen), and the
    seq up to which events say nothing of the taste (None: all do)."""

    styles: tuple[str, ...] = ()
    strength: float | None = None
    reset_seq: int | None = None


NOTHING_CHOSEN = ChosenTaste()


class TasteStore:
    """The table TASTES: one row for each person who chose or reset a taste."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, user_id: str) -> ChosenTaste:
        """What a person chose; nothing where they never did."""
        with self._database.reading() as connection:
            row = connection.execute(_OF_USER, {"user": user_id}).one_or_none()
        if row is None:
            return NOTHING_CHOSEN
        return ChosenTaste(tuple(json.loads(row.styles)), row.strength, row.reset_seq)

    def put(self, user_id: str, styles: Sequence[str], strength: float | None, changed_at: int) -> ChosenTaste:
        """Replace what a person chose; a reset before stays in force. `changed_at`: seconds since 1970 UTC."""
        return self._change(user_id, ChosenTaste(tuple(styles), strength), changed_at)

    def reset(self, user_id: str, events_through: int, changed_at: int) -> ChosenTaste:
        """Forget what a person chose, and let events up to this seq no longer say anything of the taste."""
        return self._change(user_id, ChosenTaste(reset_seq=events_through), changed_at)

    def _change(self, user_id: str, taste: ChosenTaste, changed_at: int) -> ChosenTaste:
        with self._database.writing() as connection:
            found = connection.execute(_OF_USER, {"user": user_id}).one_or_none()
            resets = [seq for seq in (taste.reset_seq, found and found.reset_seq) if seq is not None]
            kept = ChosenTaste(taste.styles, taste.strength, max(resets, default=None))
            row = {
                "user_id": user_id,
                "styles": json.dumps(kept.styles),
                "strength": kept.strength,
                "reset_seq": kept.reset_seq,
                "changed_at": changed_at,
            }
            upsert(connection, TASTES, [row])
        return kept
