"""Idempotency-Key: a request that is sent again gets the answer of the first one, and is not done again."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.exchange import Exchange, exchange_of
from recsys.api.problem_types import (
    IDEMPOTENCY_IN_PROGRESS,
    IDEMPOTENCY_MISMATCH,
    INVALID_REQUEST,
    TOO_LARGE,
)
from recsys.api.problems import ProblemResponse, storage_problem
from recsys.errors import StorageError
from recsys.storage.idempotency import IdempotencyStore, InProgress, Mismatch, Stored

logger = logging.getLogger(__name__)

IDEMPOTENCY_KEY = b"idempotency-key"
REPLAYED = (b"idempotency-replayed", b"true")
_METHODS = frozenset({"POST", "PUT", "DELETE"})
_VALID_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
_USER = "/v1/users/"
_OF_USERS = ("/taste", "/feedback")


class Begun(StrEnum):
    """What is known of a key when a request with it comes."""

    FRESH = "fresh"
    STORED = "stored"
    IN_PROGRESS = "in_progress"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer to give again."""

    status: int
    media_type: str
    body: bytes


class Answers(Protocol):
    """Where answers are kept. Called off the event loop; `key` and `fingerprint` are SHA-256."""

    def begin(self, key: bytes, fingerprint: bytes, user_id: str | None, now: int) -> tuple[Begun, StoredAnswer | None]:
        """Take the key if it is free; FRESH then. STORED comes with the answer."""

    def finish(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep the answer to the request that took the key."""

    def forget(self, key: bytes) -> None:
        """Free the key again: nothing was done."""


class StoredAnswers:
    """Answers in the database of live data."""

    def __init__(self, store: IdempotencyStore) -> None:
        self._store = store

    def begin(self, key: bytes, fingerprint: bytes, user_id: str | None, now: int) -> tuple[Begun, StoredAnswer | None]:
        """As `Answers` has it. Raises StorageError."""
        match self._store.begin(key, fingerprint, user_id, now):
            case Stored(status=status, media_type=media_type, body=body):
                return Begun.STORED, StoredAnswer(status, media_type, body)
            case InProgress():
                return Begun.IN_PROGRESS, None
            case Mismatch():
                return Begun.MISMATCH, None
            case _:
                return Begun.FRESH, None

    def finish(self, key: bytes, answer: StoredAnswer) -> None:
        """As `Answers` has it. Raises StorageError."""
        self._store.finish(key, answer.status, answer.media_type, answer.body)

    def forget(self, key: bytes) -> None:
        """As `Answers` has it. Raises StorageError."""
        self._store.forget(key)


class Idempotency:
    """ASGI middleware for POST, PUT and DELETE with an Idempotency-Key, by callers who may ask at all.

    What succeeded (2xx) with JSON or no body is kept before it is sent. What was refused or failed changed nothing, so
    the same key may be used again. Keys belong to the caller's API key: nobody sees another's answers.
    `clock` in seconds since 1970.
    """

    def __init__(self, app: ASGIApp, answers: Answers, clock: Callable[[], float] = time.time) -> None:
        self.app = app
        self.answers = answers
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _METHODS:
            await self.app(scope, receive, send)
            return
        exchange = exchange_of(scope)
        given = exchange.headers.get(IDEMPOTENCY_KEY)
        if given is None or exchange.caller is None:
            await self.app(scope, receive, send)
        elif not _VALID_KEY.fullmatch(given):
            what = "Idempotency-Key: 1 to 255 visible ASCII characters."
            await ProblemResponse(INVALID_REQUEST, what)(scope, receive, send)
        else:
            await self._once(scope, receive, send, _digest(exchange.caller.name.encode(), given), exchange)

    async def _once(self, scope: Scope, receive: Receive, send: Send, key: bytes, exchange: Exchange) -> None:
        try:
            body = await _body(receive)
        except HTTPException as error:
            # The routes are not reached, which turn this into a problem otherwise.
            await ProblemResponse(TOO_LARGE, error.detail)(scope, receive, send)
            return
        if body is None:
            return
        fingerprint = _digest(scope["method"].encode(), exchange.path.encode(), scope["query_string"], body)
        try:
            begun, stored = await run_in_threadpool(
                self.answers.begin, key, fingerprint, user_of(exchange.path), int(self.clock())
            )
        except StorageError as error:
            # The routes are not reached here either.
            await storage_problem(error)(scope, receive, send)
            return
        if begun is Begun.MISMATCH:
            await ProblemResponse(IDEMPOTENCY_MISMATCH, "")(scope, receive, send)
        elif begun is Begun.IN_PROGRESS:
            await ProblemResponse(IDEMPOTENCY_IN_PROGRESS, "", headers={"Retry-After": "1"})(scope, receive, send)
        elif stored is not None:
            await _replay(stored, send)
        else:
            await self._first(scope, _again(body, receive), send, key)

    async def _first(self, scope: Scope, receive: Receive, send: Send, key: bytes) -> None:
        kept = _Kept()

        async def keeping(message: Message) -> None:
            if not kept.takes(message):
                await send(message)

        try:
            await self.app(scope, receive, keeping)
        except Exception:
            await self._forget(key)
            raise
        if kept.start is None:
            await self._forget(key)
            return
        try:
            await run_in_threadpool(self.answers.finish, key, kept.answer())
        except StorageError as error:
            # What was asked is done, and has to be said.
            logger.error("an answer cannot be kept for its Idempotency-Key: %s", error)
            await self._forget(key)
        await send(kept.start)
        await send({"type": "http.response.body", "body": kept.body})

    async def _forget(self, key: bytes) -> None:
        try:
            await run_in_threadpool(self.answers.forget, key)
        except StorageError as error:
            logger.error("an Idempotency-Key stays taken: %s", error)


class _Kept:
    """An answer that is kept back until it is stored, if it is one that is stored at all."""

    def __init__(self) -> None:
        self.start: Message | None = None
        self.body = b""

    def takes(self, message: Message) -> bool:
        if message["type"] == "http.response.start":
            media_type = _media_type(message)
            if 200 <= message["status"] < 300 and (not media_type or media_type.startswith("application/json")):
                self.start = message
        elif message["type"] == "http.response.body" and self.start is not None:
            self.body += message.get("body", b"")
        return self.start is not None

    def answer(self) -> StoredAnswer:
        assert self.start is not None  # noqa: S101
        return StoredAnswer(self.start["status"], _media_type(self.start), self.body)


def user_of(path: str) -> str | None:
    """The user whose data the answer to a request for `path` may hold; None if it is nobody's in particular."""
    if not path.startswith(_USER):
        return None
    user_id = path.removeprefix(_USER)
    for ending in _OF_USERS:
        user_id = user_id.removesuffix(ending)
    return user_id or None


async def _replay(stored: StoredAnswer, send: Send) -> None:
    headers = [REPLAYED]
    if stored.media_type:
        headers.append((b"content-type", stored.media_type.encode()))
    if stored.status != 204:
        headers.append((b"content-length", str(len(stored.body)).encode()))
    await send({"type": "http.response.start", "status": stored.status, "headers": headers})
    await send({"type": "http.response.body", "body": stored.body})


async def _body(receive: Receive) -> bytes | None:
    """The whole body, which `BodyLimit` bounds; None if the caller went away."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read once more, and then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _media_type(start: Message) -> str:
    return next((value.decode("latin-1") for name, value in start["headers"] if name.lower() == b"content-type"), "")


def _digest(*parts: bytes) -> bytes:
    """SHA-256 over parts that cannot run into each other."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
