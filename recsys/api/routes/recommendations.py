"""Routes of lists: for a user, for a session, and of similar items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi import Request as HttpRequest

from recsys.api.auth.security import authorize, require_key
from recsys.api.context import request_context_of
from recsys.api.lists.list_builder import ListBuilder, profile_reader
from recsys.api.lists.presenters import similar_entries
from recsys.api.lists.references import References
from recsys.api.problems.answers import problem_responses
from recsys.api.problems.types import (
    ADDRESS_TOO_LONG,
    BAD_CURSOR,
    BAD_IMAGE,
    LICENSE_FORBIDS,
    MALFORMED_JSON,
    MISSING_KEY,
    MISSING_SCOPE,
    OVERLOADED,
    STALE_CURSOR,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNKNOWN_ITEM,
    UNKNOWN_REFERENCE,
)
from recsys.api.routes.common import ItemPath, LinkMaker, NoQuery, UserPath
from recsys.api.schemas.recommendations import (
    RecommendationList,
    RecommendationOptions,
    SessionItem,
    SessionRequest,
    SimilarList,
    SimilarOptions,
)
from recsys.api.services import Served
from recsys.api.uploads import decode_image_field, embed_image
from recsys.config import EventSettings
from recsys.profiles.session import ItemState
from recsys.ranking.request import Request
from recsys.schema import EventKind, ItemId, Scope, Undo, UserId

_PROBLEMS = (
    ADDRESS_TOO_LONG,
    MISSING_KEY,
    MISSING_SCOPE,
    OVERLOADED,
    TOO_MANY_REQUESTS,
    UNKNOWN_REFERENCE,
    LICENSE_FORBIDS,
)

router = APIRouter(prefix="/v1", tags=["recommendations"], dependencies=[Depends(require_key)])


@router.get(
    "/users/{user_id:path}/recommendations",
    summary="Recommend to a user",
    responses={200: {"model": RecommendationList}, **problem_responses(*_PROBLEMS, BAD_CURSOR, STALE_CURSOR)},
)
async def recommend_for_user(
    user_id: UserPath,
    options: Annotated[RecommendationOptions, Query()],
    services: Served,
    links: LinkMaker,
    request: HttpRequest,
) -> Response:
    """Return the best items for a user, best first, each with a reason and a link to an image in the user's style.

    Events count from the moment that /v1/events accepted them. An unknown user gets the most popular items, and `basis`
    says so. Events and ratings refer to the answer by its `X-Request-ID`.
    """
    _check_force(options, request)
    names = References.read(options, services.recommender.catalog, options.shown)
    context = request_context_of(request.scope)
    builder = ListBuilder(services, links, context, options, _ranking_request(options, names), names)
    return await builder.answer_user(UserId(user_id), request.scope["query_string"])


@router.post(
    "/recommendations",
    summary="Recommend to a session",
    responses={
        200: {"model": RecommendationList},
        **problem_responses(*_PROBLEMS, BAD_CURSOR, STALE_CURSOR, MALFORMED_JSON, TOO_LARGE, BAD_IMAGE),
    },
)
async def recommend_for_session(
    body: SessionRequest, _: NoQuery, services: Served, links: LinkMaker, request: HttpRequest
) -> Response:
    """Return the best items for a visitor without a user id.

    The list rests on items of the session, chosen styles and a liked image.
    """
    _check_force(body, request)
    catalog = services.recommender.catalog
    names = References.read(body, catalog, body.shown)
    here = [item for item in body.items if catalog.has_item(ItemId(item.item_id))]
    known = {item.item_id for item in here}
    gone = [item.item_id for item in body.items if item.item_id not in known]
    names = replace(names, unknown=tuple(dict.fromkeys([*gone, *names.unknown])))
    states = _session_states(here, services.events)
    ranking_request = replace(
        _ranking_request(body, names),
        items={item_id: state.weight for item_id, state in states.items() if state.weight != 0},
        states=states,
        styles=tuple(dict.fromkeys(body.styles)),
        liked_styles=()
        if body.image_base64 is None
        else (await embed_image(services, decode_image_field(body.image_base64)),),
    )
    context = request_context_of(request.scope)
    return await ListBuilder(services, links, context, body, ranking_request, names).answer_session()


@router.get(
    "/items/{item_id:path}/similar",
    summary="List similar items",
    responses=problem_responses(*_PROBLEMS, UNKNOWN_ITEM),
)
async def similar_items(
    item_id: ItemPath, options: Annotated[SimilarOptions, Query()], services: Served, links: LinkMaker
) -> SimilarList:
    """Return items with a similar style, or items that the same users like."""
    names = References.read(options, services.recommender.catalog)
    profile_of = await profile_reader(services, options.user_id)
    answer = await services.ranking.run(
        lambda: services.recommender.similar.to_item(
            ItemId(item_id),
            by=options.by,
            limit=options.limit,
            filters=names.filters,
            profile=profile_of(),
        )
    )
    return SimilarList(
        items=similar_entries(services, links, answer),
        by=options.by,
        model_version=answer.model_version,
        unknown=list(names.unknown),
        hints=list(names.hints),
    )


def _session_states(items: Sequence[SessionItem], weights: EventSettings) -> dict[ItemId, ItemState]:
    """Return the state of each item after its events in the given order; plain weights add up and count last."""
    events: defaultdict[ItemId, list[tuple[EventKind | Undo, float]]] = defaultdict(list)
    plain: defaultdict[ItemId, float] = defaultdict(float)
    for item in items:
        of_item = events[ItemId(item.item_id)]
        if item.weight is not None:
            plain[ItemId(item.item_id)] += item.weight
        else:
            event = item.event or EventKind.CLICK
            of_item.append((event, 0.0 if isinstance(event, Undo) else weights.weight(event)))
    for item_id, weight in plain.items():
        if weight:
            events[item_id].append((EventKind.DISLIKE if weight < 0 else EventKind.CLICK, weight))
    return {item_id: ItemState.from_events(of_item) for item_id, of_item in events.items()}


def _check_force(options: RecommendationOptions, request: HttpRequest) -> None:
    """Raise ProblemError if the request forces arms without the scope admin."""
    if options.force:
        authorize(request, Scope.ADMIN)


def _ranking_request(options: RecommendationOptions, names: References) -> Request:
    """Return the ranking request without a user."""
    return Request(
        limit=options.limit,
        filters=names.filters,
        diversity=options.diversity,
        calibration=options.calibration,
        exploration=options.exploration,
        shown=names.shown,
        exploration_seed=options.exploration_seed or "",
    )
