"""A load generator: HTTP/1.1 over keep-alive connections of one thread, light enough to outrun what it measures.

Open loop (`at_rate`): requests leave at times fixed beforehand, and each latency counts from the time at which its
request was meant to leave, so that a server that stalls is charged for everybody whom it kept waiting (coordinated
omission; Tene, "How NOT to measure latency", 2013). Closed loop (`by_connections`): each connection asks again as soon
as it was answered, which finds out how much there is to be had.
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
"""Stands for the status where a connection was refused or lost, or time ran out."""
SPIN_S = 0.0015
"""Timers are only good to a millisecond: the rest of a wait is spent looking at the clock."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `target` is the path and query, percent-encoded; `body` is JSON or empty."""

    target: str
    method: str = "GET"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def wire(self) -> bytes:
        """As it goes over the connection."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {HOST}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; names of headers are in small letters."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class NoAnswerError(Exception):
    """The connection was refused or lost, or time ran out."""


Check = Callable[[Ask, Reply], str | None]
"""What is wrong with an answer of status 2xx, in words that do not differ from answer to answer; None if nothing is."""


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """What became of N requests in `seconds`, in the order in which they were asked.

    `statuses` (N,), `NO_ANSWER` among them; `latencies` (N,) seconds; `valid` (N,): 2xx and nothing wrong with it;
    `complaints`: what checks had to say, and how often.
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
        """How many answers had each status."""
        found, counts = np.unique(self.statuses, return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))

    @property
    def failed(self) -> int:
        """How many were not answered with 2xx, or wrongly."""
        return len(self) - int(self.valid.sum())

    @property
    def goodput(self) -> float:
        """Valid answers per second."""
        return float(self.valid.sum() / self.seconds)

    @property
    def rate(self) -> float:
        """Requests per second, whatever became of them."""
        return len(self) / self.seconds

    def ms(self, quantile: float, among: BoolArray | None = None) -> float:
        """A quantile in [0, 1] of the latencies in ms, of all or `among` some (N,); NaN where there are none."""
        chosen = self.latencies if among is None else self.latencies[among]
        return float(1000 * np.quantile(chosen, quantile)) if len(chosen) else float("nan")

    def __str__(self) -> str:
        parts = [f"p50 {self.ms(0.5):.2f} ms", f"p90 {self.ms(0.9):.2f}", f"p99 {self.ms(0.99):.2f}"]
        return ", ".join([*parts, f"max {self.ms(1):.2f}", f"{self.goodput:.0f}/s good", f"statuses {self.counts}"])


class Client:
    """Connections to one port of this machine, opened when needed and kept; each asks one thing at a time.

    `connections`: at most so many at once, who comes on top waits; `timeout`: seconds until there is no answer.
    """

    def __init__(self, port: int, *, connections: int = 256, timeout: float = 10.0) -> None:
        self.port = port
        self.timeout = timeout
        self._idle: list[_Connection] = []
        self._room = asyncio.Semaphore(connections)

    async def ask(self, ask: Ask) -> Reply:
        """The answer. Raises NoAnswerError; nothing is ever sent twice."""
        async with self._room:
            connection = self._kept() or await self._opened()
            reply = await connection.ask(ask.wire(), self.timeout)
            if connection.is_open:
                self._idle.append(connection)
            return reply

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _kept(self) -> _Connection | None:
        while self._idle:
            # The last one used is the least likely to be closed by the server meanwhile.
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _opened(self) -> _Connection:
        try:
            async with asyncio.timeout(self.timeout):
                _, made = await asyncio.get_running_loop().create_connection(_Connection, HOST, self.port)
        except (OSError, TimeoutError) as error:
            raise NoAnswerError(f"no connection: {type(error).__name__}") from None
        return made


class _Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self) -> None:
        self.is_open = False
        self._waiter: asyncio.Future[Reply] | None = None
        self._transport: asyncio.Transport
        self._begin()

    async def ask(self, wire: bytes, timeout: float) -> Reply:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Reply] = loop.create_future()
        self._waiter = waiter
        limit = loop.call_later(timeout, self._fail, "time ran out")
        try:
            self._transport.write(wire)
            return await waiter
        except asyncio.CancelledError:
            # Its answer may still come, and would be taken for that of the next request.
            self.close()
            raise
        finally:
            limit.cancel()

    def close(self) -> None:
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not derived from asyncio's.
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
        # 1xx only announce the answer.
        if status >= 200:
            if not stays:
                self.close()
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(Reply(status, self._headers, b"".join(self._body)))
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

    async def one(self, client: Client, ask: Ask, since: float) -> None:
        # A place is taken now, so that results stand in the order of requests, whichever is answered first.
        place = len(self.statuses)
        self.statuses.append(NO_ANSWER)
        self.latencies.append(0.0)
        self.valid.append(False)
        try:
            reply = await client.ask(ask)
            self.latencies[place] = time.perf_counter() - since
            self.statuses[place] = reply.status
            good = 200 <= reply.status < 300
            complaint = self.check(ask, reply) if good and self.check else None
            self.valid[place] = good and complaint is None
        except NoAnswerError as error:
            self.latencies[place] = time.perf_counter() - since
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


async def at_rate(client: Client, asks: Iterable[Ask], rate: float, check: Check | None = None) -> Load:
    """Open loop: `rate` requests per second, whatever the answers; latencies count from when each was meant to leave.

    `seconds` of the load end with the last answer or, where the last came sooner, with the time meant for the last.
    """
    tally, started, under_way = _Tally(check), time.perf_counter(), set[asyncio.Task[None]]()
    number = 0
    for number, ask in enumerate(asks, start=1):
        due = started + (number - 1) / rate
        await _until(due)
        task = asyncio.create_task(tally.one(client, ask, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    return tally.load(max(time.perf_counter() - started, number / rate))


async def by_connections(
    client: Client, asks: Iterable[Ask], connections: int, seconds: float = float("inf"), check: Check | None = None
) -> Load:
    """Closed loop: `connections` of them ask one thing after the other until `seconds` are over or nothing is left."""
    tally, started, left = _Tally(check), time.perf_counter(), iter(asks)

    async def caller() -> None:
        while (now := time.perf_counter()) < started + seconds:
            ask = next(left, None)
            if ask is None:
                return
            await tally.one(client, ask, now)

    await asyncio.gather(*(caller() for _ in range(connections)))
    return tally.load(time.perf_counter() - started)


def open_loop(port: int, asks: Iterable[Ask], rate: float, check: Check | None = None) -> Load:
    """`at_rate` on a loop of its own."""
    return run(_with_client(port, lambda client: at_rate(client, asks, rate, check)))


def closed_loop(
    port: int, asks: Iterable[Ask], connections: int, seconds: float = float("inf"), check: Check | None = None
) -> Load:
    """`by_connections` on a loop of its own."""
    return run(_with_client(port, lambda client: by_connections(client, asks, connections, seconds, check)))


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on the loop that the figures are taken with."""
    return uvloop.run(main)


def until(stopped: Callable[[], bool], asks: Iterator[Ask]) -> Iterator[Ask]:
    """`asks`, as long as not `stopped`."""
    while not stopped():
        yield next(asks)


async def _with_client(port: int, load: Callable[[Client], Coroutine[Any, Any, Load]]) -> Load:
    client = Client(port)
    try:
        return await load(client)
    finally:
        client.close()


async def _until(due: float) -> None:
    while (left := due - time.perf_counter()) > 0:
        await asyncio.sleep(left - SPIN_S if left > SPIN_S else 0)
