"""Response cache: answers a cached list before the framework parses the request."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from recsys.api.answer_cache import Key
from recsys.api.context import request_context_of
from recsys.api.lists.assignment import resolve_user
from recsys.api.services import services_of
from recsys.errors import StorageError
from recsys.schema import Scope as KeyScope
from recsys.schema import UserId


class ResponseCache:
    """ASGI middleware that answers a list from the answer cache; other requests go on to their routes.

    It runs inside the gatekeeper, so callers are known and counted. Cached answers come from the route itself, which
    has validated the query.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http" and request_context_of(scope).route.cacheable and await self._answer(scope, send):
            return
        await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, send: Send) -> bool:
        """Send the cached list and return True; return False if there is none."""
        context = request_context_of(scope)
        caller = context.caller
        if caller is None or KeyScope.READ not in caller.scopes or context.user_id is None:
            return False
        services = services_of(scope)
        user_id = UserId(context.user_id)
        query = scope["query_string"]
        try:
            state, arms = await resolve_user(services, context, user_id, query)
        except StorageError:
            # The route meets the same error and answers with a problem.
            return False
        cached = services.answers.get(Key(user_id, state, query, scope.get("root_path", ""), arms))
        if cached is None:
            return False
        context.served = arms.model
        if not context.is_head:
            services.live.exposures.append(cached.exposure(context.request_id, user_id))
        # Log and metrics read the path of the route from the scope.
        scope["route"] = context.route
        length = str(len(cached.body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": cached.body})
        return True
