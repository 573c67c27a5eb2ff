"""How much one request may ask: bytes of body, entries of lists."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.problem_types import TOO_LARGE
from recsys.api.problems import ProblemResponse
from style.images import UPLOAD_LIMITS

MAX_BODY_BYTES = 256 * 1024
MAX_PICTURE_BYTES = UPLOAD_LIMITS.max_bytes
_PICTURE_PATHS = frozenset({"/v1/restyle"})
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
    """ASGI middleware: refuses a body above its path's limit by its declared length, or as soon as it has that many."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        max_bytes = MAX_PICTURE_BYTES if own_path(scope) in _PICTURE_PATHS else MAX_BODY_BYTES
        if _declared_length(scope) > max_bytes:
            await ProblemResponse(TOO_LARGE, _too_many(max_bytes))(scope, receive, send)
        else:
            await self.app(scope, _counting(receive, max_bytes), send)


def own_path(scope: Scope) -> str:
    """The path of a request without the prefix where a proxy has mounted the service, which may or may not be there."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


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


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
