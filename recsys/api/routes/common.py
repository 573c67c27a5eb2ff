"""Parameter types that several routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from recsys.api.lists.links import Links
from recsys.api.middleware.body_limit import MAX_ID_LENGTH
from recsys.api.schemas.recommendations import NoParameters
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


async def _links(request: Request, services: Served) -> Links:
    restyler = services.restyler
    return Links(services.security, restyler.settings, request.scope.get("root_path", ""), restyler.recipe.identity)


LinkMaker = Annotated[Links, Depends(_links)]
"""Parameter type of a route that answers with links."""
