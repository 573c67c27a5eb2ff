"""Outermost layer: request context, headers of every answer, log, metrics and unexpected errors."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.auth.security import SIGNATURE
from recsys.api.context import (
    MODEL_VERSION_HEADER,
    REQUEST_ID_HEADER,
    UNKNOWN_ROUTE,
    RequestContext,
    request_id_of,
    set_request_context,
)
from recsys.api.logs import RequestLine, log_request
from recsys.api.metrics import Metrics
from recsys.api.model_source import Models
from recsys.api.problems.answers import internal_problem
from recsys.api.route_table import UNMATCHED, match_route

logger = logging.getLogger(__name__)

_EMPTY_SIGNATURE = f"{SIGNATURE}=".encode()


class RequestContextMiddleware:
    """ASGI middleware around all others.

    It matches the route and takes the model's snapshot for the whole answer. A request id of the caller is used if it
    has 1 to 64 characters of A-Z a-z 0-9 . _ - and is replaced otherwise. Log and metrics contain the route's pattern,
    never path or query, because these contain user ids.
    """

    def __init__(
        self, app: ASGIApp, models: Models, metrics: Metrics, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.app = app
        self.models = models
        self.metrics = metrics
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = self.clock()
        method = scope["method"]
        scope = {**scope, "method": "GET" if method == "HEAD" else method}
        if b"=&" in scope["query_string"] or scope["query_string"].endswith(b"="):
            scope["query_string"] = without_empty_parameters(scope["query_string"])
        context = self._create_context(scope)
        context.is_head = method == "HEAD"
        set_request_context(scope, context)
        status = size = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (REQUEST_ID_HEADER, context.request_id.encode()),
                    (MODEL_VERSION_HEADER, context.model_version.encode()),
                    *context.answer_headers,
                ]
            elif context.is_head:
                message = {**message, "body": b""}
            else:
                size += len(message.get("body", b""))
            await send(message)

        self.metrics.in_flight += 1
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            # The stack without the message, which may contain a user id.
            frames = traceback.extract_tb(error.__traceback__)
            places = " > ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in frames)
            logger.error("%s failed: %s in %s", context.request_id, type(error).__name__, places)
            if status:
                raise
            await internal_problem()(scope, receive, send_with_headers)
        finally:
            self.metrics.in_flight -= 1
            seconds = self.clock() - started
            # Only a request that reached its route is counted under it.
            route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
            self.metrics.count_answer(method, route, status, seconds)
            if not context.shed:
                log_request(
                    RequestLine(
                        request_id=context.request_id,
                        method=method,
                        route=route,
                        status=status,
                        ms=1000 * seconds,
                        key=None if context.caller is None else context.caller.name,
                        model_version=context.model_version,
                        bytes=size,
                    )
                )

    def _create_context(self, scope: Scope) -> RequestContext:
        headers = dict(scope["headers"])
        # Behind a proxy that strips a prefix, the path may or may not still have it.
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        route, user_id = match_route(scope["method"], path)
        context = RequestContext(
            request_id_of(headers), path, headers, self.models.current, route=route, user_id=user_id
        )
        # Decoded, a slash at the end of an id (%2F) cannot be told from one behind it, which proxies and clients add.
        raw_path = scope.get("raw_path") or path.encode(errors="replace")
        if raw_path.endswith(b"/") and path != "/":
            context.route, context.user_id, context.ends_in_slash = UNMATCHED, None, True
        return context


def without_empty_parameters(query: bytes) -> bytes:
    """Return a query without parameters that have no value: a form sends all its fields, also those left empty."""
    # A signature that is empty is wrong, and not absent.
    return b"&".join(
        part for part in query.split(b"&") if part.partition(b"=")[2] or part == _EMPTY_SIGNATURE or b"=" not in part
    )
