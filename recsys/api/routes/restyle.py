"""A caller's own picture, restyled."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from recsys.api.auth.security import require_key
from recsys.api.images import PICTURE, awaited_target, log_render, picture_response, submitted
from recsys.api.problems.answers import ProblemError, problem_responses
from recsys.api.problems.types import (
    BAD_PICTURE,
    LICENSE_FORBIDS,
    MISSING_KEY,
    TOO_LARGE,
    UNKNOWN_REFERENCE,
    UNSUPPORTED_MEDIA,
)
from recsys.api.schemas.recommendations import PictureOptions
from recsys.api.services import Served
from style.errors import ImageError
from style.provenance.mark import ImageFormat

router = APIRouter(prefix="/v1", tags=["pictures"])

_TYPES = frozenset(kind.media_type for kind in ImageFormat)
PICTURE_BODY = {
    "required": True,
    "content": {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in sorted(_TYPES)},
}


@router.post(
    "/restyle",
    summary="Your own picture, restyled",
    dependencies=[Depends(require_key)],
    response_class=Response,
    responses={
        200: PICTURE,
        **problem_responses(MISSING_KEY, UNKNOWN_REFERENCE, LICENSE_FORBIDS, BAD_PICTURE, UNSUPPORTED_MEDIA, TOO_LARGE),
    },
    openapi_extra={"requestBody": PICTURE_BODY},
)
async def restyle(options: Annotated[PictureOptions, Query()], services: Served, request: Request) -> Response:
    """The picture in the body toward a user's taste, a style, a scene, an item's style or words; without any, as
    it is.

    Nothing of it is kept, neither the picture nor what was made of it, and its metadata are dropped; the audit log
    keeps the answer's SHA-256, toward what it went and under which license.
    """
    check_picture_type(request)
    target = await awaited_target(options, services)
    coming = submitted(services.restyler, await request.body(), target, options)
    try:
        picture = await asyncio.wrap_future(coming)
    except ImageError as error:
        raise ProblemError(BAD_PICTURE, f"{str(error)[:300]}.") from None
    log_render(services, request, picture, options.user, None)
    return picture_response(picture, "private, no-store", request, target.near)


def check_picture_type(request: Request) -> None:
    """Raises ProblemError unless the body is said to be a picture that is accepted."""
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type not in _TYPES:
        raise ProblemError(UNSUPPORTED_MEDIA, f"The body is said to be {media_type[:80] or 'nothing'!r}.")
