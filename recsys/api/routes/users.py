"""Routes of users: taste, ratings of restyled images, erasure; and the styles to choose from."""

from __future__ import annotations

from collections.abc import Sequence

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
from recsys.api.schemas.users import (
    Erased,
    FeedbackIn,
    FeedbackResult,
    Merged,
    MergeIn,
    Style,
    StyleList,
    Taste,
    TasteIn,
)
from recsys.api.services import Served, Services
from recsys.clock import now
from recsys.restyling.policy import Viewer
from recsys.schema import Scope, UserId
from recsys.serving.erasure import ErasureReport, erase_user
from recsys.storage.live.feedback import Rating
from recsys.storage.live.user_state import person_ids

_READING = (MISSING_KEY, OVERLOADED, TOO_MANY_REQUESTS)
_WRITING = (*_READING, MISSING_SCOPE, STORAGE_FULL, IDEMPOTENCY_IN_PROGRESS)

router = APIRouter(prefix="/v1", tags=["taste"])


@router.get(
    "/users/{user_id:path}/taste",
    summary="Get the taste of a user",
    dependencies=[Depends(require_key)],
    responses=problem_responses(*_READING),
)
async def user_taste(user_id: UserPath, _: NoQuery, services: Served, links: LinkMaker) -> Taste:
    """Return the components of a user's taste, each with the nearest styles and with products that show it.

    The answer also has the styles and the strength that the user chose.
    """
    return await _read_taste(UserId(user_id), services, links)


@router.put(
    "/users/{user_id:path}/taste",
    summary="Choose a taste",
    dependencies=[Depends(require(Scope.EVENTS))],
    responses=problem_responses(*_WRITING, MALFORMED_JSON, UNKNOWN_REFERENCE, LICENSE_FORBIDS),
)
async def choose_taste(user_id: UserPath, body: TasteIn, _: NoQuery, services: Served, links: LinkMaker) -> Taste:
    """Make the chosen styles the user's taste, whatever the history says. `strength` applies to restyled images."""
    for style_id in body.styles:
        # Raises UnknownIdError or RightsError.
        services.recommender.styles.reference(style_id)
    styles = list(dict.fromkeys(body.styles))
    remaining = person_ids(user_id, await services.state(user_id))[0]
    await services.write(lambda: services.live.tastes.put(remaining, styles, body.strength, now()))
    return await _read_taste(UserId(user_id), services, links)


@router.delete(
    "/users/{user_id:path}/taste",
    summary="Reset a taste",
    dependencies=[Depends(require(Scope.EVENTS))],
    responses=problem_responses(*_WRITING),
)
async def reset_taste(user_id: UserPath, _: NoQuery, services: Served, links: LinkMaker) -> Taste:
    """Delete the user's choices, and learn the taste only from later events."""
    ids = person_ids(user_id, await services.state(user_id))

    def reset() -> None:
        for one in ids:
            services.live.tastes.reset(one, services.live.events.last_seq(), now())

    await services.write(reset)
    return await _read_taste(UserId(user_id), services, links)


@router.post(
    "/users/{user_id:path}/feedback",
    summary="Rate a restyled image",
    dependencies=[Depends(require(Scope.EVENTS))],
    responses=problem_responses(*_WRITING, MALFORMED_JSON, UNKNOWN_REFERENCE),
)
async def post_feedback(user_id: UserPath, body: FeedbackIn, _: NoQuery, services: Served) -> FeedbackResult:
    """Store a rating. The user's next images follow it: weaker, stronger, another style, or the original.

    `request_id` and `item_id` identify the image. Its style, strength and propensity are in the service's own log, so
    the request does not contain them.
    """
    ids = person_ids(user_id, await services.state(user_id))
    rating = await run_in_threadpool(_build_rating, ids, UserId(user_id), body, services)
    is_new = await services.write(lambda: services.live.ratings.append(rating))
    state = await services.state(user_id)

    def explain() -> str:
        taste = services.recommender.profile(services.request_of(UserId(user_id), state)).taste
        return services.choices.explain(Viewer(UserId(user_id), state), services.recommender, taste)

    learned = await services.ranking.run(explain)
    return FeedbackResult(status="accepted" if is_new else "duplicate", learned=learned)


@router.post(
    "/users/{user_id:path}:merge",
    summary="Merge a visitor into a user",
    dependencies=[Depends(require(Scope.EVENTS))],
    responses=problem_responses(*_WRITING, MALFORMED_JSON),
)
async def merge(user_id: UserPath, body: MergeIn, _: NoQuery, services: Served) -> Merged:
    """Make another id one of the user's, for example when a visitor logs in.

    Events, ratings and chosen styles of both count from now on, whichever id a request names, and later events too. The
    user's own choices go first. Exposures stay under the ids that they were shown to, so experiments keep their units.
    Erasing one of the ids erases all. An id that belongs to another user is rejected. A merge cannot be taken back.
    """
    is_new = await services.write(lambda: services.live.merges.merge(user_id, [body.old_id], now())[0])
    ids = await run_in_threadpool(services.live.merges.ids, user_id)
    return Merged(user_id=ids[0], ids=list(ids), status="merged" if is_new else "known")


@router.delete(
    "/users/{user_id:path}",
    summary="Erase a user",
    dependencies=[Depends(require(Scope.ADMIN)), Depends(check_route)],
    responses=problem_responses(*_WRITING),
)
async def erase(user_id: UserPath, _: NoQuery, services: Served) -> Erased:
    """Delete a user from events, exposures, choices, ratings, imported interactions and every bundle on disk.

    Answers no longer use this data from now on. The files are clean when this is answered, unless a build locks them:
    then `pending` is true, and the service finishes the work after the build. Parameters of items that were learned
    from all users change only at the next build.
    """
    # Imported since the service began, ids of the same person would otherwise be left.
    await services.write(services.live.adopt_aliases)
    state = await services.state(user_id)
    ids = person_ids(user_id, state)
    known = services.knows_user(UserId(user_id), state)
    report = await services.write(lambda: _erase(ids, services))
    for one in ids:
        services.answers.forget(one)
    return Erased(known=known or any(report.counts.values()), rows=dict(report.counts), pending=report.pending)


@router.get(
    "/styles",
    summary="List the styles",
    dependencies=[Depends(require_key)],
    responses=problem_responses(MISSING_KEY),
)
def styles(_: NoQuery, services: Served) -> StyleList:
    """Return the styles of the library, with their scenes and licenses."""
    library = services.recommender.styles
    return StyleList(
        styles=[
            Style(
                style_id=card.style_id,
                title=card.title,
                scenes=list(card.scenes),
                artist=card.artist,
                license=card.license,
                source=card.source,
                restyle=library.may_restyle(card.style_id),
            )
            for card in library.cards
        ]
    )


async def _read_taste(user_id: UserId, services: Services, links: Links) -> Taste:
    state = await services.state(user_id)

    def build_view() -> Taste:
        report = services.recommender.taste(services.request_of(user_id, state))
        learned = services.choices.explain(Viewer(user_id, state), services.recommender, report.taste)
        return taste_view(services, links, user_id, state, report, learned)

    return await services.ranking.run(build_view)


def _build_rating(ids: Sequence[UserId], user_id: UserId, body: FeedbackIn, services: Services) -> Rating:
    """Return the rating with the logged action of the image. Raises ProblemError if no such image was shown."""
    services.live.exposures.flush()
    impressions = [
        (picture, exposure.model_version)
        for exposure in services.live.exposures.request_exposures(body.request_id)
        if exposure.user_id in ids
        for item_id, picture in zip(exposure.items, exposure.pictures, strict=True)
        if item_id == body.item_id and picture is not None
    ]
    if not impressions:
        what = f"The answer {body.request_id!r} showed this user no restyled image of {body.item_id!r}."
        raise ProblemError(UNKNOWN_REFERENCE, what, [FieldError(detail=what, pointer="#/request_id")])
    picture, model_version = impressions[-1]
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


def _erase(ids: Sequence[UserId], services: Services) -> ErasureReport:
    # Exposures that wait to be written would otherwise be written after the erasure.
    exposures = sum(services.live.exposures.erase(one) for one in ids)
    if services.host is not None:
        for one in ids:
            services.host.forget(one)
    report = erase_user(services.live.project, services.live.database, ids[0])
    if services.host is not None:
        # The tombstone is deleted once files are clean, and the model in memory is older than that.
        services.host.poll()
    counts = {**report.counts, "exposures": exposures + report.counts.get("exposures", 0)}
    return ErasureReport(counts, report.pending)
