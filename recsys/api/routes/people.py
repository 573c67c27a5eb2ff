"""What is known of a person's taste, and the styles to choose from."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from recsys.api.answers import taste_view
from recsys.api.problem_types import MISSING_KEY
from recsys.api.problems import problem_responses
from recsys.api.routes.common import LinkMaker, NoQuery, UserPath
from recsys.api.schemas import Style, StyleList, Taste
from recsys.api.security import require_key
from recsys.api.services import Served
from recsys.pipeline.request import Request
from recsys.schema import UserId

router = APIRouter(prefix="/v1", tags=["taste"], dependencies=[Depends(require_key)])


@router.get(
    "/users/{user_id:path}/taste", summary="A user's taste, explained", responses=problem_responses(MISSING_KEY)
)
def user_taste(user_id: UserPath, _: NoQuery, services: Served, links: LinkMaker) -> Taste:
    """The modes of a user's taste, each with the nearest styles and products that show it."""
    return taste_view(services, links, user_id, services.recommender.taste(Request(user_id=UserId(user_id))))


@router.get("/styles", summary="The styles to choose from", responses=problem_responses(MISSING_KEY))
def styles(_: NoQuery, services: Served) -> StyleList:
    """All styles of the library, with the occasions they suit and their licences."""
    return StyleList(
        styles=[
            Style(
                style_id=card.style_id,
                title=card.title,
                scenes=list(card.scenes),
                artist=card.artist,
                licence=card.licence,
            )
            for card in services.recommender.styles()
        ]
    )
