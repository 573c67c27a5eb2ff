"""API keys: created here, shown once, and stored as hashes."""

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
"""Prefix that lets people and secret scanners recognize a key."""
_KEY_BYTES = 32
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class StoredKey:
    """Stored data of a key.

    Attributes:
        name: name.
        hash: SHA-256 of the key's text, 32 bytes.
        scopes: permissions.
        created_at: seconds since 1970 UTC.
        revoked_at: seconds since 1970 UTC; None while the key is active.
    """

    name: str
    hash: bytes
    scopes: frozenset[Scope]
    created_at: int
    revoked_at: int | None = None


class KeyStore:
    """Store of the table API_KEYS. Revoked keys stay, so that a name never means two keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, scopes: Collection[Scope], created_at: int) -> str:
        """Create a key of 256 random bits and return its text, which is stored nowhere.

        Raises RequestError if the name is taken or not 1 to 64 printable characters, or without a scope.
        """
        if not (0 < len(name) <= _LONGEST_NAME and name.isprintable() and name.strip()):
            raise RequestError("name", f"{name!r}: use 1 to {_LONGEST_NAME} visible characters")
        if not scopes:
            raise RequestError("scopes", f"a key without a scope allows nothing; give some of {', '.join(Scope)}")
        key = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
        row = {
            "name": name,
            "hash": key_hash(key),
            "scopes": " ".join(scope for scope in Scope if scope in scopes),
            "created_at": created_at,
        }
        with self._database.writing() as connection:
            if not insert_new(connection, API_KEYS, "name", [row])[0]:
                raise RequestError("name", f"a key {name!r} exists, or was revoked: choose another name")
        return key

    def active(self) -> tuple[StoredKey, ...]:
        """Return the keys that are not revoked, by name."""
        return tuple(key for key in self.all() if key.revoked_at is None)

    def all(self) -> tuple[StoredKey, ...]:
        """Return all keys, also revoked ones, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(API_KEYS).order_by(API_KEYS.c.name)).all()
        return tuple(
            StoredKey(r.name, bytes(r.hash), frozenset(map(Scope, r.scopes.split())), r.created_at, r.revoked_at)
            for r in rows
        )

    def revoke(self, name: str, revoked_at: int) -> None:
        """Revoke a key; the time of an earlier revocation stays. Raises RequestError for an unknown name."""
        first = func.coalesce(API_KEYS.c.revoked_at, revoked_at)
        with self._database.writing() as connection:
            result = connection.execute(update(API_KEYS).where(API_KEYS.c.name == name).values(revoked_at=first))
            if not result.rowcount:
                raise RequestError("name", f"no key is called {name!r}; `recsys key list` shows all names")


def key_hash(key: str) -> bytes:
    """Return the SHA-256 of a key's text, 32 bytes: enough for keys of 256 random bits, which cannot be guessed."""
    return hashlib.sha256(key.encode(errors="replace")).digest()
