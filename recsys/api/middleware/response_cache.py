"""Lists that were asked for before, answered before the framework begins to work: a person who turns back to a page
that has not changed should not wait for it to be made again."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from recsys.api.context import request_context_of
from recsys.api.lists.answer_cache import Key
from recsys.api.services import Services, services_of
from recsys.errors import StorageError
from recsys.experiments.design.registry import Identity
from recsys.experiments.design.targeting import ANY_CONTEXT
from recsys.schema import Scope as KeyScope
from recsys.schema import UserId
from recsys.serving.experiment_arms import UNTREATED, Treatment, context_of
from recsys.storage.live.user_state import PersonState

USERS, LIST = "/v1/users/", "/recommendations"


@dataclass(frozen=True, slots=True)
class _Route:
    """What log and metrics call the route by."""

    path: str = f"{USERS}{{user_id}}{LIST}"


_ROUTE = _Route()


def _treatment(services: Services, user_id: UserId, state: PersonState, query: bytes) -> Treatment:
    """What experiments do to the list. Of a query that was never checked anything may come, but no answer's key."""
    treatments = services.experiments.current
    if not treatments.any:
        return UNTREATED
    if not treatments.by_query:
        return treatments.of(Identity(user_id), ANY_CONTEXT, services.recommender)
    asked = parse_qs(query.decode("latin-1"))
    context = context_of(
        frozenset(asked.get("category", ())),
        *(asked[name][-1] if name in asked else None for name in ("platform", "country", "language")),
        known_user=services.knows_user(user_id, state),
    )
    session = asked["session_id"][-1] if "session_id" in asked else None
    return treatments.of(Identity(user_id, session), context, services.recommender)


class ResponseCache:
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
        exchange = request_context_of(scope)
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
        query = scope["query_string"]
        treatment = _treatment(services, user_id, state, query)
        made = services.answers.get(Key(user_id, state, query, scope.get("root_path", ""), treatment))
        if made is None:
            return False
        exchange.served = treatment.model
        services.live.exposures.append(made.exposure(exchange.request_id, user_id))
        scope["route"] = _ROUTE
        length = str(len(made.body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": made.body})
        return True
