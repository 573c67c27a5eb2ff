"""Request context: data of one request that the middleware, the routes and the problem handlers share."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from recsys.api.model_source import Snapshot
from recsys.api.route_table import UNMATCHED, Route
from recsys.schema import Scope
from recsys.serving.experiment_arms import RequestArms
from recsys.storage.live.user_state import UserState

REQUEST_ID = "X-Request-ID"
MODEL_VERSION = "Model-Version"
REQUEST_ID_HEADER, MODEL_VERSION_HEADER = REQUEST_ID.lower().encode(), MODEL_VERSION.lower().encode()
UNKNOWN_ROUTE = UNMATCHED.path
"""Route of a request in logs and metrics if it was answered before its route."""
_KEY = "recsys.request_context"
_VALID_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Caller of a request: the name of an API key, never the key itself, and its scopes."""

    name: str
    scopes: frozenset[Scope]


@dataclass(slots=True)
class RequestContext:
    """Data of one request. `RequestContextMiddleware` creates it, the layers inside add to it.

    Attributes:
        request_id: Id of the request, in the answer and in the log.
        path: Decoded path below the prefix of a proxy.
        headers: Headers with lower-case names; of a repeated header the last one.
        snapshot: Model of this request from start to end.
        caller: Owner of the API key, None until a key was recognized.
        route: Entry of the route table.
        user_id: User that the path names, None if it names none.
        state: State of that user in the live data, None until it was read.
        arms: Arms of experiments of that user, None until they were assigned.
        answer_headers: Headers that are added to the answer.
        shed: Whether the request was rejected under overload; such requests have no line in the log.
        served: Model of an experiment's arm, if that answers instead of `snapshot`.
        is_head: Whether the method is HEAD: the answer is that of GET without its body, and nobody sees it.
        ends_in_slash: Whether the path ends in a slash that is not part of an id (`%2F`); nothing has such a path.
    """

    request_id: str
    path: str
    headers: dict[bytes, bytes]
    snapshot: Snapshot
    caller: Caller | None = None
    route: Route = UNMATCHED
    user_id: str | None = None
    state: UserState | None = None
    arms: RequestArms | None = None
    answer_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    shed: bool = False
    served: Snapshot | None = None
    is_head: bool = False
    ends_in_slash: bool = False

    @property
    def model_version(self) -> str:
        """Version of the model that answers."""
        return (self.served or self.snapshot).recommender.version


def request_context_of(scope: MutableMapping[str, Any]) -> RequestContext:
    """Return the context of an ASGI scope."""
    context: RequestContext = scope[_KEY]
    return context


def set_request_context(scope: MutableMapping[str, Any], context: RequestContext) -> None:
    """Set the context of an ASGI scope."""
    scope[_KEY] = context


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the caller's request id if it is valid, else a new one."""
    given = headers.get(REQUEST_ID_HEADER, b"")
    return given.decode() if _VALID_ID.fullmatch(given) else os.urandom(16).hex()
