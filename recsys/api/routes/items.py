"""Single items and their pictures."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from recsys.api.auth.security import require_key, require_key_or_signature
from recsys.api.images import PICTURE, awaited_target, log_render, picture_response, submitted
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
from recsys.api.schemas.recommendations import ImageOptions, Item
from recsys.api.services import Served, Services
from recsys.restyling.render_request import encode_style, photo_state, settings_state
from recsys.restyling.render_result import RenderResult
from recsys.schema import ItemId

router = APIRouter(prefix="/v1", tags=["items"])


@router.get(
    "/items/{item_id:path}/image",
    summary="A picture, restyled",
    dependencies=[Depends(require_key_or_signature)],
    response_class=Response,
    responses={
        200: PICTURE,
        304: {"description": "The picture that you have is still the right one."},
        **problem_responses(
            MISSING_KEY, BAD_SIGNATURE, UNKNOWN_ITEM, NO_IMAGE, UNREADABLE_IMAGE, UNKNOWN_REFERENCE, LICENSE_FORBIDS
        ),
    },
)
async def item_image(
    item_id: ItemPath, options: Annotated[ImageOptions, Query()], services: Served, request: Request
) -> Response:
    """The item's picture toward a user's taste, a style, a scene, another item's style, words, or as it is.

    Where the product would no longer look like the one on sale, the strength is lowered, and the headers say so. What
    cannot be rendered within the deadline is answered with the original, and rendered for the next caller.
    Restyled pictures say in their metadata (XMP, IPTC digital source type) that they are. Links from lists are
    `immutable` for caches as long as photo, style and engine are those that they were made for.
    """
    image = services.recommender.catalog.card(ItemId(item_id)).image
    if image is None:
        raise ProblemError(NO_IMAGE, f"Item {item_id!r} has no picture.")
    target = await awaited_target(options, services)
    coming = submitted(services.restyler, image, target, options, options.engine)
    # Before the picture is there: what changes in the meantime must not be said to stay.
    made_by = settings_state(services.restyler.settings, services.restyler.recipe.identity)
    encoded = None if target.style is None else encode_style(target.style)
    same = options.photo is not None and options.photo == photo_state(image, encoded, made_by)
    picture = await asyncio.wrap_future(coming)
    services.metrics.picture(picture.status, settled=picture.settled)
    if options.signature is None:
        # Links come from lists, whose exposures say to whom they were shown.
        log_render(services, request, picture, options.user, item_id)
    return picture_response(picture, _cache_control(picture, options, services, same=same), request, target.near)


@router.get(
    "/items/{item_id:path}",
    summary="One item",
    dependencies=[Depends(require_key)],
    responses=problem_responses(MISSING_KEY, UNKNOWN_ITEM),
)
async def item(item_id: ItemPath, _: NoQuery, services: Served, links: LinkMaker) -> Item:
    """Title, category, price, availability and picture of an item."""
    return item_view(services.recommender.catalog.card(ItemId(item_id)), links)


def _cache_control(picture: RenderResult, options: ImageOptions, services: Services, *, same: bool) -> str:
    if not picture.settled:
        return "no-cache"
    if options.user is not None:
        return "private, max-age=300"
    if options.signature is not None and same:
        return "public, max-age=31536000, immutable"
    # A signed link is itself the right to see the picture, hence any cache may keep it.
    shared = services.security.is_open or options.signature is not None
    return f"{'public' if shared else 'private'}, max-age=86400"
