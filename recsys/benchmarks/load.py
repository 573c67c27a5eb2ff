"""Load generator: HTTP/1.1 over keep-alive connections of one thread, fast enough to saturate the server.

Open loop (`at_rate`): requests are sent at fixed times, and each latency counts from its scheduled time. So a server
that stalls is charged for all waiting requests (coordinated omission; Tene, "How NOT to measure latency", 2013).
Closed loop (`by_connections`): each connection sends its next request after an answer, which measures capacity.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import httptools
import numpy as np
import uvloop

from recsys.schema import BoolArray, FloatArray, IntArray

HOST = "127.0.0.1"
NO_ANSWER = 0
"""Status of a request whose connection was refused or lost, or that timed out."""
SPIN_S = 0.0015
"""End of a wait that polls the clock, as timers have a resolution of a millisecond."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `target` is the path and query, percent-encoded; `body` is JSON or empty."""

    target: str
    method: str = "GET"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def wire(self) -> bytes:
        """Return the bytes that are sent."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {HOST}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One answer; names of headers are in lower case."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class NoAnswerError(Exception):
    """Connection was refused or lost, or the request timed out."""


Check = Callable[[HttpRequest, HttpReply], str | None]
"""Checks an answer of status 2xx: returns the defect as a fixed text, so that equal ones can be counted, or None."""


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """Results of N requests, in the order in which they were sent.

    Attributes:
        statuses: (N,) status, or `NO_ANSWER`.
        latencies: (N,) seconds.
        valid: (N,) True for 2xx without a defect.
        complaints: defects and their counts.
        seconds: duration of the load.
    """

    statuses: IntArray
    latencies: FloatArray
    valid: BoolArray
    complaints: Mapping[str, int]
    seconds: float

    def __len__(self) -> int:
        return len(self.statuses)

    @property
    def counts(self) -> dict[int, int]:
        """Return the number of answers per status."""
        statuses, counts = np.unique(self.statuses, return_counts=True)
        return dict(zip(statuses.tolist(), counts.tolist(), strict=True))

    @property
    def failures(self) -> int:
        """Return the number of requests without a valid answer."""
        return len(self) - int(self.valid.sum())

    @property
    def goodput(self) -> float:
        """Return valid answers per second."""
        return float(self.valid.sum() / self.seconds)

    @property
    def rate(self) -> float:
        """Return requests per second, with any result."""
        return len(self) / self.seconds

    def ms(self, quantile: float, among: BoolArray | None = None) -> float:
        """Return a quantile in [0, 1] of the latencies in ms, of all or of the mask `among` (N,); NaN if none."""
        chosen = self.latencies if among is None else self.latencies[among]
        return float(1000 * np.quantile(chosen, quantile)) if len(chosen) else float("nan")

    def __str__(self) -> str:
        parts = [f"p50 {self.ms(0.5):.2f} ms", f"p90 {self.ms(0.9):.2f}", f"p99 {self.ms(0.99):.2f}"]
        return ", ".join([*parts, f"max {self.ms(1):.2f}", f"{self.goodput:.0f}/s good", f"statuses {self.counts}"])


class Client:
    """Pool of connections to one port of this machine; each sends one request at a time.

    `connections`: largest number at once, further requests wait; `timeout`: seconds.
    """

    def __init__(self, port: int, *, connections: int = 256, timeout: float = 10.0) -> None:
        self.port = port
        self.timeout = timeout
        self._idle: list[_Connection] = []
        self._room = asyncio.Semaphore(connections)

    async def ask(self, ask: HttpRequest) -> HttpReply:
        """Send a request and return the answer. Raises NoAnswerError; nothing is sent twice."""
        async with self._room:
            connection = self._take_idle() or await self._connect()
            reply = await connection.ask(ask.wire(), self.timeout)
            if connection.is_open:
                self._idle.append(connection)
            return reply

    def close(self) -> None:
        """Close idle connections."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _take_idle(self) -> _Connection | None:
        while self._idle:
            # The server is least likely to have closed the connection used last.
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _connect(self) -> _Connection:
        try:
            async with asyncio.timeout(self.timeout):
                _, connection = await asyncio.get_running_loop().create_connection(_Connection, HOST, self.port)
        except (OSError, TimeoutError) as error:
            raise NoAnswerError(f"no connection: {type(error).__name__}") from None
        return connection


class _Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self) -> None:
        self.is_open = False
        self._waiter: asyncio.Future[HttpReply] | None = None
        self._transport: asyncio.Transport
        self._begin()

    async def ask(self, wire: bytes, timeout: float) -> HttpReply:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[HttpReply] = loop.create_future()
        self._waiter = waiter
        limit = loop.call_later(timeout, self._fail, "time ran out")
        try:
            self._transport.write(wire)
            return await waiter
        except asyncio.CancelledError:
            # Its answer may still arrive, and would be taken for that of the next request.
            self.close()
            raise
        finally:
            limit.cancel()

    def close(self) -> None:
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def connection_lost(self, _: Exception | None) -> None:
        self.is_open = False
        self._fail("the connection was lost")

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("no HTTP")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, part: bytes) -> None:
        self._body.append(part)

    def on_message_complete(self) -> None:
        status, stays = self._parser.get_status_code(), self._parser.should_keep_alive()
        # 1xx only announces the answer.
        if status >= 200:
            if not stays:
                self.close()
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(HttpReply(status, self._headers, b"".join(self._body)))
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    def _fail(self, why: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(NoAnswerError(why))
            self.close()


@dataclass(slots=True)
class _Tally:
    check: Check | None
    statuses: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    valid: list[bool] = field(default_factory=list)
    complaints: Counter[str] = field(default_factory=Counter)

    async def one(self, client: Client, ask: HttpRequest, since: float) -> None:
        # An index is reserved now, so that results are in the order of requests, not of answers.
        index = len(self.statuses)
        self.statuses.append(NO_ANSWER)
        self.latencies.append(0.0)
        self.valid.append(False)
        try:
            reply = await client.ask(ask)
            self.latencies[index] = time.perf_counter() - since
            self.statuses[index] = reply.status
            good = 200 <= reply.status < 300
            complaint = self.check(ask, reply) if good and self.check else None
            self.valid[index] = good and complaint is None
        except NoAnswerError as error:
            self.latencies[index] = time.perf_counter() - since
            complaint = str(error)
        if complaint is not None:
            self.complaints[complaint] += 1

    def load(self, seconds: float) -> Load:
        return Load(
            np.array(self.statuses, dtype=np.int64),
            np.array(self.latencies, dtype=np.float32),
            np.array(self.valid, dtype=np.bool_),
            dict(self.complaints),
            seconds,
        )


async def at_rate(client: Client, asks: Iterable[HttpRequest], rate: float, check: Check | None = None) -> Load:
    """Run an open loop: `rate` requests per second, regardless of answers; latencies count from the scheduled time.

    The load ends with the last answer, or with the scheduled time of the last request if that is later.
    """
    tally, started, under_way = _Tally(check), time.perf_counter(), set[asyncio.Task[None]]()
    number = 0
    for number, ask in enumerate(asks, start=1):
        due = started + (number - 1) / rate
        while (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left - SPIN_S if left > SPIN_S else 0)
        task = asyncio.create_task(tally.one(client, ask, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    return tally.load(max(time.perf_counter() - started, number / rate))


async def by_connections(
    client: Client,
    asks: Iterable[HttpRequest],
    connections: int,
    seconds: float = float("inf"),
    check: Check | None = None,
) -> Load:
    """Run a closed loop: each of `connections` sends one request after the other, until `seconds` or requests end."""
    tally, started, left = _Tally(check), time.perf_counter(), iter(asks)

    async def caller() -> None:
        while (now := time.perf_counter()) < started + seconds:
            ask = next(left, None)
            if ask is None:
                return
            await tally.one(client, ask, now)

    await asyncio.gather(*(caller() for _ in range(connections)))
    return tally.load(time.perf_counter() - started)


def open_loop(port: int, asks: Iterable[HttpRequest], rate: float, check: Check | None = None) -> Load:
    """Run `at_rate` on a new event loop."""
    return run(_with_client(port, lambda client: at_rate(client, asks, rate, check)))


def closed_loop(
    port: int, asks: Iterable[HttpRequest], connections: int, seconds: float = float("inf"), check: Check | None = None
) -> Load:
    """Run `by_connections` on a new event loop."""
    return run(_with_client(port, lambda client: by_connections(client, asks, connections, seconds, check)))


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on uvloop, as all measurements do."""
    return uvloop.run(main)


def until(stopped: Callable[[], bool], asks: Iterator[HttpRequest]) -> Iterator[HttpRequest]:
    """Yield requests until `stopped()` is True."""
    while not stopped():
        yield next(asks)


async def _with_client(port: int, load: Callable[[Client], Coroutine[Any, Any, Load]]) -> Load:
    client = Client(port)
    try:
        return await load(client)
    finally:
        client.close()
