"""HTTP protocol of uvicorn that rejects lists under overload as soon as their head is parsed.

Through ASGI a rejection costs a task, a scope and three layers. At several times the capacity of the service, that
would leave little time for the requests that are served.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recsys.api.context import MODEL_VERSION, REQUEST_ID, UNKNOWN_ROUTE, request_id_of
from recsys.api.model_source import Models
from recsys.api.overload.shedding import Shedder
from recsys.api.problems.answers import ProblemResponse
from recsys.api.problems.types import ADDRESS_TOO_LONG, REJECTED
from recsys.api.route_table import match_route

# With a body or a change of protocol there is more to read. ASGI does that, and also rejects.
_MORE_TO_READ = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})


MAX_ADDRESS = 65_535
"""Longest path and query that can be parsed, in characters."""


class SheddingProtocol(HttpToolsProtocol):
    """Protocol that rejects GET requests for lists while the queue is full; other requests go to ASGI."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        app = self.config.loaded_app
        # The server may have wrapped the application of `create_app`, which has both objects in its state.
        while not hasattr(app, "state"):
            app = app.app
        self._shedder: Shedder = app.state.shedder
        self._models: Models = app.state.models
        self._rejected = False

    def on_headers_complete(self) -> None:
        """Reject the request if the service is full, else go on as uvicorn does."""
        if self._shedder.full and self._can_reject():
            self._reject()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Ignore the body of a rejected request."""
        if not self._rejected:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Be ready for the next request of the connection."""
        if self._rejected:
            self._rejected = False
        else:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be parsed with a problem, and close the connection."""
        too_long = len(getattr(self, "url", b"")) > MAX_ADDRESS
        response = ProblemResponse(ADDRESS_TOO_LONG, "") if too_long else ProblemResponse(REJECTED, msg)
        status = HTTPStatus(response.status_code)
        version = self._models.current.recommender.version
        headers = [
            *self.server_state.default_headers,
            *response.raw_headers,
            (REQUEST_ID.encode(), request_id_of({}).encode()),
            (MODEL_VERSION.encode(), version.encode()),
            (b"connection", b"close"),
        ]
        head = b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode())
        head += b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(head + b"\r\n" + bytes(response.body))
        self.transport.close()

    def _can_reject(self) -> bool:
        path = self.url.partition(b"?")[0].decode("latin-1")
        prefix = self.root_path
        return (
            self.parser.get_method() == b"GET"
            and match_route("GET", path.removeprefix(prefix))[0].ranks
            and self.parser.get_http_version() == "1.1"
            and (self.cycle is None or self.cycle.response_complete)
            and _MORE_TO_READ.isdisjoint(name for name, _ in self.headers)
        )

    def _reject(self) -> None:
        self._rejected = True
        request_id = request_id_of(dict(self.headers))
        version = self._models.current.recommender.version
        own = [*self.server_state.default_headers, (REQUEST_ID.encode(), request_id.encode())]
        own.append((MODEL_VERSION.encode(), version.encode()))
        keep_alive = self.parser.should_keep_alive()
        if not keep_alive:
            own.append((b"connection", b"close"))
        self.transport.write(self._shedder.raw(b"\r\n".join(name + b": " + value for name, value in own)))
        self._shedder.count()
        self._shedder.metrics.count_answer("GET", UNKNOWN_ROUTE, 503, 0.0)
        self.server_state.total_requests += 1
        if keep_alive:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            self.transport.close()
