"""Catalog editor: puts and deletes products while the service runs; photos are checked, stored and embedded first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recsys.clock import Clock, now
from recsys.dataset.project import Project
from recsys.errors import DataError, UnknownIdError
from recsys.profiles.style_vectors import embedder_version
from recsys.ranking.recommender import Recommender
from recsys.schema import FloatArray, ItemId
from recsys.serving.uploads import Upload, embed_upload
from recsys.storage.live.items import ItemStore, LiveItem
from style.errors import ImageError

_NO_SUCH_ITEM = "there is no such item; PUT it first"


@dataclass(frozen=True, slots=True)
class ItemEdit:
    """New state of a product. `image`: the file of its photo; None keeps the present photo, if there is one."""

    item_id: ItemId
    title: str = ""
    category: str = ""
    price: float | None = None
    available: bool = True
    image: bytes | None = None


@dataclass(frozen=True, slots=True)
class ItemPatch:
    """Change of some fields of a product.

    Attributes:
        item_id: Id.
        values: New values of fields among title, category, price and available.
        image: File of the new photo; b"" removes the photo, None keeps it.
    """

    item_id: ItemId
    values: Mapping[str, Any]
    image: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Photo:
    """Photo of a product: its path, "" for none, and its style vector (128,)."""

    image: str = ""
    vector: FloatArray | None = None
    embedder: str | None = None


class CatalogEditor:
    """Editor of a project's products, for one thread at a time. A photo takes tens of milliseconds."""

    def __init__(self, project: Project, items: ItemStore, clock: Clock = now) -> None:
        self._project = project
        self._items = items
        self._clock = clock
        self.backbone = project.settings.style.backbone
        self.steps = project.settings.preprocess.steps

    def put(self, edits: Sequence[ItemEdit], known: Recommender) -> list[str | None]:
        """Store all valid products in one transaction.

        Args:
            edits: New states of products.
            known: Recommender with the photos of products that are put without one.

        Returns:
            For each product the reason why it was rejected, or None.

        Raises:
            StorageError: The database fails.
            ProjectError: A photo cannot be written.
            WeightsError: The weights of the network are missing.
        """
        reasons: list[str | None] = []
        stored: list[LiveItem] = []
        for edit in edits:
            try:
                stored.append(self._build_item(edit, known))
                reasons.append(None)
            except (ImageError, DataError) as error:
                reasons.append(str(error))
        # If a product occurs twice, the last one counts; a transaction accepts each id once.
        latest = {item.item_id: item for item in stored}
        if latest:
            self._items.put(list(latest.values()), self._clock())
        return reasons

    def patch(self, patches: Sequence[ItemPatch], known: Recommender) -> list[str | None]:
        """Change some fields of products, one after another, in one transaction.

        Later imports still change the other fields. Returns, and raises, like `put`; a product that is not in the
        catalog is rejected.
        """
        reasons: list[str | None] = []
        changes: list[LiveItem] = []
        for patch in patches:
            try:
                changes.append(self._build_change(patch, known))
                reasons.append(None)
            except (ImageError, DataError) as error:
                reasons.append(str(error))
        deleted = self._items.patch(changes, self._clock()) if changes else set()
        return [
            _NO_SUCH_ITEM if reason is None and patch.item_id in deleted else reason
            for patch, reason in zip(patches, reasons, strict=True)
        ]

    def knows(self, item_id: ItemId, known: Recommender) -> bool:
        """Return whether the catalog has a product, including one that was just put."""
        live = self._items.get(item_id)
        if live is not None and (live.deleted or live.fields is None):
            return not live.deleted
        return known.catalog.has_item(item_id)

    def _build_change(self, patch: ItemPatch, known: Recommender) -> LiveItem:
        if not self.knows(patch.item_id, known):
            raise DataError(_NO_SUCH_ITEM)
        photo = _Photo() if not patch.image else self._store_photo(patch.image)
        fields = set(patch.values) | (set() if patch.image is None else {"image"})
        item = LiveItem(patch.item_id, image=photo.image, vector=photo.vector, embedder=photo.embedder)
        return replace(item, **dict(patch.values), fields=frozenset(fields))

    def delete(self, item_id: ItemId) -> None:
        """Delete a product from the catalog, also an imported one. Raises StorageError."""
        self._items.delete([item_id], self._clock())

    def _build_item(self, edit: ItemEdit, known: Recommender) -> LiveItem:
        photo = self._present_photo(edit.item_id, known) if edit.image is None else self._store_photo(edit.image)
        return LiveItem(
            item_id=edit.item_id,
            title=edit.title,
            category=edit.category,
            price=edit.price,
            available=edit.available,
            image=photo.image,
            vector=photo.vector,
            embedder=photo.embedder,
        )

    def _store_photo(self, data: bytes) -> _Photo:
        upload = Upload.from_bytes(data)
        vector = embed_upload(upload, self.backbone, self.steps).values
        return _Photo(upload.store(self._project), vector, embedder_version(self.backbone, self.steps))

    def _present_photo(self, item_id: ItemId, known: Recommender) -> _Photo:
        live = self._items.get(item_id)
        if live is not None and (live.fields is None or "image" in live.fields):
            return _Photo() if live.deleted else _Photo(live.image, live.vector, live.embedder)
        try:
            image, vector = known.catalog.photo(item_id)
        except UnknownIdError:
            return _Photo()
        return _Photo(image, np.array(vector), known.bundle.embedder) if image else _Photo()
