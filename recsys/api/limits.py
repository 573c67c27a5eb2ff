"""How much one request may ask: bytes of body, entries of lists."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.problem_types import TOO_LARGE
from recsys.api.problems import ProblemResponse

MAX_BODY_BYTES = 256 * 1024
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
    """ASGI middleware: refuses a body above `max_bytes` by its declared length, or as soon as it has that many."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif _declared_length(scope) > self.max_bytes:
            await ProblemResponse(TOO_LARGE, self._what())(scope, receive, send)
        else:
            await self.app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise HTTPException(TOO_LARGE.status, self._what())
            return message

        return counted

    def _what(self) -> str:
        return f"The body has more than {self.max_bytes} bytes."


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
