"""Idempotency-Key: a repeated request gets the answer of the first one and has no second effect."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable
from typing import assert_never

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.context import RequestContext, request_context_of
from recsys.api.middleware.bodies import read_body, replay_body
from recsys.api.problems.answers import ProblemResponse, storage_problem
from recsys.api.problems.types import (
    IDEMPOTENCY_IN_PROGRESS,
    IDEMPOTENCY_MISMATCH,
    INVALID_REQUEST,
    TOO_LARGE,
)
from recsys.api.route_table import IDEMPOTENT_METHODS
from recsys.errors import StorageError
from recsys.storage.live.idempotency import IdempotencyStore, InProgress, Mismatch, NewRequest, Stored

logger = logging.getLogger(__name__)

IDEMPOTENCY_KEY = b"idempotency-key"
REPLAYED = (b"idempotency-replayed", b"true")
_VALID_KEY = re.compile(rb"[\x21-\x7e]{1,255}")


class Idempotency:
    """ASGI middleware for POST, PUT and DELETE requests of known callers with an Idempotency-Key.

    Successful answers (2xx) with JSON or without a body are stored before they are sent. Requests that were rejected or
    failed changed nothing, so their key may be used again. Keys belong to the caller's API key, so callers do not see
    answers of others. `clock` returns seconds since 1970.
    """

    def __init__(self, app: ASGIApp, answers: IdempotencyStore, clock: Callable[[], float] = time.time) -> None:
        self.app = app
        self.answers = answers
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http" or scope["method"] not in IDEMPOTENT_METHODS:
            await self.app(scope, receive, send)
            return
        context = request_context_of(scope)
        key = context.headers.get(IDEMPOTENCY_KEY)
        if key is None or context.caller is None:
            await self.app(scope, receive, send)
        elif not _VALID_KEY.fullmatch(key):
            what = "Idempotency-Key: 1 to 255 visible ASCII characters."
            await ProblemResponse(INVALID_REQUEST, what)(scope, receive, send)
        else:
            await self._handle(scope, receive, send, _digest(context.caller.name.encode(), key), context)

    async def _handle(self, scope: Scope, receive: Receive, send: Send, key: bytes, context: RequestContext) -> None:
        try:
            body = await read_body(receive)
        except HTTPException as error:
            # Problem handlers run only around the routes.
            await ProblemResponse(TOO_LARGE, error.detail)(scope, receive, send)
            return
        if body is None:
            return
        fingerprint = _digest(scope["method"].encode(), context.path.encode(), scope["query_string"], body)
        try:
            state = await run_in_threadpool(self.answers.begin, key, fingerprint, context.user_id, int(self.clock()))
        except StorageError as error:
            # Problem handlers run only around the routes.
            await storage_problem(error)(scope, receive, send)
            return
        match state:
            case Mismatch():
                await ProblemResponse(IDEMPOTENCY_MISMATCH, "")(scope, receive, send)
            case InProgress():
                await ProblemResponse(IDEMPOTENCY_IN_PROGRESS, "", headers={"Retry-After": "1"})(scope, receive, send)
            case Stored():
                headers = [REPLAYED]
                if state.media_type:
                    headers.append((b"content-type", state.media_type.encode()))
                if state.status != 204:
                    headers.append((b"content-length", str(len(state.body)).encode()))
                await send({"type": "http.response.start", "status": state.status, "headers": headers})
                await send({"type": "http.response.body", "body": state.body})
            case NewRequest():
                await self._run(scope, replay_body(body, receive), send, key)
            case _:
                assert_never(state)

    async def _run(self, scope: Scope, receive: Receive, send: Send, key: bytes) -> None:
        held = _HeldAnswer()
        taken = True

        async def hold(message: Message) -> None:
            nonlocal taken
            if held.take(message):
                return
            if taken:
                # Before the answer is sent: the caller may use the key again as soon as it arrives.
                taken = False
                await self._forget(key)
            await send(message)

        try:
            await self.app(scope, receive, hold)
        except Exception:
            if taken:
                await self._forget(key)
            raise
        if held.start is None:
            if taken:
                await self._forget(key)
            return
        try:
            await run_in_threadpool(self.answers.finish, key, held.answer())
        except StorageError as error:
            # The request took effect, so its answer is sent.
            logger.error("an answer cannot be stored for its Idempotency-Key: %s", error)
            await self._forget(key)
        await send(held.start)
        await send({"type": "http.response.body", "body": held.body})

    async def _forget(self, key: bytes) -> None:
        try:
            await run_in_threadpool(self.answers.discard, key)
        except StorageError as error:
            logger.error("an Idempotency-Key cannot be released: %s", error)


class _HeldAnswer:
    """Answer that is held back until it is stored, if it is of a kind that is stored."""

    def __init__(self) -> None:
        self.start: Message | None = None
        self.body = b""

    def take(self, message: Message) -> bool:
        if message["type"] == "http.response.start":
            media_type = _media_type(message)
            if 200 <= message["status"] < 300 and (not media_type or media_type.startswith("application/json")):
                self.start = message
        elif message["type"] == "http.response.body" and self.start is not None:
            self.body += message.get("body", b"")
        return self.start is not None

    def answer(self) -> Stored:
        assert self.start is not None  # noqa: S101
        return Stored(self.start["status"], _media_type(self.start), self.body)


def _media_type(start: Message) -> str:
    return next((value.decode("latin-1") for name, value in start["headers"] if name.lower() == b"content-type"), "")


def _digest(*parts: bytes) -> bytes:
    """Return the SHA-256 of parts; each part is hashed first, so that their borders count."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
