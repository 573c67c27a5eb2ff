"""Routes of live changes to the catalog."""

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
from recsys.api.schemas.catalog import (
    Deleted,
    ItemBatch,
    ItemIn,
    ItemPatchBatch,
    ItemPatchIn,
    ItemReport,
    ItemResult,
    ItemStatus,
)
from recsys.api.services import Served, Services
from recsys.errors import UnknownIdError
from recsys.schema import ItemId, Scope
from recsys.serving.catalog_editor import ItemEdit, ItemPatch
from recsys.serving.uploads import decode_base64
from style.errors import ImageError

router = APIRouter(prefix="/v1", tags=["catalog"], dependencies=[Depends(require(Scope.EVENTS))])

_DELETING = (MISSING_KEY, MISSING_SCOPE, TOO_MANY_REQUESTS, STORAGE_FULL, IDEMPOTENCY_IN_PROGRESS)
_PUTTING = (*_DELETING, MALFORMED_JSON, TOO_LARGE)


@router.post("/items:batch", summary="Put several items", responses=problem_responses(*_PUTTING))
async def put_items(body: ItemBatch, _: NoQuery, services: Served) -> ItemReport:
    """Add or replace up to 100 items; each is stored or rejected on its own.

    If an item occurs twice, the last valid one counts, and the others are superseded. Stored items are on disk, and are
    recommended within a second.
    """
    named = [(ItemId(item.item_id), item) for item in body.items]
    reasons = await services.describe(lambda: _store(services, named))
    ids = [item_id for item_id, _ in named]
    last = {item_id: index for index, item_id in enumerate(ids) if reasons[index] is None}
    results = []
    for index, (item_id, reason) in enumerate(zip(ids, reasons, strict=True)):
        status = ItemStatus.STORED if reason is None else ItemStatus.REJECTED
        if reason is None and last[item_id] != index:
            status, reason = ItemStatus.SUPERSEDED, f"items[{last[item_id]}] has the same id and was stored"
        results.append(ItemResult(item_id=item_id, status=status, reason=reason))
    return _report(results)


@router.patch(
    "/items:batch",
    summary="Change several items in part",
    responses=problem_responses(*_PUTTING),
)
async def patch_items(body: ItemPatchBatch, _: NoQuery, services: Served) -> ItemReport:
    """Change fields of up to 100 items, such as prices; each entry is stored or rejected on its own.

    Entries are applied in their order, so an item may occur more than once. Absent fields stay, null removes a value.
    """
    named = [(ItemId(item.item_id), item) for item in body.items]
    reasons = await services.describe(lambda: _patch(services, named))
    return _report(
        [
            ItemResult(
                item_id=item_id, status=ItemStatus.STORED if reason is None else ItemStatus.REJECTED, reason=reason
            )
            for (item_id, _), reason in zip(named, reasons, strict=True)
        ]
    )


@router.put(
    "/items/{item_id:path}",
    summary="Put an item",
    dependencies=[Depends(check_route)],
    responses=problem_responses(*_PUTTING, BAD_IMAGE),
)
async def put_item(item_id: ItemPath, body: ItemIn, _: NoQuery, services: Served) -> ItemResult:
    """Add an item, or replace it as a whole.

    It is on disk when this is answered, and is recommended within a second. The style vector of a new photo is computed
    now, so no build is needed.
    """
    (reason,) = await services.describe(lambda: _store(services, [(ItemId(item_id), body)]))
    if reason is not None:
        raise ProblemError(BAD_IMAGE, f"{reason[:300]}.")
    return ItemResult(item_id=item_id, status=ItemStatus.STORED)


@router.patch(
    "/items/{item_id:path}",
    summary="Change an item in part",
    dependencies=[Depends(check_route)],
    responses=problem_responses(*_PUTTING, UNKNOWN_ITEM, BAD_IMAGE),
)
async def patch_item(item_id: ItemPath, body: ItemPatchIn, _: NoQuery, services: Served) -> ItemResult:
    """Change the fields that are sent (JSON Merge Patch, RFC 7396); absent fields stay, null removes a value.

    The change is on disk when this is answered, and counts within a second. The same change again changes nothing.
    Later imports still change the fields that were never sent.
    """
    if not services.knows_item(ItemId(item_id)):
        raise UnknownIdError("item", item_id)
    (reason,) = await services.describe(lambda: _patch(services, [(ItemId(item_id), body)]))
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
    """Remove an item from all answers within a second, and from later builds, until it is put again."""
    if not services.knows_item(ItemId(item_id)):
        raise UnknownIdError("item", item_id)
    await services.write(lambda: services.editor.delete(ItemId(item_id)))
    return Deleted(item_id=item_id, status="deleted")


def _report(results: list[ItemResult]) -> ItemReport:
    counts = {status.value: sum(result.status is status for result in results) for status in ItemStatus}
    return ItemReport(**counts, results=results)


def _patch(services: Services, named: Sequence[tuple[ItemId, ItemPatchIn]]) -> list[str | None]:
    """Change items in part; return for each change the reason why it was rejected, or None."""
    reasons: dict[int, str | None] = {}
    patches: dict[int, ItemPatch] = {}
    for index, (item_id, item) in enumerate(named):
        try:
            image = None if item.image_base64 is None else decode_base64(item.image_base64)
        except ImageError as error:
            reasons[index] = str(error)
            continue
        if image is None and "image_base64" in item.model_fields_set:
            image = b""
        patches[index] = ItemPatch(item_id, item.given(), image)
    stored = services.editor.patch(list(patches.values()), services.recommender)
    reasons.update(zip(patches, stored, strict=True))
    return [reasons[index] for index in range(len(named))]


def _store(services: Services, named: Sequence[tuple[ItemId, ItemIn]]) -> list[str | None]:
    """Store items; return for each the reason why it was rejected, or None."""
    reasons: dict[int, str | None] = {}
    edits: dict[int, ItemEdit] = {}
    for index, (item_id, item) in enumerate(named):
        try:
            edits[index] = ItemEdit(
                item_id=item_id,
                title=item.title,
                category=item.category,
                price=item.price,
                available=item.available,
                image=None if item.image_base64 is None else decode_base64(item.image_base64),
            )
        except ImageError as error:
            reasons[index] = str(error)
    stored = services.editor.put(list(edits.values()), services.recommender)
    reasons.update(zip(edits, stored, strict=True))
    return [reasons[index] for index in range(len(named))]
