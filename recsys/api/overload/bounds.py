"""HTTP protocol of uvicorn with bounds on connections, heads and the time in which a request arrives.

uvicorn bounds none of these, so a caller without a key could take all memory and all descriptors.
"""

from __future__ import annotations

import asyncio
import resource
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recsys.api.context import MODEL_VERSION, REQUEST_ID, request_id_of
from recsys.api.model_source import Models
from recsys.api.problems.answers import ProblemResponse
from recsys.api.problems.types import ADDRESS_TOO_LONG, HEAD_TOO_LARGE, REJECTED, TOO_SLOW, ProblemType

MAX_ADDRESS = 65_535
"""Longest path and query that can be parsed, in characters."""
MAX_HEAD_BYTES = 128 * 1024
"""Limit of the first line with all headers, and of what surrounds the chunks of a body."""
HEAD_TIMEOUT_S = 10.0
"""Time from the start of a connection, or from the first byte of a later request, to the end of the head."""
BODY_TIMEOUT_S = 10.0
"""Longest pause in a body."""
MIN_BODY_RATE = 1_024
"""Bytes per second that a body needs on average after its first `BODY_TIMEOUT_S`."""
RESERVED_DESCRIPTORS = 96
"""Descriptors that connections never take: databases, caches, images and bundles need them."""


class Phase(Enum):
    """Part of a request that a connection waits for."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()
    """The request is complete, or the connection is idle between two requests, which uvicorn bounds."""


def max_connections() -> int:
    """Return how many connections one process may hold: its limit of descriptors without the reserved ones."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 65_536 if soft == resource.RLIM_INFINITY else max(16, soft - RESERVED_DESCRIPTORS)


class BoundedProtocol(HttpToolsProtocol):
    """Protocol that answers 431 to a head that is too large, and 408 to a request that arrives too slowly.

    If all connections are taken, a new one replaces the one whose request has been incomplete for the longest time.
    """

    _incomplete: dict[BoundedProtocol, None] = {}  # noqa: RUF012 - shared by all connections on purpose, oldest first

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        app = self.config.loaded_app
        # The server may have wrapped the application of `create_app`, which has the models in its state.
        while not hasattr(app, "state"):
            app = app.app
        self._state = app.state
        self._models: Models = app.state.models
        self._max_connections = max_connections()
        self._rejected = False
        self._phase = Phase.NOTHING
        self._phase_started = self._last_content = 0.0
        self._head_bytes = self._body_bytes = self._content_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection; if there are too many, close the one that has been incomplete longest."""
        super().connection_made(transport)
        self._enter(Phase.HEAD)
        self._wait()
        if len(self.connections) > self._max_connections:
            next(iter(self._incomplete)).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its timer."""
        self._enter(Phase.NOTHING)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse bytes; refuse a head, or a frame around the chunks of a body, that is too large."""
        before = self._phase
        super().data_received(data)
        if self.transport.is_closing():
            return
        # A piece in which a phase begins or ends also holds other bytes, so only pieces inside a phase count.
        if before is self._phase is Phase.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(self._too_large)
        elif before is self._phase is Phase.BODY:
            self._body_bytes += len(data)
            # A chunk of one byte has a frame of five.
            if self._body_bytes > MAX_HEAD_BYTES + 8 * self._content_bytes:
                self._refuse(HEAD_TOO_LARGE)
        if self._phase is not Phase.NOTHING:
            self._wait()

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        super().on_message_begin()
        if self._phase is Phase.NOTHING:
            self._enter(Phase.HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; fields after a body are ignored, since nothing here reads them."""
        if self._phase is Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse a head that arrived in few pieces and is too large, else go on."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        self._enter(Phase.BODY)
        if size > MAX_HEAD_BYTES:
            self._rejected = True
            self._refuse(self._too_large)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the body's bytes, and ignore the body of a rejected request."""
        self._content_bytes += len(body)
        self._last_content = self.loop.time()
        if not self._rejected:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Be ready for the next request of the connection."""
        self._enter(Phase.NOTHING)
        if self._rejected:
            self._rejected = False
        else:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be parsed with a problem, and close the connection."""
        is_too_long = self._too_large is ADDRESS_TOO_LONG
        self._refuse(ADDRESS_TOO_LONG if is_too_long else REJECTED, "" if is_too_long else msg)

    def answer_headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """Return the headers of each answer that does not come from the application."""
        version = self._models.current.recommender.version
        own = [(REQUEST_ID.encode(), request_id.encode()), (MODEL_VERSION.encode(), version.encode())]
        return [*self.server_state.default_headers, *own]

    @property
    def _too_large(self) -> ProblemType:
        """Problem of a head that is too large: that of its address, if this alone is."""
        return ADDRESS_TOO_LONG if len(getattr(self, "url", b"")) > MAX_ADDRESS else HEAD_TOO_LARGE

    def _refuse(self, kind: ProblemType, what: str = "") -> None:
        """Answer with a problem if no other answer is on its way, and close the connection."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            response = ProblemResponse(kind, what)
            status = HTTPStatus(response.status_code)
            headers = [*response.raw_headers, *self.answer_headers(request_id_of({})), (b"connection", b"close")]
            head = b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode())
            head += b"".join(name + b": " + value + b"\r\n" for name, value in headers)
            self.transport.write(head + b"\r\n" + bytes(response.body))
        self._enter(Phase.NOTHING)
        self.transport.close()

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._phase_started = self._last_content = self.loop.time()
        self._head_bytes = self._body_bytes = self._content_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._incomplete.pop(self, None)

    def _wait(self) -> None:
        """Start the timer of an incomplete request. A request that arrives in one piece never needs one."""
        if self._timer is None:
            self._incomplete[self] = None
            self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._check_time)

    def _check_time(self) -> None:
        """Close the connection if its request is too slow, else look again later."""
        now = self.loop.time()
        if self._phase is Phase.HEAD:
            due = self._phase_started + HEAD_TIMEOUT_S
        elif self.flow.read_paused:
            # The application has not read yet what has arrived.
            due = self._last_content = now + BODY_TIMEOUT_S
        else:
            by_rate = self._phase_started + BODY_TIMEOUT_S + self._content_bytes / MIN_BODY_RATE
            due = min(self._last_content + BODY_TIMEOUT_S, by_rate)
        if due > now:
            self._timer = self.loop.call_at(due, self._check_time)
        elif self._phase is Phase.HEAD and self._head_bytes == 0:
            # Not one byte came: there is no request to answer.
            self._enter(Phase.NOTHING)
            self.transport.close()
        else:
            self._refuse(TOO_SLOW)
