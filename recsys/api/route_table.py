"""Route table: one entry for each route, with everything that the layers around the routes need to know.

A new route is one entry in `ROUTES` and one function in `recsys/api/routes`. `RequestContextMiddleware` matches each
request once; the other layers read `RequestContext.route`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from recsys.api.limits import MAX_BATCH_BYTES, MAX_BODY_BYTES, MAX_EVENTS_BYTES, MAX_IMAGE_BYTES, MAX_IMAGE_JSON_BYTES
from recsys.schema import Scope

IDEMPOTENT_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods that accept an Idempotency-Key."""
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


class Guard(StrEnum):
    """Checks before a route."""

    NONE = "none"
    """No key, no rate limit, no load shedding."""
    RATE = "rate"
    """Rate limit only."""
    KEY = "key"
    """API key and rate limit."""
    KEY_OR_LINK = "key or link"
    """API key and rate limit, or a signed link, which needs neither."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One route: a method and a path, as the framework writes it.

    Attributes:
        method: HTTP method.
        path: Path with at most one parameter; `{name:path}` also matches slashes.
        guard: Checks before the route.
        scope: Scope that the caller's key needs; it is checked before the body is read.
        ranks: Whether the route needs the ranking pool, so that it is rejected under overload.
        cacheable: Whether the response cache holds its answers. Only routes of one user can be cacheable.
        max_body_bytes: Limit of the body.
        max_text_bytes: Limit of a JSON body without its long strings, which are images in base64.
        max_image_bytes: Limit of a body with an image type, if the route accepts one.
    """

    method: str
    path: str
    guard: Guard = Guard.KEY
    scope: Scope = Scope.READ
    ranks: bool = False
    cacheable: bool = False
    max_body_bytes: int = MAX_BODY_BYTES
    max_text_bytes: int = MAX_BODY_BYTES
    max_image_bytes: int | None = None

    @property
    def described_path(self) -> str:
        """Path as OpenAPI writes it."""
        return self.path.replace(":path}", "}")

    @property
    def per_user(self) -> bool:
        """Return whether the path names a user."""
        return "{user_id" in self.path

    @property
    def idempotent(self) -> bool:
        """Return whether the route accepts an Idempotency-Key."""
        return self.method in IDEMPOTENT_METHODS

    def body_limit(self, content_type: bytes) -> int:
        """Return the largest number of bytes that a body of this type may have."""
        if self.max_image_bytes is not None and is_image(content_type):
            return self.max_image_bytes
        return self.max_body_bytes


UNMATCHED = Route("-", "-")
"""Route of a request that matches no entry."""

USER_LIST = Route("GET", "/v1/users/{user_id:path}/recommendations", ranks=True, cacheable=True)
ITEM_IMAGE = Route("GET", "/v1/items/{item_id:path}/image", Guard.KEY_OR_LINK)
IMAGE_OF_ITEM = Route("GET", "/v1/item-image", Guard.KEY_OR_LINK)
"""For ids `.` and `..`: browsers remove such parts from a path, however they are written."""

# In the order of matching: ids may contain slashes, so a longer path stands before a shorter one that includes it.
ROUTES = (
    USER_LIST,
    Route("POST", "/v1/recommendations", ranks=True, max_body_bytes=MAX_IMAGE_JSON_BYTES),
    Route("GET", "/v1/items/{item_id:path}/similar", ranks=True),
    Route("POST", "/v1/search/style", ranks=True, max_image_bytes=MAX_IMAGE_BYTES),
    Route("POST", "/v1/events", scope=Scope.EVENTS, max_body_bytes=MAX_EVENTS_BYTES, max_text_bytes=MAX_EVENTS_BYTES),
    Route("GET", "/v1/users/{user_id:path}/taste"),
    Route("PUT", "/v1/users/{user_id:path}/taste", scope=Scope.EVENTS),
    Route("DELETE", "/v1/users/{user_id:path}/taste", scope=Scope.EVENTS),
    Route("POST", "/v1/users/{user_id:path}/feedback", scope=Scope.EVENTS),
    Route("POST", "/v1/users/{user_id:path}:merge", scope=Scope.EVENTS),
    Route("DELETE", "/v1/users/{user_id:path}", scope=Scope.ADMIN),
    Route("GET", "/v1/styles"),
    Route("POST", "/v1/restyle", max_image_bytes=MAX_IMAGE_BYTES),
    ITEM_IMAGE,
    IMAGE_OF_ITEM,
    Route("GET", "/v1/items/{item_id:path}"),
    Route("PUT", "/v1/items/{item_id:path}", scope=Scope.EVENTS, max_body_bytes=MAX_IMAGE_JSON_BYTES),
    Route("DELETE", "/v1/items/{item_id:path}", scope=Scope.EVENTS),
    Route("PATCH", "/v1/items/{item_id:path}", scope=Scope.EVENTS, max_body_bytes=MAX_IMAGE_JSON_BYTES),
    Route("POST", "/v1/items:batch", scope=Scope.EVENTS, max_body_bytes=MAX_BATCH_BYTES),
    Route("PATCH", "/v1/items:batch", scope=Scope.EVENTS, max_body_bytes=MAX_BATCH_BYTES),
    Route("GET", "/v1/experiments"),
    Route("POST", "/v1/experiments:plan", scope=Scope.ADMIN),
    Route("GET", "/v1/experiments/{key}"),
    Route("GET", "/v1/experiments/{key}/assignment"),
    Route("GET", "/v1/experiments/{key}/results", scope=Scope.ADMIN),
    Route("POST", "/v1/admin/experiments", scope=Scope.ADMIN),
    Route("POST", "/v1/admin/experiments/{key}:start", scope=Scope.ADMIN),
    Route("POST", "/v1/admin/experiments/{key}:ramp", scope=Scope.ADMIN),
    Route("POST", "/v1/admin/experiments/{key}:stop", scope=Scope.ADMIN),
    Route("GET", "/v1/models", scope=Scope.ADMIN),
    Route("POST", "/v1/admin/models/{version}:activate", scope=Scope.ADMIN),
    Route("POST", "/v1/admin:drain", scope=Scope.ADMIN),
    Route("GET", "/livez", Guard.NONE),
    Route("GET", "/readyz", Guard.NONE),
    Route("GET", "/metrics", Guard.NONE),
    Route("GET", "/problems", Guard.RATE),
    Route("GET", "/problems/{slug}", Guard.RATE),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """The routes of one path by method, and the lengths of the text around a user id, if the path has one."""

    routes: dict[str, Route]
    around_user: tuple[int, int] | None

    def user_id(self, path: str) -> str | None:
        """Return the user id in a path that matches, None if there is none."""
        if self.around_user is None:
            return None
        before, after = self.around_user
        return path[before : len(path) - after] or None


def _build_index() -> tuple[dict[str, _Path], list[_Path], re.Pattern[str]]:
    """Return paths without a parameter, paths with one, and one pattern for all of the latter."""
    literal: dict[str, _Path] = {}
    parametric: dict[str, _Path] = {}
    patterns = []
    for route in ROUTES:
        parameter = _PARAMETER.search(route.path)
        if parameter is None:
            literal.setdefault(route.path, _Path({}, None)).routes[route.method] = route
            continue
        before, after = route.path[: parameter.start()], route.path[parameter.end() :]
        if route.path not in parametric:
            parametric[route.path] = _Path({}, (len(before), len(after)) if route.per_user else None)
            text = ".*" if parameter[2] else "[^/]+"
            patterns.append(f"({re.escape(before)}{text}{re.escape(after)})")
        parametric[route.path].routes[route.method] = route
    return literal, [*parametric.values()], re.compile("|".join(patterns))


_LITERAL, _PARAMETRIC, _PATTERN = _build_index()


def _find_path(path: str) -> _Path | None:
    literal = _LITERAL.get(path)
    if literal is not None:
        return literal
    match = _PATTERN.fullmatch(path)
    # Each alternative is one group, so the number of the group names the path.
    return None if match is None or match.lastindex is None else _PARAMETRIC[match.lastindex - 1]


def match_route(method: str, path: str) -> tuple[Route, str | None]:
    """Return the route of a request and the user id in its path.

    Args:
        method: HTTP method.
        path: Decoded path below the prefix of a proxy.

    Returns:
        The route, `UNMATCHED` if there is none; the user id, None if the path names no user.
    """
    found = _find_path(path)
    return (UNMATCHED, None) if found is None else (found.routes.get(method, UNMATCHED), found.user_id(path))


def allowed_methods(path: str) -> str | None:
    """Return the header `Allow` of a path, None if the table does not have the path."""
    found = _find_path(path)
    if found is None:
        return None
    head = ("HEAD",) if "GET" in found.routes else ()
    return ", ".join(sorted((*found.routes, *head)))


def is_image(content_type: bytes) -> bool:
    """Return whether a content type is one of images."""
    return content_type.lower().startswith(b"image/")


def image_path(item_id: str) -> str:
    """Return the path of an item's image; `item_id` is inserted as it is."""
    return f"/v1/items/{item_id}/image"
