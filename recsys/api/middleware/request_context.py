"""What is around every answer: its request id, the model's version, a line in the log, and a last resort."""

from __future__ import annotations

import logging
import os
import re
import time
import traceback
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.context import RequestContext, set_request_context
from recsys.api.logs import RequestLine, log_request
from recsys.api.metrics import Metrics
from recsys.api.model_source import Models
from recsys.api.problems.answers import internal_problem

logger = logging.getLogger(__name__)

REQUEST_ID = "X-Request-ID"
MODEL_VERSION = "Model-Version"
_ID_HEADER, _VERSION_HEADER = REQUEST_ID.lower().encode(), MODEL_VERSION.lower().encode()
_VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
UNKNOWN_ROUTE = "-"


class RequestContextMiddleware:
    """ASGI middleware around all others.

    It takes the snapshot of the model that the whole answer comes from. A request id that the caller gives is kept if
    it has 1 to 64 characters of A-Z a-z 0-9 . _ - and is replaced otherwise. Log and metrics name the route's pattern,
    never the path or query: these hold people's ids.
    """

    def __init__(
        self, app: ASGIApp, models: Models, metrics: Metrics, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.app = app
        self.models = models
        self.metrics = metrics
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = self.clock()
        exchange = self._exchange(scope)
        set_request_context(scope, exchange)
        status = size = 0

        async def sealed(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (_ID_HEADER, exchange.request_id.encode()),
                    (_VERSION_HEADER, exchange.model_version.encode()),
                    *exchange.answer_headers,
                ]
            else:
                size += len(message.get("body", b""))
            await send(message)

        self.metrics.in_flight += 1
        try:
            await self.app(scope, receive, sealed)
        except Exception as error:
            logger.error("%s failed: %s", exchange.request_id, _trace(error))
            if status:
                raise
            await internal_problem()(scope, receive, sealed)
        finally:
            self.metrics.in_flight -= 1
            seconds = self.clock() - started
            route = _pattern(scope)
            self.metrics.answered(scope["method"], route, status, seconds)
            if not exchange.shed:
                caller = exchange.caller
                log_request(
                    RequestLine(
                        request_id=exchange.request_id,
                        method=scope["method"],
                        route=route,
                        status=status,
                        ms=1000 * seconds,
                        key=None if caller is None else caller.name,
                        model_version=exchange.model_version,
                        bytes=size,
                    )
                )

    def _exchange(self, scope: Scope) -> RequestContext:
        headers = dict(scope["headers"])
        # Behind a proxy that strips a prefix, the path may or may not still have it.
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        return RequestContext(request_id_of(headers), path, headers, self.models.current)


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """The caller's id of the request if it is harmless, else one of its own."""
    given = headers.get(_ID_HEADER, b"")
    return given.decode() if _VALID_ID.fullmatch(given) else os.urandom(16).hex()


def _pattern(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", UNKNOWN_ROUTE)


def _trace(error: Exception) -> str:
    # The places without the message, which may quote a person's id.
    places = (f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in traceback.extract_tb(error.__traceback__))
    return f"{type(error).__name__} in " + " > ".join(places)
