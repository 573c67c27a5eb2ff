"""Answers stored by Idempotency-Key, so that a repeated request gets the first answer instead of running again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update

from recsys.storage.database import Database
from recsys.storage.tables import IDEMPOTENCY
from recsys.storage.writes import upsert

ABANDONED_S = 60
"""Seconds after which a request still in progress is taken to have died with its process."""
_IN_PROGRESS = 0


@dataclass(frozen=True, slots=True)
class NewRequest:
    """Request is new, or its first try was abandoned: run it, then call `finish` or `discard`."""


@dataclass(frozen=True, slots=True)
class InProgress:
    """Same request is in progress."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Key was used for another request."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Answer that the request got."""

    status: int
    media_type: str
    body: bytes


BeginResult = NewRequest | Stored | InProgress | Mismatch


class IdempotencyStore:
    """Store of the table IDEMPOTENCY.

    `key` is the SHA-256 of the caller and the Idempotency-Key; times are seconds since 1970 UTC.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, key: bytes, fingerprint: bytes, user_id: str | None, now: int) -> BeginResult:
        """Register a request; of several at once, exactly one is `NewRequest`.

        Args:
            key: key of the request.
            fingerprint: SHA-256 of the request itself.
            user_id: user whose data the answer may hold, so that erasure finds it.
            now: current time.
        """
        with self._database.writing() as connection:
            earlier = connection.execute(select(IDEMPOTENCY).where(IDEMPOTENCY.c.key == key)).one_or_none()
            if earlier is not None:
                if bytes(earlier.fingerprint) != fingerprint:
                    return Mismatch()
                if earlier.status != _IN_PROGRESS:
                    return Stored(earlier.status, earlier.media_type, bytes(earlier.body))
                if now - earlier.created_at <= ABANDONED_S:
                    return InProgress()
            row = {
                "key": key,
                "fingerprint": fingerprint,
                "status": _IN_PROGRESS,
                "media_type": "",
                "body": b"",
                "user_id": user_id,
                "created_at": now,
            }
            upsert(connection, IDEMPOTENCY, [row])
        return NewRequest()

    def finish(self, key: bytes, stored: Stored) -> None:
        """Store the answer of a new request, unless another try was first or the user was erased."""
        answer = {"status": stored.status, "media_type": stored.media_type, "body": stored.body}
        with self._database.writing() as connection:
            connection.execute(
                update(IDEMPOTENCY).where(IDEMPOTENCY.c.key == key, IDEMPOTENCY.c.status == _IN_PROGRESS).values(answer)
            )

    def discard(self, key: bytes) -> None:
        """Remove a new request that failed, so that it can be tried again."""
        with self._database.writing() as connection:
            connection.execute(
                delete(IDEMPOTENCY).where(IDEMPOTENCY.c.key == key, IDEMPOTENCY.c.status == _IN_PROGRESS)
            )

    def prune(self, before: int) -> int:
        """Delete requests that began before a time; return their number."""
        with self._database.writing() as connection:
            return connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.created_at < before)).rowcount
