"""Route that restyles a caller's own photo."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from recsys.api.auth.security import require_key
from recsys.api.images import IMAGE_RESPONSE, build_render_request, image_response, log_render
from recsys.api.problems.answers import ProblemError, problem_responses
from recsys.api.problems.types import (
    BAD_IMAGE,
    LICENSE_FORBIDS,
    MISSING_KEY,
    TOO_LARGE,
    UNKNOWN_REFERENCE,
    UNSUPPORTED_MEDIA,
)
from recsys.api.schemas.images import TargetOptions
from recsys.api.services import Served
from style.errors import ImageError
from style.provenance.mark import ImageFormat

router = APIRouter(prefix="/v1", tags=["images"])

_TYPES = frozenset(kind.media_type for kind in ImageFormat)
IMAGE_BODY = {
    "required": True,
    "content": {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in sorted(_TYPES)},
}


@router.post(
    "/restyle",
    summary="Restyle a photo",
    dependencies=[Depends(require_key)],
    response_class=Response,
    responses={
        200: IMAGE_RESPONSE,
        **problem_responses(MISSING_KEY, UNKNOWN_REFERENCE, LICENSE_FORBIDS, BAD_IMAGE, UNSUPPORTED_MEDIA, TOO_LARGE),
    },
    openapi_extra={"requestBody": IMAGE_BODY},
)
async def restyle(options: Annotated[TargetOptions, Query()], services: Served, request: Request) -> Response:
    """Return the photo in the body, restyled toward a user's taste, a style, a scene, an item or words, or unchanged.

    Neither the photo nor the image made of it is stored, and the photo's metadata are dropped. The audit log stores
    the SHA-256 of the answer, its style reference and license.
    """
    check_image_type(request)
    render_request = await build_render_request(options, await request.body(), services)
    try:
        result = await asyncio.wrap_future(services.restyler.submit(render_request))
    except ImageError as error:
        raise ProblemError(BAD_IMAGE, f"{str(error)[:300]}.") from None
    log_render(services, request, result, options.user, None)
    return image_response(result, render_request.target, "private, no-store", request)


def check_image_type(request: Request) -> None:
    """Raise ProblemError unless the Content-Type names an accepted image format."""
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type not in _TYPES:
        raise ProblemError(UNSUPPORTED_MEDIA, f"The body is said to be {media_type[:80] or 'nothing'!r}.")
