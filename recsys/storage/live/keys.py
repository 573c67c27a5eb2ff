"""API keys: made here, shown once, and kept as hashes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select, update

from recsys.errors import RequestError
from recsys.schema import Scope
from recsys.storage.database import Database
from recsys.storage.tables import API_KEYS
from recsys.storage.writes import insert_new

KEY_PREFIX = "rk_"
"""Tells people and secret scanners what the text is."""
_KEY_BYTES = 32
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is known of a key: its name, the SHA-256 of its text, what it may do, and when (seconds since 1970 UTC)
    it was made and revoked (None: it is active)."""

    name: str
    hash: bytes
    scopes: frozenset[Scope]
    created_at: int
    revoked_at: int | None = None


class KeyStore:
    """The table API_KEYS. A revoked key stays, so that its name keeps meaning one key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, scopes: Collection[Scope], created_at: int) -> str:
        """Make a key of 256 random bits; what is returned is kept nowhere.

        Raises RequestError for a name that is taken or has not 1 to 64 printable characters, or without a scope.
        """
        if not (0 < len(name) <= _LONGEST_NAME and name.isprintable() and name.strip()):
            raise RequestError("name", f"{name!r}: use 1 to {_LONGEST_NAME} visible characters")
        if not scopes:
            raise RequestError("scopes", f"a key without a scope may do nothing; give some of {', '.join(Scope)}")
        key = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        row = {
            "name": name,
            "hash": key_hash(key),
            "scopes": " ".join(scope for scope in Scope if scope in scopes),
            "created_at": created_at,
        }
        with self._database.writing() as connection:
            if not insert_new(connection, API_KEYS, "name", [row])[0]:
                raise RequestError("name", f"there is a key {name!r} already, or was: choose another name")
        return key

    def active(self) -> tuple[StoredKey, ...]:
        """The keys that are not revoked, by name."""
        return tuple(key for key in self.all() if key.revoked_at is None)

    def all(self) -> tuple[StoredKey, ...]:
        """All keys there ever were, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(API_KEYS).order_by(API_KEYS.c.name)).all()
        return tuple(
            StoredKey(r.name, bytes(r.hash), frozenset(map(Scope, r.scopes.split())), r.created_at, r.revoked_at)
            for r in rows
        )

    def revoke(self, name: str, revoked_at: int) -> None:
        """Make a key void for good; one that is revoked stays as it is. Raises RequestError for an unknown name."""
        first = func.coalesce(API_KEYS.c.revoked_at, revoked_at)
        with self._database.writing() as connection:
            found = connection.execute(update(API_KEYS).where(API_KEYS.c.name == name).values(revoked_at=first))
            if not found.rowcount:
                raise RequestError("name", f"no key is called {name!r}; `recsys key list` shows them")


def key_hash(key: str) -> bytes:
    """The SHA-256 of a key's text, 32 bytes: enough for keys of 256 random bits, which nobody can guess."""
    return hashlib.sha256(key.encode(errors="replace")).digest()
