"""HTTP protocol that rejects lists under overload as soon as their head is parsed.

Through ASGI a rejection costs a task, a scope and three layers. At several times the capacity of the service, that
would leave little time for the requests that are served.
"""

from __future__ import annotations

from typing import Any

from recsys.api.context import UNKNOWN_ROUTE, request_id_of
from recsys.api.overload.bounds import BoundedProtocol
from recsys.api.overload.shedding import Shedder
from recsys.api.route_table import match_route

# With a body or a change of protocol there is more to read. ASGI does that, and also rejects.
_MORE_TO_READ = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})


class SheddingProtocol(BoundedProtocol):
    """Protocol that rejects GET requests for lists while the queue is full; other requests go to ASGI."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._shedder: Shedder = self._state.shedder

    def on_headers_complete(self) -> None:
        """Reject the request if the service is full, else go on as uvicorn does."""
        if self._shedder.full and self._can_reject():
            self._reject()
        else:
            super().on_headers_complete()

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
        own = self.answer_headers(request_id)
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
