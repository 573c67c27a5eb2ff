"""Body limit: rejects bodies that are larger than the route accepts, before they are parsed."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.api.context import request_context_of
from recsys.api.middleware.bodies import read_body, replay_body
from recsys.api.problems.answers import ProblemResponse
from recsys.api.problems.types import TOO_LARGE
from recsys.api.route_table import is_image

_LONG_STRING = re.compile(rb'"[^"\\]{1024,}"')
"""String of a JSON body that is long enough to be an image in base64."""


class BodyLimit:
    """ASGI middleware that rejects a body by its declared length, or as soon as it has too many bytes.

    JSON bodies may hold images. What is left without long strings has a limit of its own, since parsing it takes most
    time: 16 MB of fields would take seconds, 16 MB of one image take some milliseconds.
    """

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

            if context.route.max_text_bytes >= max_bytes or is_image(context.headers.get(b"content-type", b"")):
                await self.app(scope, receive_counted, send)
                return
            try:
                body = await read_body(receive_counted)
            except HTTPException as error:
                # Problem handlers run only around the routes.
                await ProblemResponse(TOO_LARGE, error.detail)(scope, receive, send)
                return
            if body is None:
                return
            text_bytes = len(body)
            if text_bytes > context.route.max_text_bytes:
                text_bytes -= sum(map(len, _LONG_STRING.findall(body)))
            if text_bytes > context.route.max_text_bytes:
                what = f"The body has more than {context.route.max_text_bytes} bytes without its images."
                await ProblemResponse(TOO_LARGE, what)(scope, receive, send)
            else:
                await self.app(scope, replay_body(body, receive), send)


def _too_large_text(max_bytes: int) -> str:
    return f"The body has more than {max_bytes} bytes."
