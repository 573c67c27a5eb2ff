"""What is known of a person's taste, and the styles to choose from."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool

from recsys.api.auth.security import require, require_key
from recsys.api.lists.links import Links
from recsys.api.lists.presenters import taste_view
from recsys.api.problems.answers import FieldError, ProblemError, problem_responses
from recsys.api.problems.types import (
    IDEMPOTENCY_IN_PROGRESS,
    LICENSE_FORBIDS,
    MALFORMED_JSON,
    MISSING_KEY,
    MISSING_SCOPE,
    OVERLOADED,
    STORAGE_FULL,
    TOO_MANY_REQUESTS,
    UNKNOWN_REFERENCE,
)
from recsys.api.routes.common import LinkMaker, NoQuery, UserPath, check_route
from recsys.api.schemas.users import Erased, FeedbackIn, FeedbackResult, Style, StyleList, Taste, TasteIn
from recsys.api.services import Served, Services
from recsys.clock import now
from recsys.restyling.policy import Viewer
from recsys.schema import Scope, UserId
from recsys.serving.erasure import ErasureReport, erase_user
from recsys.storage.live.feedback import Rating
from recsys.storage.live.user_state import UserState

_READING = (MISSING_KEY, OVERLOADED, TOO_MANY_REQUESTS)
_WRITING = (*_READING, MISSING_SCOPE, STORAGE_FULL, IDEMPOTENCY_IN_PROGRESS)

router = APIRouter(prefix="/v1", tags=["taste"])


@router.get(
    "/users/{user_id:path}/taste",
    summary="A user's taste, explained",
    dependencies=[Depends(require_key)],
    responses=problem_responses(*_READING),
)
async def user_taste(user_id: UserPath, _: NoQuery, services: Served, links: LinkMaker) -> Taste:
    """The modes of a user's taste, each with the nearest styles and products that show it, and what the user chose."""
    return await _taste(UserId(user_id), services, links)


@router.put(
    "/users/{user_id:path}/taste",
    summary="Choose a taste",
    dependencies=[Depends(require(Scope.EVENTS))],
    responses=problem_responses(*_WRITING, MALFORMED_JSON, UNKNOWN_REFERENCE, LICENSE_FORBIDS),
)
async def choose_taste(user_id: UserPath, body: TasteIn, _: NoQuery, services: Served, links: LinkMaker) -> Taste:
    """From now on the chosen styles are the user's taste, whatever was touched; `strength` is that of the pictures."""
    for style_id in body.styles:
        services.recommender.styles.reference(style_id)
    styles = list(dict.fromkeys(body.styles))
    await services.write(lambda: services.live.tastes.put(user_id, styles, body.strength, now()))
    return await _taste(UserId(user_id), services, links)


@router.delete(
    "/users/{user_id:path}/taste",
    summary="Start the taste anew",
    dependencies=[Depends(require(Scope.EVENTS))],
    responses=problem_responses(*_WRITING),
)
async def reset_taste(user_id: UserPath, _: NoQuery, services: Served, links: LinkMaker) -> Taste:
    """What was chosen is forgotten, and what the user did so far no longer says anything of the taste; what they do
    from now on does."""

    def reset() -> None:
        services.live.tastes.reset(user_id, services.live.events.last_seq(), now())

    await services.write(reset)
    return await _taste(UserId(user_id), services, links)


@router.post(
    "/users/{user_id:path}/feedback",
    summary="Say whether a restyled picture satisfied",
    dependencies=[Depends(require(Scope.EVENTS))],
    responses=problem_responses(*_WRITING, MALFORMED_JSON, UNKNOWN_REFERENCE),
)
async def post_feedback(user_id: UserPath, body: FeedbackIn, _: NoQuery, services: Served) -> FeedbackResult:
    """The user's next pictures follow: milder, stronger, another style, or as they are.

    Which picture is meant is said by the answer that showed it; its style, strength and their probability are in the
    service's own log, so that nothing of it has to be sent back.
    """
    verdict = await run_in_threadpool(_verdict, UserId(user_id), body, services)
    is_new = await services.write(lambda: services.live.ratings.append(verdict))
    state = await services.state(user_id)
    learned = await services.ranking.run(_learned, UserId(user_id), state, services)
    return FeedbackResult(status="accepted" if is_new else "duplicate", learned=learned)


@router.delete(
    "/users/{user_id:path}",
    summary="Erase a user everywhere",
    dependencies=[Depends(require(Scope.ADMIN)), Depends(check_route)],
    responses=problem_responses(*_WRITING),
)
async def erase(user_id: UserPath, _: NoQuery, services: Served) -> Erased:
    """Events, exposures, choices, verdicts, imported interactions and every bundle on disk forget the user.

    Answers no longer use anything of it from now on. Files are clean when this is answered, unless a build holds them:
    `pending` is true then, and the service finishes the work when the build ends. What models learned of items from
    everybody's events stays until the next build.
    """
    report = await services.write(lambda: _erased(UserId(user_id), services))
    services.answers.forget(user_id)
    return Erased(rows=dict(report.counts), pending=report.pending)


@router.get(
    "/styles",
    summary="The styles to choose from",
    dependencies=[Depends(require_key)],
    responses=problem_responses(MISSING_KEY),
)
def styles(_: NoQuery, services: Served) -> StyleList:
    """All styles of the library, with the occasions they suit and their licenses."""
    return StyleList(
        styles=[
            Style(
                style_id=card.style_id,
                title=card.title,
                scenes=list(card.scenes),
                artist=card.artist,
                license=card.license,
                source=card.source,
                restyle=services.recommender.styles.may_restyle(card.style_id),
            )
            for card in services.recommender.styles.cards
        ]
    )


async def _taste(user_id: UserId, services: Services, links: Links) -> Taste:
    state = await services.state(user_id)
    return await services.ranking.run(_taste_now, user_id, state, services, links)


def _taste_now(user_id: UserId, state: UserState, services: Services, links: Links) -> Taste:
    report = services.recommender.taste(services.request_of(user_id, state))
    learned = services.choices.explain(Viewer(user_id, state), services.recommender, report.taste)
    return taste_view(services, links, user_id, state, report, learned)


def _learned(user_id: UserId, state: UserState, services: Services) -> str:
    taste = services.recommender.profile(services.request_of(user_id, state)).taste
    return services.choices.explain(Viewer(user_id, state), services.recommender, taste)


def _verdict(user_id: UserId, body: FeedbackIn, services: Services) -> Rating:
    services.live.exposures.flush()
    shown = [
        (picture, exposure.model_version)
        for exposure in services.live.exposures.request_exposures(body.request_id)
        if exposure.user_id == user_id
        for item_id, picture in zip(exposure.items, exposure.pictures, strict=True)
        if item_id == body.item_id and picture is not None
    ]
    if not shown:
        what = f"The answer {body.request_id!r} showed this user no restyled picture of {body.item_id!r}."
        raise ProblemError(UNKNOWN_REFERENCE, what, [FieldError(detail=what, pointer="#/request_id")])
    picture, model_version = shown[-1]
    return Rating(
        feedback_id=body.feedback_id,
        user_id=user_id,
        item_id=body.item_id,
        action=str(picture["action"]),
        strength=float(picture["strength"]),
        propensity=float(picture["propensity"]),
        satisfied=body.satisfied,
        request_id=body.request_id,
        model_version=model_version,
        timestamp=now(),
    )


def _erased(user_id: UserId, services: Services) -> ErasureReport:
    # Exposures that wait to be written would be written after the erasure.
    shown = services.live.exposures.erase(user_id)
    if services.host is not None:
        services.host.forget(user_id)
    report = erase_user(services.live.project, services.live.database, user_id)
    if services.host is not None:
        # The tombstone is gone once files are clean, and what is in memory is from before.
        services.host.poll()
    counts = {**report.counts, "exposures": shown + report.counts.get("exposures", 0)}
    return ErasureReport(counts, report.pending)
