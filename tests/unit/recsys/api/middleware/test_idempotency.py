"""A request with an Idempotency-Key is done once, whatever happens to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from recsys.api.context import Caller, RequestContext, set_request_context
from recsys.api.middleware.idempotency import Idempotency
from recsys.api.model_source import FixedModel
from recsys.api.route_table import match_route
from recsys.storage.live.idempotency import BeginResult, InProgress, Mismatch, NewRequest, Stored

ALICE, BOB = Caller("alice", frozenset()), Caller("bob", frozenset())


@dataclass
class Memory:
    """The store's contract, in memory."""

    kept: dict[bytes, tuple[bytes, Stored | None]] = field(default_factory=dict)
    users: list[str | None] = field(default_factory=list)

    def begin(self, key: bytes, fingerprint: bytes, user_id: str | None, now: int) -> BeginResult:
        assert len(key) == len(fingerprint) == 32
        assert now == 1_700_000_000
        if key not in self.kept:
            self.kept[key] = fingerprint, None
            self.users.append(user_id)
            return NewRequest()
        known, answer = self.kept[key]
        if known != fingerprint:
            return Mismatch()
        return InProgress() if answer is None else answer

    def finish(self, key: bytes, answer: Stored) -> None:
        self.kept[key] = self.kept[key][0], answer

    def discard(self, key: bytes) -> None:
        del self.kept[key]


@dataclass
class Shop:
    """An application that counts what it does, and answers with what it got."""

    status: int = 201
    media_type: str = "application/json"
    done: int = 0
    wait: Callable[[], Awaitable[object]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.done += 1
        if self.wait is not None:
            await self.wait()
        if self.status == 0:
            raise RuntimeError
        body = (await receive())["body"]
        headers = [(b"content-type", self.media_type.encode())] if self.media_type else []
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"%d:" % self.done, "more_body": True})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Reply:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


async def ask(
    app: Idempotency,
    key: str | None = "k1",
    *,
    body: bytes = b"{}",
    method: str = "POST",
    path: str = "/v1/events",
    query: bytes = b"",
    caller: Caller | None = ALICE,
) -> Reply:
    headers = {} if key is None else {b"idempotency-key": key.encode("latin-1")}
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "query_string": query, "headers": []}
    route, user_id = match_route(method, path)
    model = FixedModel(None)  # type: ignore[arg-type]
    set_request_context(scope, RequestContext("r1", path, headers, model, caller, route, user_id))
    halves = [
        {"type": "http.request", "body": body[:1], "more_body": True},
        {"type": "http.request", "body": body[1:], "more_body": False},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return halves.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    return Reply(start["status"], dict(start["headers"]), b"".join(part.get("body", b"") for part in rest))


def app_of(shop: Shop, memory: Memory | None = None) -> Idempotency:
    return Idempotency(shop, memory or Memory(), lambda: 1_700_000_000.5)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_first_answer_comes_again_and_nothing_is_done_twice(method: str) -> None:
    shop = Shop()
    app = app_of(shop)
    first, second = (asyncio.run(ask(app, method=method)) for _ in range(2))
    assert (first.status, first.body) == (second.status, second.body) == (201, b"1:{}")
    assert b"idempotency-replayed" not in first.headers
    assert second.headers[b"idempotency-replayed"] == b"true"
    assert second.headers[b"content-type"] == b"application/json"
    assert shop.done == 1


def test_another_request_with_the_same_key_is_refused() -> None:
    shop = Shop()
    app = app_of(shop)
    asyncio.run(ask(app))
    for change in ({"body": b"{ }"}, {"method": "PUT"}, {"path": "/v1/items/a"}, {"query": b"x=1"}):
        reply = asyncio.run(ask(app, **change))  # type: ignore[arg-type]
        assert (reply.status, b"idempotency-mismatch" in reply.body) == (422, True)
    assert shop.done == 1


def test_keys_belong_to_callers() -> None:
    shop = Shop()
    app = app_of(shop)
    assert [asyncio.run(ask(app, caller=caller)).body for caller in (ALICE, BOB)] == [b"1:{}", b"2:{}"]


def test_while_the_first_is_at_work_the_second_is_told_so() -> None:
    async def both() -> tuple[Reply, Reply]:
        gate, shop = asyncio.Event(), Shop()
        shop.wait = gate.wait
        app = app_of(shop)
        first = asyncio.create_task(ask(app))
        while not shop.done:
            await asyncio.sleep(0.001)
        second = await ask(app)
        gate.set()
        return await first, second

    first, second = asyncio.run(both())
    assert first.status == 201
    assert (second.status, b"idempotency-in-progress" in second.body) == (409, True)
    assert second.headers[b"retry-after"] == b"1"


@pytest.mark.parametrize(("status", "media_type"), [(422, "application/problem+json"), (503, ""), (200, "image/png")])
def test_what_failed_or_is_no_json_is_not_kept(status: int, media_type: str) -> None:
    shop = Shop(status, media_type)
    memory = Memory()
    app = app_of(shop, memory)
    assert [asyncio.run(ask(app)).body for _ in range(2)] == [b"1:{}", b"2:{}"]
    assert memory.kept == {}


def test_an_error_inside_frees_the_key() -> None:
    shop = Shop(status=0)
    app = app_of(shop)
    with pytest.raises(RuntimeError):
        asyncio.run(ask(app))
    shop.status = 204
    shop.media_type = ""
    assert asyncio.run(ask(app)).status == 204
    again = asyncio.run(ask(app))
    assert (again.status, again.headers) == (204, {b"idempotency-replayed": b"true"})
    assert shop.done == 2


def test_without_a_key_a_caller_or_a_change_everything_passes() -> None:
    shop = Shop()
    memory = Memory()
    app = app_of(shop, memory)
    for _ in range(2):
        asyncio.run(ask(app, None))
        asyncio.run(ask(app, caller=None))
        asyncio.run(ask(app, method="GET"))
    assert shop.done == 6
    assert memory.kept == {}


@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "k" * 256, "a\tb"])
def test_a_strange_key_is_refused(key: str) -> None:
    shop = Shop()
    assert asyncio.run(ask(app_of(shop), key)).status == 422
    assert shop.done == 0


def test_the_store_is_told_whose_data_an_answer_may_hold() -> None:
    memory = Memory()
    app = app_of(Shop(), memory)
    for number, path in enumerate(["/v1/users/a%2F/b/taste", "/v1/users/u/feedback", "/v1/users/u", "/v1/events"]):
        asyncio.run(ask(app, f"k{number}", path=path))
    assert memory.users == ["a%2F/b", "u", "u", None]
    assert match_route("DELETE", "/v1/users/")[1] is None
