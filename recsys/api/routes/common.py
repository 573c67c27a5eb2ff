"""Parameter types and dependencies that several routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.exceptions import HTTPException

from recsys.api.context import request_context_of
from recsys.api.limits import MAX_ID_LENGTH
from recsys.api.lists.links import Links
from recsys.api.problems.types import METHOD_NOT_ALLOWED
from recsys.api.route_table import UNMATCHED
from recsys.api.schemas.common import NoParameters
from recsys.api.services import Served

_ID = r"^[^\x00-\x1f\x7f]+$"
ItemPath = Annotated[
    str, Path(min_length=1, max_length=MAX_ID_LENGTH, pattern=_ID, description="Id of an item.", examples=["p0001"])
]
UserPath = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_ID_LENGTH,
        pattern=_ID,
        description="Id of a user, known or not.",
        examples=["u001"],
    ),
]
NoQuery = Annotated[NoParameters, Query()]


async def check_route(request: Request) -> None:
    """Dependency of routes whose path ends in an id.

    Ids may contain slashes, so the framework also sends them paths of longer routes with another method. Without this
    check DELETE on the `/feedback` of a user, which does not exist, would erase a user whose id ends in "/feedback".

    Raises:
        HTTPException: The path belongs to a longer route.
    """
    if request_context_of(request.scope).route is UNMATCHED:
        raise HTTPException(METHOD_NOT_ALLOWED.status)


async def _links(request: Request, services: Served) -> Links:
    restyler = services.restyler
    return Links(services.security, restyler.settings, request.scope.get("root_path", ""), restyler.recipe)


LinkMaker = Annotated[Links, Depends(_links)]
"""Parameter type of a route that answers with links."""
