"""Lists: for a user, for an anonymous session, and of similar items."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from recsys.api.answers import recommendation_list, similar_entries
from recsys.api.problem_types import (
    MALFORMED_JSON,
    MISSING_KEY,
    OVERLOADED,
    TOO_LARGE,
    UNKNOWN_ITEM,
    UNKNOWN_REFERENCE,
)
from recsys.api.problems import problem_responses
from recsys.api.routes.common import ItemPath, LinkMaker, NoQuery, UserPath
from recsys.api.schemas import (
    RecommendationList,
    RecommendationOptions,
    SessionItem,
    SessionRequest,
    SimilarList,
    SimilarOptions,
)
from recsys.api.security import require_key
from recsys.api.services import Served
from recsys.config import EventSettings
from recsys.pipeline.request import Request
from recsys.schema import EventKind, ItemId, UserId

router = APIRouter(prefix="/v1", tags=["recommendations"], dependencies=[Depends(require_key)])


@router.get(
    "/users/{user_id:path}/recommendations",
    summary="Recommendations for a user",
    responses=problem_responses(MISSING_KEY, OVERLOADED, UNKNOWN_REFERENCE),
)
async def recommend_for_user(
    user_id: UserPath, options: Annotated[RecommendationOptions, Query()], services: Served, links: LinkMaker
) -> RecommendationList:
    """The best items for a user, best first, each with a reason and a link to its picture in the user's own style.

    A user of whom nothing is known gets the most popular items, and `basis` says so.
    """
    request = _request(options, Request(user_id=UserId(user_id)))
    return await recommendation_list(services, links, request, options)


@router.post(
    "/recommendations",
    summary="Recommendations for an anonymous session",
    responses=problem_responses(MISSING_KEY, OVERLOADED, UNKNOWN_REFERENCE, MALFORMED_JSON, TOO_LARGE),
)
async def recommend_for_session(
    body: SessionRequest, _: NoQuery, services: Served, links: LinkMaker
) -> RecommendationList:
    """The best items for somebody without an account, from what was touched in this session and chosen styles."""
    who = Request(items=_weights(body.items, services.events), styles=tuple(dict.fromkeys(body.styles)))
    request = _request(body, who)
    return await recommendation_list(services, links, request, body)


@router.get(
    "/items/{item_id:path}/similar",
    summary="Items like one item",
    responses=problem_responses(MISSING_KEY, OVERLOADED, UNKNOWN_ITEM, UNKNOWN_REFERENCE),
)
async def similar_items(
    item_id: ItemPath, options: Annotated[SimilarOptions, Query()], services: Served, links: LinkMaker
) -> SimilarList:
    """Items that look like this one, or that the same people like."""
    answer = await services.ranking.run(
        services.recommender.similar,
        ItemId(item_id),
        by=options.by,
        limit=options.limit,
        filters=options.filters(),
        user_id=None if options.user_id is None else UserId(options.user_id),
    )
    return SimilarList(
        items=similar_entries(services, links, answer), by=options.by, model_version=answer.model_version
    )


def _request(options: RecommendationOptions, who: Request) -> Request:
    """The request of a person with the options of a list."""
    return replace(
        who,
        limit=options.limit,
        filters=options.filters(),
        diversity=options.diversity,
        calibration=options.calibration,
        exploration=options.exploration,
        shown=frozenset(map(ItemId, options.shown)),
        refresh=options.refresh or "",
    )


def _weights(items: list[SessionItem], events: EventSettings) -> dict[ItemId, float]:
    weights: defaultdict[ItemId, float] = defaultdict(float)
    for item in items:
        event = item.event or EventKind.CLICK
        weights[ItemId(item.item_id)] += events.weight(event) if item.weight is None else item.weight
    # A like that was taken back says nothing.
    return {item_id: weight for item_id, weight in weights.items() if weight != 0}
