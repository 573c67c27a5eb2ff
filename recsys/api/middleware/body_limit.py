"""How much one request may ask: bytes of body, entries of lists."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.context import request_context_of
from recsys.api.problems.answers import ProblemResponse
from recsys.api.problems.types import TOO_LARGE
from style.images import UPLOAD_LIMITS

MAX_BODY_BYTES = 256 * 1024
MAX_PICTURE_BYTES = UPLOAD_LIMITS.max_bytes
MAX_PICTURE_CHARACTERS = 4 * ((MAX_PICTURE_BYTES + 2) // 3)
"""Of a picture in base64."""
_PICTURE_JSON = MAX_PICTURE_CHARACTERS + MAX_BODY_BYTES
_BODY_LIMITS = {
    "/v1/events": 2 * 1024 * 1024,
    "/v1/items:batch": 32 * 1024 * 1024,
    "/v1/recommendations": _PICTURE_JSON,
}
_PICTURE_TYPE = b"image/"
_PICTURE_PATHS = frozenset({"/v1/restyle", "/v1/search/style"})
_ITEM = "/v1/items/"
MAX_SESSION_ITEMS = 200
MAX_EXCLUDED = 1000
MAX_SHOWN = 1000
MAX_CATEGORIES = 50
MAX_STYLES = 8
MAX_ID_LENGTH = 512
MAX_DEADLINE_MS = 60_000
MAX_INLINE_IMAGES = 8
INLINE_WIDTH = 256


class BodyLimit:
    """ASGI middleware: refuses a body above its limit by its declared length, or as soon as it has that many bytes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = request_context_of(scope)
        declared = exchange.headers.get(b"content-length", b"")
        if not declared and b"transfer-encoding" not in exchange.headers:
            await self.app(scope, receive, send)
            return
        max_bytes = body_limit(exchange.path, exchange.headers.get(b"content-type", b""))
        if declared.isdigit() and int(declared) > max_bytes:
            await ProblemResponse(TOO_LARGE, _too_many(max_bytes))(scope, receive, send)
        else:
            await self.app(scope, _counting(receive, max_bytes), send)


def body_limit(path: str, content_type: bytes) -> int:
    """How many bytes a body sent to `path` may have."""
    if path in _PICTURE_PATHS and content_type.startswith(_PICTURE_TYPE):
        return MAX_PICTURE_BYTES
    if path.startswith(_ITEM):
        return _PICTURE_JSON
    return _BODY_LIMITS.get(path, MAX_BODY_BYTES)


def _counting(receive: Receive, max_bytes: int) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise HTTPException(TOO_LARGE.status, _too_many(max_bytes))
        return message

    return counted


def _too_many(max_bytes: int) -> str:
    return f"The body has more than {max_bytes} bytes."
