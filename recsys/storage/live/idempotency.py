"""Answers kept by Idempotency-Key, so that a request that is sent again is answered, not done, again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update

from recsys.storage.database import Database
from recsys.storage.tables import IDEMPOTENCY
from recsys.storage.upsert import upsert

ABANDONED_S = 60
"""A request still at work after so many seconds died with its process."""
_AT_WORK = 0


@dataclass(frozen=True, slots=True)
class Fresh:
    """The request is new, or its first try was abandoned: do it, then `finish` or `forget`."""


@dataclass(frozen=True, slots=True)
class InProgress:
    """The same request is at work now."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key was used for another request."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer that the request got."""

    status: int
    media_type: str
    body: bytes


Begun = Fresh | Stored | InProgress | Mismatch


class IdempotencyStore:
    """The table IDEMPOTENCY. `key`: SHA-256 of who asked and the Idempotency-Key; times: seconds since 1970 UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, key: bytes, fingerprint: bytes, user_id: str | None, now: int) -> Begun:
        """What to do with a request, whose SHA-256 is `fingerprint`; of several at once, one is told that it is fresh.

        `user_id`: whose data the answer may hold, so that erasure finds it.
        """
        with self._database.writing() as connection:
            found = connection.execute(select(IDEMPOTENCY).where(IDEMPOTENCY.c.key == key)).one_or_none()
            if found is not None:
                if bytes(found.fingerprint) != fingerprint:
                    return Mismatch()
                if found.status != _AT_WORK:
                    return Stored(found.status, found.media_type, bytes(found.body))
                if now - found.created_at <= ABANDONED_S:
                    return InProgress()
            row = {
                "key": key,
                "fingerprint": fingerprint,
                "status": _AT_WORK,
                "media_type": "",
                "body": b"",
                "user_id": user_id,
                "created_at": now,
            }
            upsert(connection, IDEMPOTENCY, [row])
        return Fresh()

    def finish(self, key: bytes, stored: Stored) -> None:
        """Keep the answer of a fresh request. Nothing is kept where another try was first, or the person erased."""
        answer = {"status": stored.status, "media_type": stored.media_type, "body": stored.body}
        with self._database.writing() as connection:
            connection.execute(
                update(IDEMPOTENCY).where(IDEMPOTENCY.c.key == key, IDEMPOTENCY.c.status == _AT_WORK).values(answer)
            )

    def forget(self, key: bytes) -> None:
        """Let a fresh request that failed be tried again."""
        with self._database.writing() as connection:
            connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.key == key, IDEMPOTENCY.c.status == _AT_WORK))

    def prune(self, before: int) -> int:
        """Remove what began before a time; returns how many answers went."""
        with self._database.writing() as connection:
            return connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.created_at < before)).rowcount
