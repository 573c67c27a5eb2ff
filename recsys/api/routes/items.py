"""Single items and their pictures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from recsys.api.answers import item_view
from recsys.api.problem_types import (
    BAD_SIGNATURE,
    MISSING_KEY,
    NO_IMAGE,
    UNKNOWN_ITEM,
    UNKNOWN_REFERENCE,
    UNREADABLE_IMAGE,
)
from recsys.api.problems import ProblemError, problem_responses
from recsys.api.routes.common import ItemPath, LinkMaker, NoQuery
from recsys.api.schemas import ImageOptions, Item
from recsys.api.security import require_key, require_key_or_signature
from recsys.api.services import Served, Services
from recsys.pipeline.order import decode_style
from recsys.pipeline.recommender import Recommender
from recsys.pipeline.request import Request as RecommendationRequest
from recsys.pipeline.restyled import Restyled
from recsys.schema import ItemId, UserId
from style.fidelity import Limit
from style.provenance import ImageFormat, StyleCredit
from style.vector import StyleVector

router = APIRouter(prefix="/v1", tags=["items"])

_PICTURE = {
    "description": "The picture. `Restyle-Status` says whether it was computed, cached, or is the original.",
    "content": {kind.media_type: {"schema": {"type": "string", "format": "binary"}} for kind in ImageFormat},
    "headers": {
        "Restyle-Status": {"schema": {"type": "string", "enum": ["computed", "cached", "original"]}},
        "Restyle-Strength": {
            "schema": {"type": "number"},
            "description": "The strength used: at most the one asked, 0 for the original.",
        },
        "Restyle-Limited-By": {
            "schema": {"type": "string"},
            "description": f"What lowered the strength, separated by commas: {', '.join(Limit)}.",
        },
        "Restyle-Engine": {"schema": {"type": "string"}, "description": "Version of the engine, if one painted."},
        "ETag": {"schema": {"type": "string"}},
    },
}


@router.get(
    "/items/{item_id:path}/image",
    summary="A picture, restyled",
    dependencies=[Depends(require_key_or_signature)],
    response_class=Response,
    responses={
        200: _PICTURE,
        304: {"description": "The picture that you have is still the right one."},
        **problem_responses(MISSING_KEY, BAD_SIGNATURE, UNKNOWN_ITEM, NO_IMAGE, UNREADABLE_IMAGE, UNKNOWN_REFERENCE),
    },
)
def item_image(
    item_id: ItemPath, options: Annotated[ImageOptions, Query()], services: Served, request: Request
) -> Response:
    """The item's picture toward a user's taste, a style, a scene, another item's style, or as it is.

    Where the product would no longer look like the one on sale, the strength is lowered, and the headers say so. What
    cannot be rendered within the deadline is answered with the original, and rendered for the next caller.
    Restyled pictures say in their metadata (XMP, IPTC digital source type) that they are.
    """
    picture = _picture(ItemId(item_id), options, services)
    services.metrics.picture(picture.status, settled=picture.settled)
    headers = {
        "ETag": f'"{picture.etag}"',
        "Cache-Control": _cache_control(picture, options, services),
        "Restyle-Status": picture.status.value,
        "Restyle-Strength": f"{picture.strength:.3g}",
    }
    if picture.limited_by:
        headers["Restyle-Limited-By"] = ", ".join(picture.limited_by)
    if picture.engine is not None:
        headers["Restyle-Engine"] = picture.engine
    if _has_already(request.headers.get("If-None-Match", ""), picture.etag):
        return Response(status_code=304, headers=headers)
    return Response(picture.data, media_type=picture.media_type, headers=headers)


@router.get(
    "/items/{item_id:path}",
    summary="One item",
    dependencies=[Depends(require_key)],
    responses=problem_responses(MISSING_KEY, UNKNOWN_ITEM),
)
async def item(item_id: ItemPath, _: NoQuery, services: Served, links: LinkMaker) -> Item:
    """Title, category, price, availability and picture of an item."""
    return item_view(services.recommender.card(ItemId(item_id)), links)


def _picture(item_id: ItemId, options: ImageOptions, services: Services) -> Restyled:
    image = services.recommender.card(item_id).image
    if image is None:
        raise ProblemError(NO_IMAGE, f"Item {item_id!r} has no picture.")
    style, credit = _target(options, services.recommender)
    if style is None:
        return services.restyler.original(image, width=options.width, image_format=options.format)
    return services.restyler.render(
        image,
        style,
        strength=options.strength,
        mode=options.mode,
        keep_colour=options.keep_colour,
        width=options.width,
        image_format=options.format,
        deadline_ms=options.deadline_ms,
        credit=credit,
    )


def _target(options: ImageOptions, recommender: Recommender) -> tuple[StyleVector | None, StyleCredit | None]:
    """What to restyle toward, and whose work that is; no style for a user without a taste, or if none is asked for."""
    person = None if options.user is None else RecommendationRequest(user_id=UserId(options.user))
    if options.scene is not None:
        card = recommender.reference_for_scene(options.scene, person, options.taste_mode)
        return recommender.credited_reference(card.style_id)
    if person is not None:
        return recommender.style_for(person, options.taste_mode), None
    if options.style is not None:
        return recommender.credited_reference(options.style)
    if options.item is not None:
        return recommender.style_of_item(ItemId(options.item)), None
    return (None if options.vector is None else decode_style(options.vector)), None


def _cache_control(picture: Restyled, options: ImageOptions, services: Services) -> str:
    if not picture.settled:
        return "no-cache"
    if options.user is not None:
        return "private, max-age=300"
    # A signed link is itself the right to see the picture, hence any cache may keep it.
    shared = services.security.is_open or options.signature is not None
    return f"{'public' if shared else 'private'}, max-age=86400"


def _has_already(if_none_match: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or f'"{etag}"' in tags
