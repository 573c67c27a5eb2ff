"""API keys: random, shown once, stored as hashes, revoked for good."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from recsys.errors import RequestError
from recsys.schema import Scope
from recsys.storage.database import Database
from recsys.storage.live.keys import KEY_PREFIX, KeyStore, StoredKey, key_hash


def test_a_key_is_256_random_bits_and_only_its_hash_is_kept(database: Database) -> None:
    keys = KeyStore(database)
    first, second = keys.create("shop", [Scope.READ, Scope.EVENTS], 7), keys.create("ops", [Scope.ADMIN], 8)
    assert first != second
    assert first.startswith(KEY_PREFIX)
    assert len(base64.urlsafe_b64decode(first.removeprefix(KEY_PREFIX) + "=")) == 32
    assert keys.active() == (
        StoredKey("ops", key_hash(second), frozenset({Scope.ADMIN}), 8),
        StoredKey("shop", key_hash(first), frozenset({Scope.READ, Scope.EVENTS}), 7),
    )


def test_the_text_of_a_key_is_nowhere_in_the_file(database: Database) -> None:
    text = KeyStore(database).create("shop", list(Scope), 7)
    if database.is_sqlite:
        database.clear_log()
        assert text.encode() not in Path(str(database.engine.url.database)).read_bytes()


def test_a_revoked_key_is_void_and_keeps_its_name(database: Database) -> None:
    keys = KeyStore(database)
    keys.create("shop", [Scope.READ], 1)
    keys.revoke("shop", 5)
    keys.revoke("shop", 9)
    assert keys.active() == ()
    assert [key.revoked_at for key in keys.all()] == [5]
    with pytest.raises(RequestError, match="'shop'"):
        keys.create("shop", [Scope.READ], 10)
    with pytest.raises(RequestError, match="recsys key list"):
        keys.revoke("other", 10)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb"])
def test_names_that_cannot_be_shown_are_refused(database: Database, name: str) -> None:
    with pytest.raises(RequestError, match="visible"):
        KeyStore(database).create(name, [Scope.READ], 1)
    assert KeyStore(database).all() == ()


def test_a_key_that_may_do_nothing_is_refused(database: Database) -> None:
    with pytest.raises(RequestError, match="read, events, admin"):
        KeyStore(database).create("shop", [], 1)
