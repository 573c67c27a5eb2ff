"""Merged users: ids that stand for one person, such as a visitor's and, after the login, a user's.

Rows keep the ids under which they were written, so that exposures and experiments stay as they happened. Readers join
them: each old id leads to the one user id that remains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, insert, select, update

from recsys.errors import RequestError
from recsys.storage.database import Database
from recsys.storage.tables import MERGES
from recsys.storage.writes import upsert

_REMAINING = "SELECT user_id FROM merges WHERE old_id = ?"
_OLD = "SELECT old_id FROM merges WHERE user_id = ? ORDER BY old_id"


class MergeStore:
    """Store of the table MERGES. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def merge(self, user_id: str, old_ids: Sequence[str], merged_at: int) -> list[bool]:
        """Make old ids and all that were merged into them ids of a user, all or none.

        Args:
            user_id: id that remains, or one that was merged before: then the user that it belongs to.
            old_ids: ids of visitors.
            merged_at: seconds since 1970 UTC.

        Returns:
            True for each old id that is new; False if it was merged into this user before.

        Raises:
            RequestError: an old id is the user's own, or belongs to another user.
        """
        with self._database.writing() as connection:
            return [_merge_one(connection, user_id, old_id, merged_at) for old_id in old_ids]

    def adopt(self, aliases: Mapping[str, str], merged_at: int) -> int:
        """Store imported aliases, old id to user, and return the number of new ones; ids that are in use stay."""
        known = self.mapping()
        taken = known.keys() | known.values()
        rows = [
            {"old_id": old, "user_id": known.get(user, user), "merged_at": merged_at}
            for old, user in aliases.items()
            if old not in taken and known.get(user, user) != old
        ]
        if rows:
            with self._database.writing() as connection:
                upsert(connection, MERGES, rows)
        return len(rows)

    def ids(self, user_id: str) -> tuple[str, ...]:
        """Return all ids of a person, the one that remains first."""
        found = self._database.rows(_REMAINING, (user_id,))
        remaining = str(found[0][0]) if found else user_id
        return (remaining, *(str(old) for (old,) in self._database.rows(_OLD, (remaining,))))

    def mapping(self) -> Mapping[str, str]:
        """Return the user that remains for each old id."""
        with self._database.reading() as connection:
            rows = connection.execute(select(MERGES.c.old_id, MERGES.c.user_id)).all()
        return {row.old_id: row.user_id for row in rows}


def _merge_one(connection: Connection, user_id: str, old_id: str, merged_at: int) -> bool:
    user, owner = _remaining(connection, user_id), _remaining(connection, old_id)
    if user_id == old_id:
        raise RequestError("old_id", f"{old_id!r} is the user's own id; name the visitor's")
    if user == owner:
        return False
    if owner != old_id:
        raise RequestError(
            "old_id", f"{old_id!r} was merged into another user before; two users stay two, so merge neither"
        )
    # What was merged into the old id belongs to the user, too, so that one step leads to the user.
    connection.execute(update(MERGES).where(MERGES.c.user_id == old_id).values(user_id=user))
    connection.execute(insert(MERGES).values(old_id=old_id, user_id=user, merged_at=merged_at))
    return True


def _remaining(connection: Connection, user_id: str) -> str:
    found = connection.execute(select(MERGES.c.user_id).where(MERGES.c.old_id == user_id)).scalar()
    return user_id if found is None else str(found)
