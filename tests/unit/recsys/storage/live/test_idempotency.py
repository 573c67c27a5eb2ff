"""Idempotency keys: one request is done once, whoever sends it how often, and a dead one can be done again."""

from __future__ import annotations

import hashlib
import threading

from recsys.storage.database import Database
from recsys.storage.live.idempotency import (
    ABANDONED_S,
    BeginResult,
    IdempotencyStore,
    InProgress,
    Mismatch,
    NewRequest,
    Stored,
)

KEY, OTHER, SAID, ELSE = (hashlib.sha256(text).digest() for text in (b"key", b"other", b"said", b"else"))


def test_an_answer_is_given_again(database: Database) -> None:
    store = IdempotencyStore(database)
    assert store.begin(KEY, SAID, "u1", 100) == NewRequest()
    assert store.begin(KEY, SAID, "u1", 101) == InProgress()
    store.finish(KEY, Stored(202, "application/json", b"\x00{}"))
    for _ in range(2):
        assert store.begin(KEY, SAID, "u1", 102) == Stored(202, "application/json", b"\x00{}")
    assert store.begin(OTHER, SAID, None, 102) == NewRequest()


def test_a_key_used_for_another_request_is_told(database: Database) -> None:
    store = IdempotencyStore(database)
    store.begin(KEY, SAID, None, 100)
    assert store.begin(KEY, ELSE, None, 100) == Mismatch()
    store.finish(KEY, Stored(200, "text/plain", b""))
    assert store.begin(KEY, ELSE, None, 100) == Mismatch()
    assert store.begin(KEY, SAID, None, 100) == Stored(200, "text/plain", b"")


def test_a_failed_request_can_be_tried_again(database: Database) -> None:
    store = IdempotencyStore(database)
    store.begin(KEY, SAID, None, 100)
    store.discard(KEY)
    assert store.begin(KEY, ELSE, None, 101) == NewRequest()
    store.finish(KEY, Stored(200, "text/plain", b"done"))
    store.discard(KEY)
    assert store.begin(KEY, ELSE, None, 102) == Stored(200, "text/plain", b"done")


def test_a_request_that_died_is_abandoned_after_a_minute(database: Database) -> None:
    store = IdempotencyStore(database)
    store.begin(KEY, SAID, None, 100)
    assert store.begin(KEY, SAID, None, 100 + ABANDONED_S) == InProgress()
    assert store.begin(KEY, SAID, None, 101 + ABANDONED_S) == NewRequest()
    assert store.begin(KEY, SAID, None, 102 + ABANDONED_S) == InProgress()
    store.finish(KEY, Stored(200, "text/plain", b"second"))
    store.finish(KEY, Stored(200, "text/plain", b"first, late"))
    assert store.begin(KEY, SAID, None, 500) == Stored(200, "text/plain", b"second")


def test_of_many_at_once_one_is_fresh(database: Database) -> None:
    store, told = IdempotencyStore(database), list[BeginResult]()
    threads = [threading.Thread(target=lambda: told.append(store.begin(KEY, SAID, None, 100))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count(NewRequest()) == 1
    assert told.count(InProgress()) == 5


def test_what_is_old_is_pruned(database: Database) -> None:
    store = IdempotencyStore(database)
    store.begin(KEY, SAID, None, 100)
    store.begin(OTHER, SAID, None, 200)
    assert store.prune(200) == 1
    assert store.begin(KEY, SAID, None, 201) == NewRequest()
    assert store.begin(OTHER, SAID, None, 201) == InProgress()
