"""Routes of single items and their images."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from recsys.api.auth.security import require_key, require_key_or_signature
from recsys.api.images import IMAGE_RESPONSE, build_render_request, image_response, log_render
from recsys.api.lists.presenters import item_view
from recsys.api.problems.answers import ProblemError, problem_responses
from recsys.api.problems.types import (
    BAD_SIGNATURE,
    LICENSE_FORBIDS,
    MISSING_KEY,
    NO_IMAGE,
    UNKNOWN_ITEM,
    UNKNOWN_REFERENCE,
    UNREADABLE_IMAGE,
)
from recsys.api.routes.common import ItemPath, LinkMaker, NoQuery
from recsys.api.schemas.images import ImageOptions, ItemImageOptions
from recsys.api.schemas.recommendations import Item
from recsys.api.services import Served, Services
from recsys.schema import ItemId

router = APIRouter(prefix="/v1", tags=["items"])

_IMAGE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: IMAGE_RESPONSE,
    304: {"description": "The image that the caller has is still the right one."},
    **problem_responses(
        MISSING_KEY, BAD_SIGNATURE, UNKNOWN_ITEM, NO_IMAGE, UNREADABLE_IMAGE, UNKNOWN_REFERENCE, LICENSE_FORBIDS
    ),
}


@router.get(
    "/items/{item_id:path}/image",
    summary="Get an image of an item",
    dependencies=[Depends(require_key_or_signature)],
    response_class=Response,
    responses=_IMAGE_RESPONSES,
)
async def item_image(
    item_id: ItemPath, options: Annotated[ImageOptions, Query()], services: Served, request: Request
) -> Response:
    """Return the item's photo, restyled toward a user's taste, a style, a scene, another item or words, or unchanged.

    Limits of fidelity keep the product recognizable: they can lower the strength, and headers say so. If the image is
    not ready by the deadline, the answer is the original; the restyled image is ready for the next caller. Restyled
    images say in their metadata (XMP, IPTC digital source type) that they are. Links from lists are `immutable` for
    caches as long as photo, style and engine are those that the link was made for.
    """
    return await _image(item_id, options, services, request)


@router.get(
    "/item-image",
    summary="Get an image of an item by a parameter",
    dependencies=[Depends(require_key_or_signature)],
    response_class=Response,
    responses=_IMAGE_RESPONSES,
)
async def image_of_item(options: Annotated[ItemImageOptions, Query()], services: Served, request: Request) -> Response:
    """Return the same image as `/v1/items/{item_id}/image`, for ids that browsers remove from paths: `.` and `..`."""
    return await _image(options.item_id, options, services, request)


async def _image(item_id: str, options: ImageOptions, services: Services, request: Request) -> Response:
    photo = services.recommender.catalog.card(ItemId(item_id)).image
    if photo is None:
        raise ProblemError(NO_IMAGE, f"Item {item_id!r} has no image.")
    render_request = await build_render_request(options, photo, services, options.engine)
    future = services.restyler.submit(render_request)
    # Compared before the image is ready: an image that changes in the meantime must not be called immutable.
    is_current = options.photo is not None and options.photo == render_request.link_state()
    result = await asyncio.wrap_future(future)
    services.metrics.count_image(result.status, settled=result.settled)
    if options.signature is None:
        # Signed links come from lists, whose exposures log the user.
        log_render(services, request, result, options.user, item_id)
    if not result.settled:
        cache_control = "no-cache"
    elif options.user is not None:
        cache_control = "private, max-age=300"
    elif options.signature is not None and is_current:
        cache_control = "public, max-age=31536000, immutable"
    else:
        # A signed link gives the right to see the image, hence any cache may store it.
        is_public = services.security.is_open or options.signature is not None
        cache_control = f"{'public' if is_public else 'private'}, max-age=86400"
    return image_response(result, render_request.target, cache_control, request)


@router.get(
    "/items/{item_id:path}",
    summary="Get an item",
    dependencies=[Depends(require_key)],
    responses=problem_responses(MISSING_KEY, UNKNOWN_ITEM),
)
async def item(item_id: ItemPath, _: NoQuery, services: Served, links: LinkMaker) -> Item:
    """Return the title, category, price, availability and image of an item."""
    return item_view(services.recommender.catalog.card(ItemId(item_id)), links)
