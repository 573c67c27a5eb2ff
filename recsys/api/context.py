"""One request and its answer, as the layers around the routes see them: read once, shared by all of them."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from recsys.api.auth.keys import Caller
from recsys.api.model_source import Snapshot

_PLACE = "recsys.exchange"


@dataclass(slots=True)
class RequestContext:
    """What `RequestContextMiddleware` found out, and what the layers inside add.

    `path` is the path below the prefix of a proxy. `headers` have lower-case names; of one that came twice the last
    counts. `caller` is None as long as nobody was recognized. `answer_headers` are added to the answer.
    `served`: the model of an experiment's arm, where that answers instead of `snapshot`. `shed` says that the request
    was refused under overload, where a line of log for each would cost too much.
    """

    request_id: str
    path: str
    headers: dict[bytes, bytes]
    snapshot: Snapshot
    caller: Caller | None = None
    answer_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    shed: bool = False
    served: Snapshot | None = None

    @property
    def model_version(self) -> str:
        """The version of the model that the answer comes from."""
        return (self.served or self.snapshot).recommender.version


def request_context_of(scope: MutableMapping[str, Any]) -> RequestContext:
    """The exchange that an ASGI scope belongs to."""
    exchange: RequestContext = scope[_PLACE]
    return exchange


def set_request_context(scope: MutableMapping[str, Any], exchange: RequestContext) -> None:
    """Make `exchange` the one that the layers inside find."""
    scope[_PLACE] = exchange
