"""Pictures as answers: toward what they go, and what the headers say of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from recsys.api.context import request_context_of
from recsys.api.schemas.recommendations import PictureOptions
from recsys.api.services import Services
from recsys.profiles.style_library import StyleNeighbor
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request as RecommendationRequest
from recsys.restyling.render_request import decode_style
from recsys.restyling.render_result import RenderResult
from recsys.restyling.renderer import Renderer
from recsys.schema import ItemId, UserId
from recsys.serving.render_audit import keep_render
from style.credit import StyleCredit
from style.fidelity import Limit
from style.provenance.mark import ImageFormat
from style.vector import StyleVector


class Target(NamedTuple):
    """What to restyle toward, whose work that is, and the styles of the library nearest to what words asked for."""

    style: StyleVector | None
    credit: StyleCredit | None = None
    near: tuple[StyleNeighbor, ...] = ()


PICTURE: dict[str, Any] = {
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
        "Restyle-Near": {
            "schema": {"type": "string"},
            "description": "With `text`: the styles nearest to what it asks for, and the cosine of each.",
        },
        "Restyle-Engine": {"schema": {"type": "string"}, "description": "Version of the engine, if one painted."},
        "ETag": {"schema": {"type": "string"}},
    },
}


def target_of(options: PictureOptions, recommender: Recommender, person: RecommendationRequest | None) -> Target:
    """What options name; no style for a `person` without a taste, or if none is asked for.

    Raises UnknownIdError, RequestError, VectorError.
    """
    if options.scene is not None:
        known = None if person is None else recommender.profile(person).taste
        card = recommender.styles.card_for_scene(options.scene, known, options.taste_mode)
        return Target(*recommender.styles.reference_with_credit(card.style_id))
    taste = None if person is None else recommender.style_for(person, options.taste_mode)
    if options.text is not None:
        report = recommender.similar.style_of_text(options.text, taste)
        return Target(report.style, near=report.styles)
    if person is not None:
        return Target(taste)
    if options.style is not None:
        return Target(*recommender.styles.reference_with_credit(options.style))
    if options.item is not None:
        return Target(recommender.catalog.style(ItemId(options.item)))
    return Target(None if options.vector is None else decode_style(options.vector))


async def awaited_target(options: PictureOptions, services: Services) -> Target:
    """`target_of` for an event loop: only what has to look up a person goes to a thread."""
    if options.user is None:
        return target_of(options, services.recommender, None)
    user_id = UserId(options.user)
    state = await services.state(user_id)
    return await run_in_threadpool(
        lambda: target_of(options, services.recommender, services.request_of(user_id, state))
    )


def submitted(
    restyler: Renderer, photo: Path | bytes, target: Target, options: PictureOptions, engine: str | None = None
) -> Future[RenderResult]:
    """The picture that options ask for, to be awaited; it carries ImageError. `engine`: default the setting's."""
    if target.style is None:
        return restyler.submit_original(photo, width=options.width, image_format=options.format)
    return restyler.submit(
        photo,
        target.style,
        strength=options.strength,
        mode=options.mode,
        keep_color=options.keep_color,
        width=options.width,
        engine=engine,
        image_format=options.format,
        deadline_ms=options.deadline_ms,
        credit=target.credit,
    )


def picture_response(
    picture: RenderResult, cache_control: str, request: Request, near: Sequence[StyleNeighbor] = ()
) -> Response:
    """The picture with its headers, or 304 where the caller has it already; `near` as in `Target`."""
    headers = {
        "ETag": f'"{picture.etag}"',
        "Cache-Control": cache_control,
        "Restyle-Status": picture.status.value,
        "Restyle-Strength": f"{picture.strength:.3g}",
        # A picture must never be taken for a page of this origin.
        "X-Content-Type-Options": "nosniff",
    }
    if picture.limited_by:
        headers["Restyle-Limited-By"] = ", ".join(picture.limited_by)
    if near:
        headers["Restyle-Near"] = ", ".join(f"{quote(one.style_id)};q={one.similarity:.2f}" for one in near)
    if picture.engine is not None:
        headers["Restyle-Engine"] = picture.engine
    if request.method == "GET" and _has_already(request.headers.get("If-None-Match", ""), picture.etag):
        return Response(status_code=304, headers=headers)
    return Response(picture.data, media_type=picture.media_type, headers=headers)


def log_render(
    services: Services, request: Request, picture: RenderResult, user_id: str | None, item_id: str | None
) -> None:
    """Have the audit log keep that a restyled picture was given out; nobody waits for that."""
    request_id = request_context_of(request.scope).request_id
    services.writer.submit(keep_render, services.live.renders, picture, request_id, user_id, item_id)


def _has_already(if_none_match: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or f'"{etag}"' in tags
