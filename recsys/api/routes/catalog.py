"""Products that come, change and go while the service runs."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Depends

from recsys.api.auth.security import require
from recsys.api.problems.answers import ProblemError, problem_responses
from recsys.api.problems.types import (
    BAD_IMAGE,
    IDEMPOTENCY_IN_PROGRESS,
    MALFORMED_JSON,
    MISSING_KEY,
    MISSING_SCOPE,
    STORAGE_FULL,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNKNOWN_ITEM,
)
from recsys.api.routes.common import ItemPath, NoQuery, check_route
from recsys.api.schemas.catalog import Deleted, ItemBatch, ItemIn, ItemReport, ItemResult, ItemStatus
from recsys.api.services import Served, Services
from recsys.errors import UnknownIdError
from recsys.schema import ItemId, Scope
from recsys.serving.catalog_editor import ItemWish
from recsys.serving.uploads import decode_base64
from style.errors import ImageError

router = APIRouter(prefix="/v1", tags=["catalog"], dependencies=[Depends(require(Scope.EVENTS))])

_DELETING = (MISSING_KEY, MISSING_SCOPE, TOO_MANY_REQUESTS, STORAGE_FULL, IDEMPOTENCY_IN_PROGRESS)
_PUTTING = (*_DELETING, MALFORMED_JSON, TOO_LARGE)


@router.post("/items:batch", summary="Put up to 100 items", responses=problem_responses(*_PUTTING))
async def put_items(body: ItemBatch, _: NoQuery, services: Served) -> ItemReport:
    """Each item is stored or rejected on its own; of one named twice the last counts.

    What is stored is on the disk, and recommendable within a second.
    """
    named = [(ItemId(item.item_id), item) for item in body.items]
    reasons = await services.describe(lambda: _stored(services, named))
    results = [
        ItemResult(item_id=item_id, status=ItemStatus.STORED if reason is None else ItemStatus.REJECTED, reason=reason)
        for (item_id, _), reason in zip(named, reasons, strict=True)
    ]
    stored = sum(reason is None for reason in reasons)
    return ItemReport(stored=stored, rejected=len(results) - stored, results=results)


@router.put(
    "/items/{item_id:path}",
    summary="Put an item",
    dependencies=[Depends(check_route)],
    responses=problem_responses(*_PUTTING, BAD_IMAGE),
)
async def put_item(item_id: ItemPath, body: ItemIn, _: NoQuery, services: Served) -> ItemResult:
    """Adds the item, or replaces it whole. It is on the disk when this is answered, and recommendable within a second.

    The style vector of a new photo is computed now, so that no build has to be waited for.
    """
    (reason,) = await services.describe(lambda: _stored(services, [(ItemId(item_id), body)]))
    if reason is not None:
        raise ProblemError(BAD_IMAGE, f"{reason[:300]}.")
    return ItemResult(item_id=item_id, status=ItemStatus.STORED)


@router.delete(
    "/items/{item_id:path}",
    summary="Delete an item",
    dependencies=[Depends(check_route)],
    responses=problem_responses(*_DELETING, UNKNOWN_ITEM),
)
async def delete_item(item_id: ItemPath, _: NoQuery, services: Served) -> Deleted:
    """Takes the item out of every answer within a second, and out of the next builds, until it is put again."""
    if not services.knows_item(ItemId(item_id)):
        raise UnknownIdError("item", item_id)
    await services.write(lambda: services.editor.delete(ItemId(item_id)))
    return Deleted(item_id=item_id, status="deleted")


def _stored(services: Services, named: Sequence[tuple[ItemId, ItemIn]]) -> list[str | None]:
    """Why each item was not stored, or None."""
    reasons: dict[int, str | None] = {}
    wishes: dict[int, ItemWish] = {}
    for place, (item_id, item) in enumerate(named):
        try:
            wishes[place] = _wish(item_id, item)
        except ImageError as error:
            reasons[place] = str(error)
    found = services.editor.put(list(wishes.values()), services.recommender)
    reasons.update(zip(wishes, found, strict=True))
    return [reasons[place] for place in range(len(named))]


def _wish(item_id: ItemId, item: ItemIn) -> ItemWish:
    return ItemWish(
        item_id=item_id,
        title=item.title,
        category=item.category,
        price=item.price,
        available=item.available,
        picture=None if item.image_base64 is None else decode_base64(item.image_base64),
    )
