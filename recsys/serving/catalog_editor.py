"""Products that are put and taken away while the service runs: their pictures checked, stored and described first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class ItemWish:
    """A product as it is to be. `picture`: the bytes of its photo; None keeps the one that is there, if any."""

    item_id: ItemId
    title: str = ""
    category: str = ""
    price: float | None = None
    available: bool = True
    picture: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Photo:
    """A photo as catalog and models know it: its path, "" for none, and its style vector."""

    image: str = ""
    vector: FloatArray | None = None
    embedder: str | None = None


class CatalogEditor:
    """Puts and deletes products of a project, on one thread at a time: a photo takes tens of milliseconds."""

    def __init__(self, project: Project, items: ItemStore, clock: Clock = now) -> None:
        self._project = project
        self._items = items
        self._clock = clock
        self.backbone = project.settings.style.backbone
        self.steps = project.settings.preprocess.steps

    def put(self, wishes: Sequence[ItemWish], known: Recommender) -> list[str | None]:
        """Store products, all that can be in one transaction; returns for each why it was not stored, or None.

        `known` has the photos of products that are put without one. Raises StorageError, ProjectError where a photo
        cannot be written, WeightsError.
        """
        reasons: list[str | None] = []
        stored: list[LiveItem] = []
        for wish in wishes:
            try:
                stored.append(self._item(wish, known))
                reasons.append(None)
            except (ImageError, DataError) as error:
                reasons.append(str(error))
        # Of one that is named twice the last counts, and a transaction takes each once.
        latest = {item.item_id: item for item in stored}
        if latest:
            self._items.put(list(latest.values()), self._clock())
        return reasons

    def delete(self, item_id: ItemId) -> None:
        """Take a product out of the catalog, one that was imported, too. Raises StorageError."""
        self._items.delete([item_id], self._clock())

    def _item(self, wish: ItemWish, known: Recommender) -> LiveItem:
        photo = self._kept(wish.item_id, known) if wish.picture is None else self._new(wish.picture)
        return LiveItem(
            item_id=wish.item_id,
            title=wish.title,
            category=wish.category,
            price=wish.price,
            available=wish.available,
            image=photo.image,
            vector=photo.vector,
            embedder=photo.embedder,
        )

    def _new(self, picture: bytes) -> _Photo:
        upload = Upload.of(picture)
        vector = embed_upload(upload, self.backbone, self.steps).values
        return _Photo(upload.store(self._project), vector, embedder_version(self.backbone, self.steps))

    def _kept(self, item_id: ItemId, known: Recommender) -> _Photo:
        live = self._items.get(item_id)
        if live is not None:
            return _Photo() if live.deleted else _Photo(live.image, live.vector, live.embedder)
        try:
            image, vector = known.catalog.photo(item_id)
        except UnknownIdError:
            return _Photo()
        return _Photo(image, np.array(vector), known.bundle.embedder) if image else _Photo()
