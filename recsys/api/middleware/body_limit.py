"""Body limit: rejects bodies that are larger than the route accepts."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.context import request_context_of
from recsys.api.problems.answers import ProblemResponse
from recsys.api.problems.types import TOO_LARGE


class BodyLimit:
    """ASGI middleware that rejects a body by its declared length, or as soon as it has too many bytes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = request_context_of(scope)
        declared = context.headers.get(b"content-length", b"")
        if not declared and b"transfer-encoding" not in context.headers:
            await self.app(scope, receive, send)
            return
        max_bytes = context.route.body_limit(context.headers.get(b"content-type", b""))
        if declared.isdigit() and int(declared) > max_bytes:
            await ProblemResponse(TOO_LARGE, _too_large_text(max_bytes))(scope, receive, send)
        else:
            received = 0

            async def receive_counted() -> Message:
                nonlocal received
                message = await receive()
                received += len(message.get("body", b""))
                if received > max_bytes:
                    raise HTTPException(TOO_LARGE.status, _too_large_text(max_bytes))
                return message

            await self.app(scope, receive_counted, send)


def _too_large_text(max_bytes: int) -> str:
    return f"The body has more than {max_bytes} bytes."
