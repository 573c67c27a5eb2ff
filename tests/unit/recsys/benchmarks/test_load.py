"""The load generator counts what happened, against a small server whose behavior is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count, islice, repeat

import numpy as np
import pytest

from recsys.benchmarks.load import (
    NO_ANSWER,
    Client,
    HttpReply,
    HttpRequest,
    Load,
    NoAnswerError,
    at_rate,
    by_connections,
    run,
    until,
)


class Known:
    """Answers by path: /ok, /echo, /busy (503), /chunked, /last (closes), /drop (hangs up), /slow, /stall, /junk."""

    def __init__(self) -> None:
        self.connections = 0
        self.bodies: list[bytes] = []
        self.gate = asyncio.Lock()
        self.over = asyncio.Event()
        self.callers: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.callers.add(task)
        try:
            while (head := await reader.readuntil(b"\r\n\r\n")).split():
                length = next((int(v) for k, _, v in _headers(head) if k == b"content-length"), 0)
                self.bodies.append(await reader.readexactly(length))
                if not await self._answer(head.split()[1], writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: bytes, writer: asyncio.StreamWriter) -> bool:
        match path:
            case b"/busy":
                writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
            case b"/chunked":
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
                await writer.drain()
                writer.write(b"2\r\nde\r\n0\r\n\r\n")
            case b"/last":
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbye")
                return False
            case b"/drop":
                return False
            case b"/junk":
                writer.write(b"SPDY hello\r\n\r\n")
            case b"/slow":
                await self.over.wait()
            case b"/stall":
                # Everybody behind the first waits for it, as behind a lock.
                async with self.gate:
                    if len(self.bodies) == 1:
                        await asyncio.sleep(0.2)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            case _:
                body = self.bodies[-1] or b"fine"
                writer.write(
                    b"HTTP/1.1 200 OK\r\nModel-Version: v1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
                )
        return True


def _headers(head: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    for line in head.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        yield name.lower(), colon, value.strip()


@asynccontextmanager
async def serving(timeout: float = 5.0, connections: int = 8) -> AsyncIterator[tuple[Known, Client]]:
    known = Known()
    server = await asyncio.start_server(known.serve, "127.0.0.1", 0)
    client = Client(server.sockets[0].getsockname()[1], timeout=timeout, connections=connections)
    try:
        yield known, client
    finally:
        client.close()
        server.close()
        known.over.set()
        await asyncio.gather(*known.callers)


def test_an_answer_has_status_headers_and_body_however_it_is_framed() -> None:
    async def scene() -> list[HttpReply]:
        async with serving() as (_, client):
            asks = [
                HttpRequest("/ok"),
                HttpRequest("/chunked"),
                HttpRequest("/echo", "POST", b'{"a":1}'),
                HttpRequest("/busy"),
                HttpRequest("/last"),
                HttpRequest("/ok"),
            ]
            return [await client.ask(ask) for ask in asks]

    replies = run(scene())
    assert [reply.status for reply in replies] == [200, 200, 200, 503, 200, 200]
    assert [reply.body for reply in replies] == [b"fine", b"abcde", b'{"a":1}', b"", b"bye", b"fine"]
    assert replies[0].headers[b"model-version"] == b"v1"
    assert replies[3].headers[b"retry-after"] == b"1"


def test_connections_are_kept_and_no_more_than_allowed() -> None:
    async def scene() -> tuple[int, int]:
        async with serving(connections=3) as (known, client):
            for _ in range(20):
                await client.ask(HttpRequest("/ok"))
            alone = known.connections
            await asyncio.gather(*(client.ask(HttpRequest("/ok")) for _ in range(50)))
            return alone, known.connections

    alone, together = run(scene())
    assert alone == 1
    assert 1 < together <= 3


@pytest.mark.parametrize(("path", "why"), [("/drop", "lost"), ("/slow", "time"), ("/junk", "HTTP")])
def test_what_is_not_answered_is_said_and_the_next_one_is(path: str, why: str) -> None:
    async def scene() -> HttpReply:
        async with serving(timeout=0.2) as (_, client):
            with pytest.raises(NoAnswerError, match=why):
                await client.ask(HttpRequest(path))
            return await client.ask(HttpRequest("/ok"))

    assert run(scene()).status == 200


def test_a_caller_who_gives_up_takes_the_connection_along() -> None:
    async def scene() -> tuple[HttpReply, int]:
        async with serving() as (known, client):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await client.ask(HttpRequest("/slow"))
            return await client.ask(HttpRequest("/ok")), known.connections

    reply, connections = run(scene())
    assert reply.body == b"fine"
    assert connections == 2


def test_a_port_where_nobody_listens_is_no_answer() -> None:
    async def scene() -> Load:
        async with serving() as (_, client):
            port = client.port
        return await by_connections(Client(port), repeat(HttpRequest("/ok"), 4), 2)

    load = run(scene())
    assert load.counts == {NO_ANSWER: 4}
    assert load.failures == 4
    assert load.complaints == {"no connection: ConnectionRefusedError": 4}


def test_open_loop_charges_a_stall_to_everybody_whom_it_kept_waiting() -> None:
    async def scene() -> Load:
        async with serving(connections=1) as (_, client):
            return await at_rate(client, repeat(HttpRequest("/stall"), 11), rate=100)

    load = run(scene())
    assert load.counts == {200: 11}
    # The first took 0.2 s, and the tenth after it was meant to leave 0.1 s later: it waited for the rest of it.
    assert load.latencies[0] >= 0.2
    assert load.latencies.min() >= 0.09
    assert load.ms(1) >= 200


def test_open_loop_sends_no_faster_than_its_rate() -> None:
    async def scene() -> Load:
        async with serving() as (_, client):
            return await at_rate(client, repeat(HttpRequest("/ok"), 30), rate=200)

    load = run(scene())
    assert len(load) == 30
    assert load.seconds >= 0.15
    assert load.rate <= 200.1


def test_closed_loop_ends_with_its_time_or_its_requests() -> None:
    async def scene() -> tuple[Load, Load]:
        async with serving() as (_, client):
            timed = await by_connections(client, repeat(HttpRequest("/ok")), 4, seconds=0.1)
            return timed, await by_connections(client, repeat(HttpRequest("/ok"), 25), 4)

    timed, counted = run(scene())
    assert timed.seconds >= 0.1
    assert timed.failures == 0
    assert counted.counts == {200: 25}


def test_checks_see_good_answers_alone_and_what_they_say_is_counted() -> None:
    def check(ask: HttpRequest, reply: HttpReply) -> str | None:
        assert reply.status == 200
        return None if ask.body == b"right" else "not right"

    async def scene() -> Load:
        bodies = [HttpRequest("/echo", "POST", b"right"), HttpRequest("/echo", "POST", b"wrong"), HttpRequest("/busy")]
        async with serving() as (_, client):
            return await by_connections(client, bodies * 3, 2, check=check)

    load = run(scene())
    assert load.counts == {200: 6, 503: 3}
    assert load.complaints == {"not right": 3}
    assert load.failures == 6
    assert load.goodput == pytest.approx(3 / load.seconds)
    assert load.ms(0.5, load.statuses == 503) > 0
    assert np.isnan(load.ms(0.5, load.statuses == 404))
    assert "{200: 6, 503: 3}" in str(load)


def test_until_ends_endless_requests() -> None:
    seen: list[HttpRequest] = []
    endless = (HttpRequest(f"/{n}") for n in count())
    for ask in until(lambda: len(seen) == 3, endless):
        seen.append(ask)  # noqa: PERF402
    assert [ask.target for ask in seen] == ["/0", "/1", "/2"]
    assert next(islice(endless, 1)).target == "/3"
