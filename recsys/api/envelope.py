"""What is around every answer: its request id, the model's version, a line in the log, and a last resort."""

from __future__ import annotations

import logging
import re
import time
import traceback
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.problems import internal_problem

logger = logging.getLogger(__name__)

REQUEST_ID = "X-Request-ID"
MODEL_VERSION = "Model-Version"
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Envelope:
    """ASGI middleware around all others.

    A request id that the caller gives is kept if it has 1 to 64 characters of A-Z a-z 0-9 . _ - and is replaced
    otherwise. The log names the route's pattern, never the path or query: these hold people's ids.
    """

    def __init__(self, app: ASGIApp, model_version: str) -> None:
        self.app = app
        self.model_version = model_version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        started = time.perf_counter()
        status = 0

        async def sealed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                headers[MODEL_VERSION] = self.model_version
            await send(message)

        try:
            await self.app(scope, receive, sealed)
        except Exception as error:
            logger.error("%s failed: %s", request_id, _trace(error))
            if status:
                raise
            await internal_problem()(scope, receive, sealed)
        elapsed_ms = 1000 * (time.perf_counter() - started)
        logger.info("%s %s %s %d %.1f ms", request_id, scope["method"], _pattern(scope), status, elapsed_ms)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _VALID_ID.fullmatch(given) else uuid.uuid4().hex


def _pattern(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "-")


def _trace(error: Exception) -> str:
    # The places without the message, which may quote a person's id.
    places = (f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in traceback.extract_tb(error.__traceback__))
    return f"{type(error).__name__} in " + " > ".join(places)
