"""Lists that were asked for before, answered before the framework begins to work: a person who turns back to a page
that has not changed should not wait for it to be made again."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from recsys.api.answer_cache import Key
from recsys.api.exchange import exchange_of
from recsys.api.services import services_of
from recsys.errors import StorageError
from recsys.schema import Scope as KeyScope
from recsys.schema import UserId

USERS, LIST = "/v1/users/", "/recommendations"


@dataclass(frozen=True, slots=True)
class _Route:
    """What log and metrics call the route by."""

    path: str = f"{USERS}{{user_id}}{LIST}"


_ROUTE = _Route()


class Again:
    """ASGI middleware: answers a list whose key is in the cache of answers; all else goes on to the routes.

    It stands behind the door, hence callers are known and counted. What it gives was made by the route itself, from a
    query that was checked there.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not await self._answered(scope, send):
            await self.app(scope, receive, send)

    async def _answered(self, scope: Scope, send: Send) -> bool:
        exchange = exchange_of(scope)
        path, caller = exchange.path, exchange.caller
        if caller is None or KeyScope.READ not in caller.scopes:
            return False
        if not (path.startswith(USERS) and path.endswith(LIST)):
            return False
        services = services_of(scope)
        user_id = UserId(path[len(USERS) : -len(LIST)])
        try:
            state = await services.state(user_id)
        except StorageError:
            # The route meets it again, and says what it is.
            return False
        made = services.answers.get(Key(user_id, state, scope["query_string"], scope.get("root_path", "")))
        if made is None:
            return False
        services.live.exposures.append(made.exposure(exchange.request_id, user_id, services.recommender.version))
        scope["route"] = _ROUTE
        length = str(len(made.body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": made.body})
        return True
