"""Erasure of users: their rows are deleted at once; a tombstone stays until tables and bundles on disk are clean."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import delete, select

from recsys.storage.database import Database
from recsys.storage.tables import ERASURES, EVENTS, EXPOSURES, FEEDBACK, IDEMPOTENCY, MERGES, RENDERS, TASTES
from recsys.storage.writes import upsert

USER_TABLES = (EVENTS, TASTES, FEEDBACK, EXPOSURES, RENDERS, IDEMPOTENCY)
"""Tables that have a column `user_id`."""


def user_hash(user_id: str) -> bytes:
    """Return the SHA-256 of a user id, 32 bytes: a tombstone without the id itself."""
    return hashlib.sha256(user_id.encode(errors="surrogatepass")).digest()


class ErasureStore:
    """Store of the table ERASURES; it also removes a user's rows from all other tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def erase(self, user_ids: Sequence[str], created_at: int) -> Mapping[str, int]:
        """Remove all ids of a user everywhere and set tombstones, in one transaction; return rows by table."""
        with self._database.writing() as connection:
            counts = {
                table.name: connection.execute(delete(table).where(table.c.user_id.in_(user_ids))).rowcount
                for table in USER_TABLES
            }
            connection.execute(delete(MERGES).where(MERGES.c.user_id.in_(user_ids) | MERGES.c.old_id.in_(user_ids)))
            rows = [{"user_hash": user_hash(user_id), "created_at": created_at} for user_id in user_ids]
            upsert(connection, ERASURES, rows)
        return counts

    def hashes(self) -> frozenset[bytes]:
        """Return the hashes of users whose data must still be removed from tables and bundles on disk."""
        with self._database.reading() as connection:
            return frozenset(map(bytes, connection.execute(select(ERASURES.c.user_hash)).scalars()))

    def clear(self, hashes: Collection[bytes]) -> None:
        """Remove tombstones."""
        with self._database.writing() as connection:
            connection.execute(delete(ERASURES).where(ERASURES.c.user_hash.in_(list(hashes))))
