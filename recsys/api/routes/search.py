"""Search by an image or by words."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from recsys.api.auth.security import require_key
from recsys.api.lists.list_builder import profile_reader
from recsys.api.lists.presenters import near_styles, similar_entries
from recsys.api.lists.references import References
from recsys.api.problems.answers import FieldError, ProblemError, problem_responses
from recsys.api.problems.types import (
    ADDRESS_TOO_LONG,
    BAD_IMAGE,
    INVALID_REQUEST,
    LICENSE_FORBIDS,
    MISSING_KEY,
    OVERLOADED,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNKNOWN_REFERENCE,
    UNSUPPORTED_MEDIA,
)
from recsys.api.routes.common import LinkMaker
from recsys.api.routes.restyle import IMAGE_BODY, check_image_type
from recsys.api.schemas.search import KnownWord, SearchOptions, SearchResult
from recsys.api.services import Served
from recsys.api.uploads import embed_image
from recsys.ranking.request import TextReport

router = APIRouter(prefix="/v1", tags=["recommendations"], dependencies=[Depends(require_key)])


@router.post(
    "/search/style",
    summary="Search by an image or by words",
    responses=problem_responses(
        ADDRESS_TOO_LONG,
        MISSING_KEY,
        OVERLOADED,
        TOO_MANY_REQUESTS,
        UNKNOWN_REFERENCE,
        LICENSE_FORBIDS,
        BAD_IMAGE,
        UNSUPPORTED_MEDIA,
        TOO_LARGE,
    ),
    openapi_extra={"requestBody": {**IMAGE_BODY, "required": False}},
)
async def search_style(
    options: Annotated[SearchOptions, Query()], services: Served, links: LinkMaker, request: Request
) -> SearchResult:
    """Return products in the style of an image, sent as the body, or of `text`.

    Words have the meaning that they have in this catalog; the answer lists the words that were understood. The service
    stores nothing of an image.
    """
    image = await request.body()
    if (options.text is None) == (not image):
        what = "send either text or an image as the body, not both"
        raise ProblemError(INVALID_REQUEST, f"{what}.", [FieldError(detail=what, parameter="text")])
    report: TextReport | None = None
    if options.text is None:
        check_image_type(request)
        style = await embed_image(services, image)
        library = services.recommender.styles
        near = await services.ranking.run(lambda: near_styles(library.nearest_to_style(style)))
    else:
        report = await services.ranking.run(services.recommender.similar.style_of_text, options.text)
        style, near = report.style, near_styles(report.styles)
    names = References.read(options, services.recommender.catalog)
    profile_of = await profile_reader(services, options.user_id)
    answer = await services.ranking.run(
        lambda: services.recommender.similar.to_style(
            style, limit=options.limit, filters=names.filters, profile=profile_of()
        )
    )
    words = None
    if report is not None:
        words = [KnownWord(word=one.word, share=one.share, read_as=one.read_as) for one in report.words]
    return SearchResult(
        items=similar_entries(services, links, answer),
        styles=near,
        words=words,
        unknown=None if report is None else list(report.unknown),
        model_version=answer.model_version,
        hints=[*names.hints, *(f"there is no item {item_id!r} to exclude" for item_id in names.unknown)],
    )
