"""Images over HTTP: from the options of a request to a render request, and from a result to a response."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from recsys.api.context import request_context_of
from recsys.api.schemas.images import TargetOptions
from recsys.api.services import Services
from recsys.profiles.taste import Taste
from recsys.restyling.render_request import RenderRequest
from recsys.restyling.render_result import RenderResult
from recsys.restyling.target import StyleTarget
from recsys.schema import ItemId, UserId
from recsys.serving.render_audit import log_image
from style.fidelity import Limit
from style.provenance.mark import ImageFormat

IMAGE_RESPONSE: dict[str, Any] = {
    "description": "The image. `Restyle-Status` says if it was computed, cached, or is the original.",
    "content": {kind.media_type: {"schema": {"type": "string", "format": "binary"}} for kind in ImageFormat},
    "headers": {
        "Restyle-Status": {"schema": {"type": "string", "enum": ["computed", "cached", "original"]}},
        "Restyle-Strength": {
            "schema": {"type": "number"},
            "description": "The strength used: at most the requested strength, 0 for the original.",
        },
        "Restyle-Limited-By": {
            "schema": {"type": "string"},
            "description": f"Limits that lowered the strength, separated by commas: {', '.join(Limit)}.",
        },
        "Restyle-Near": {
            "schema": {"type": "string"},
            "description": "With `text`: the style references nearest to the words, and the cosine of each.",
        },
        "Restyle-Engine": {"schema": {"type": "string"}, "description": "Version of the engine, if one painted."},
        "ETag": {"schema": {"type": "string"}},
    },
}


async def build_render_request(
    options: TargetOptions, photo: Path | bytes, services: Services, engine: str | None = None
) -> RenderRequest:
    """Build the render request of an image route. Only the lookup of a user needs a thread.

    Args:
        options: Query of the HTTP request.
        photo: File of an item, or the bytes of the caller's photo.
        services: Services with the snapshot of this HTTP request.
        engine: Name of an engine; default: the setting.

    Raises:
        UnknownIdError: The options name an unknown item or style reference.
        RightsError: The license of the style reference forbids restyling.
        RequestError: The options name an unknown scene, words or taste component.
        VectorError: The options hold a text that is not an encoded style vector.
    """
    recommender = services.recommender

    def resolve(taste: Taste | None) -> StyleTarget | None:
        return StyleTarget.resolve(
            recommender,
            taste=taste,
            component=options.taste_component,
            style=options.style,
            item=None if options.item is None else ItemId(options.item),
            scene=options.scene,
            text=options.text,
            vector=options.vector,
        )

    if options.user is None:
        target = resolve(None)
    else:
        user_id = UserId(options.user)
        state = await services.state(user_id)
        target = await run_in_threadpool(
            lambda: resolve(recommender.profile(services.request_of(user_id, state)).taste)
        )
    renderer = services.restyler
    return RenderRequest.from_settings(
        renderer.settings,
        photo,
        target,
        recipe=renderer.recipe,
        strength=options.strength,
        mode=options.mode,
        keep_color=options.keep_color,
        width=options.width,
        engine=engine,
        image_format=options.format,
        deadline_ms=options.deadline_ms,
    )


def image_response(result: RenderResult, target: StyleTarget | None, cache_control: str, request: Request) -> Response:
    """Return an image with its headers, or status 304 if the caller already has it.

    Args:
        result: The image.
        target: Target of the render request; if it was named by words, the nearest styles become a header.
        cache_control: Value of the header `Cache-Control`.
        request: HTTP request.
    """
    headers = {
        "ETag": f'"{result.etag}"',
        "Cache-Control": cache_control,
        "Restyle-Status": result.status.value,
        "Restyle-Strength": f"{result.strength:.3g}",
        # Browsers must never take an image for a page of this origin.
        "X-Content-Type-Options": "nosniff",
    }
    if result.limited_by:
        headers["Restyle-Limited-By"] = ", ".join(result.limited_by)
    if target is not None and target.words is not None and target.words.styles:
        near = (f"{quote(style.style_id)};q={style.similarity:.2f}" for style in target.words.styles)
        headers["Restyle-Near"] = ", ".join(near)
    if result.engine is not None:
        headers["Restyle-Engine"] = result.engine
    if request.method == "GET":
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")}
        if "*" in known or headers["ETag"] in known:
            return Response(status_code=304, headers=headers)
    return Response(result.data, media_type=result.media_type, headers=headers)


def log_render(
    services: Services, request: Request, result: RenderResult, user_id: str | None, item_id: str | None
) -> None:
    """Log on the writing thread that a restyled image was served; the response does not wait for it.

    Args:
        services: Services with the writing thread and the audit log.
        request: HTTP request.
        result: The image.
        user_id: User whose taste was the target, None if there was none.
        item_id: Item of the photo, None for a caller's own photo.
    """
    request_id = request_context_of(request.scope).request_id
    services.writer.submit(log_image, services.live.renders, result, request_id, user_id, item_id)
