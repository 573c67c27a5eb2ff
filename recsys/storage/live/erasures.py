"""Who asked to be forgotten: their rows go at once, a tombstone stays until tables and bundles on disk are clean."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from sqlalchemy import delete, select

from recsys.storage.database import Database
from recsys.storage.tables import ERASURES, EVENTS, EXPOSURES, FEEDBACK, IDEMPOTENCY, RENDERS, TASTES
from recsys.storage.upsert import upsert

OF_PEOPLE = (EVENTS, TASTES, FEEDBACK, EXPOSURES, RENDERS, IDEMPOTENCY)
"""The tables that have a column `user_id`."""


def user_hash(user_id: str) -> bytes:
    """The SHA-256 of a person's id, 32 bytes: a tombstone that does not spell the id."""
    return hashlib.sha256(user_id.encode(errors="surrogatepass")).digest()


class Erasures:
    """The table ERASURES, and the removal of one person's rows from all others."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def erase(self, user_id: str, created_at: int) -> Mapping[str, int]:
        """In one transaction, remove a person's rows everywhere and set the tombstone; returns rows by table."""
        with self._database.writing() as connection:
            counts = {
                table.name: connection.execute(delete(table).where(table.c.user_id == user_id)).rowcount
                for table in OF_PEOPLE
            }
            upsert(connection, ERASURES, [{"user_hash": user_hash(user_id), "created_at": created_at}])
        return counts

    def hashes(self) -> frozenset[bytes]:
        """The hashes of the people who are still to be taken out of tables and bundles on disk."""
        with self._database.reading() as connection:
            return frozenset(map(bytes, connection.execute(select(ERASURES.c.user_hash)).scalars()))

    def done(self, hashes: Collection[bytes]) -> None:
        """Remove tombstones."""
        with self._database.writing() as connection:
            connection.execute(delete(ERASURES).where(ERASURES.c.user_hash.in_(list(hashes))))
