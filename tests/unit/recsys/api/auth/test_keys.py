"""Keys: found by hash, from two places, and never open again by accident."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import pytest

from recsys.api.auth.keys import ANYBODY, Keyring
from recsys.schema import Scope


@dataclass(frozen=True)
class Key:
    name: str
    hash: bytes
    scopes: frozenset[Scope]


def stored(name: str, *scopes: Scope) -> Key:
    return Key(name, sha256(name.encode()).digest(), frozenset(scopes))


def test_without_keys_anybody_may_ask_but_not_run_the_service() -> None:
    ring = Keyring()
    assert ring.caller(None) is ring.caller(b"any") is ANYBODY
    assert Scope.ADMIN not in ANYBODY.scopes


def test_keys_of_both_places_have_their_names_and_scopes() -> None:
    ring = Keyring(["one", "two"], ["root"], lambda: [stored("shop", Scope.EVENTS)])
    found = {key: ring.caller(key.encode()) for key in ("one", "two", "root", "shop")}
    assert {key: caller.name for key, caller in found.items() if caller} == {
        "one": "environment-1",
        "two": "environment-2",
        "root": "environment-admin-1",
        "shop": "shop",
    }
    assert [caller.scopes for caller in found.values() if caller] == [
        {Scope.READ, Scope.EVENTS},
        {Scope.READ, Scope.EVENTS},
        set(Scope),
        {Scope.EVENTS},
    ]
    assert ring.caller(None) is ring.caller(b"") is ring.caller(b"three") is None


def test_the_database_cannot_take_from_a_key_of_the_environment() -> None:
    ring = Keyring((), ["root"], lambda: [stored("root", Scope.READ)])
    caller = ring.caller(b"root")
    assert caller is not None
    assert caller.scopes == set(Scope)


def test_revoking_the_last_key_does_not_open_the_service() -> None:
    keys = [stored("only", Scope.READ)]
    ring = Keyring(stored=lambda: keys)
    assert not ring.is_open
    keys.clear()
    ring.reload()
    assert ring.caller(b"only") is ring.caller(None) is None


def test_the_first_key_closes_the_service() -> None:
    keys: list[Key] = []
    ring = Keyring(stored=lambda: keys)
    assert ring.is_open
    keys.append(stored("first", Scope.READ))
    ring.reload()
    assert not ring.is_open
    assert ring.caller(None) is None


def test_a_database_that_fails_leaves_keys_valid_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    def failing() -> Iterable[Key]:
        nonlocal calls
        calls += 1
        if 1 < calls < 5:
            raise OSError("password of the database")
        return [stored("shop", Scope.READ)] if calls == 1 else []

    ring = Keyring(stored=failing)

    async def watched() -> None:
        task = asyncio.create_task(ring.watch(0.005))
        while calls < 4:
            await asyncio.sleep(0.005)
        assert ring.caller(b"shop") is not None
        while ring.caller(b"shop") is not None:
            await asyncio.sleep(0.005)
        task.cancel()

    with caplog.at_level(logging.ERROR):
        asyncio.run(asyncio.wait_for(watched(), 10))
    assert len(caplog.records) == 1
    assert "OSError" in caplog.text
    assert "password" not in caplog.text


def test_no_key_and_no_plain_hash_is_kept() -> None:
    ring = Keyring(["one"], ["root"])
    kept = repr(vars(ring))
    assert "'one'" not in kept
    assert repr(sha256(b"one").digest()) not in kept
