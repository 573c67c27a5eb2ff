"""Search by a picture or by words, answered by looks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from recsys.api.auth.security import require_key
from recsys.api.lists.list_builder import exclude_interacted
from recsys.api.lists.presenters import near_styles, similar_entries
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
from recsys.api.routes.restyle import PICTURE_BODY, check_picture_type
from recsys.api.schemas.search import KnownWord, SearchOptions, SearchResult
from recsys.api.schemas.users import NearStyle
from recsys.api.services import Served
from recsys.api.uploads import look_of
from recsys.ranking.request import TextReport
from recsys.schema import UserId
from style.vector import StyleVector

router = APIRouter(prefix="/v1", tags=["recommendations"], dependencies=[Depends(require_key)])


@router.post(
    "/search/style",
    summary="Items that look like a picture, or like words",
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
    openapi_extra={"requestBody": {**PICTURE_BODY, "required": False}},
)
async def search_style(
    options: Annotated[SearchOptions, Query()], services: Served, links: LinkMaker, request: Request
) -> SearchResult:
    """Send a picture as the body, or `text`. Words are understood as this catalog uses them; the answer says which
    ones were. Nothing of a picture is kept."""
    picture = await request.body()
    if (options.text is None) == (not picture):
        what = "either text or a picture as the body is needed, and not both"
        raise ProblemError(INVALID_REQUEST, f"{what}.", [FieldError(detail=what, parameter="text")])
    report: TextReport | None = None
    if options.text is None:
        check_picture_type(request)
        style = await look_of(services, picture)
        near = await services.ranking.run(_near, services, style)
    else:
        report = await services.ranking.run(services.recommender.similar.style_of_text, options.text)
        style, near = report.style, near_styles(report.styles)
    answer = await services.ranking.run(
        services.recommender.similar.to_style,
        style,
        limit=options.limit,
        filters=await exclude_interacted(services, options.filters(), options.user_id),
        user_id=None if options.user_id is None else UserId(options.user_id),
    )
    return SearchResult(
        items=similar_entries(services, links, answer),
        styles=near,
        words=None
        if report is None
        else [KnownWord(word=w.word, share=w.share, read_as=w.read_as) for w in report.words],
        unknown=None if report is None else list(report.unknown),
        model_version=answer.model_version,
    )


def _near(services: Served, style: StyleVector) -> list[NearStyle]:
    return near_styles(services.recommender.styles.nearest_to_style(style))
