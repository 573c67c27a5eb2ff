"""Bundle: everything that is needed to answer requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys.config import ProjectSettings
from recsys.dataset.catalog import Catalog
from recsys.dataset.identifiers import UserIdentifiers
from recsys.models.als import AlsModel
from recsys.models.blend import Blend
from recsys.models.item_item import ItemItemModel
from recsys.profiles.product_descriptors import ProductDescriptors
from recsys.profiles.style_library import StyleCard
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.taste import TasteModel
from recsys.profiles.text_style import TextStyleMap
from recsys.schema import BoolArray, FloatArray
from style.vector import DIMENSIONS


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """Trained models and data that answer requests, for U users, I items and S style references.

    Attributes:
        items: Table of the items, with the columns of `recsys.schema.ITEM_COLUMNS` and attributes.
        user_ids: Ids of the users with a history.
        space: Style space of the items.
        factors: Factor model.
        neighbors: Item-item model.
        taste: Model that derives a taste from likes and factors.
        blend: Weights or curves that turn features into scores.
        recent: (U, I) event weights faded by age.
        interacted: (U, I) uint8 the kinds of events of each pair with at least one, as `recsys.schema.Kinds`.
        trend: (I,) present popularity, in [0, 1].
        recency: (I,) how new items are, in [0, 1].
        styles: Style references.
        style_vectors: (S, 128) their unit style vectors.
        settings: Settings of the build.
        embedder: Name of the style space.
        metrics: Measured on later events during the build.
        image_root: Folder where relative image paths start.
        catalog: The items as arrays.
        version: Hash that names the bundle.
        items_through: Number of the last live change of an item that the data contain.
        events_through: Number of the last live event that the data contain.
        text_style: Map from words to styles.
        descriptors: Colors, textures and shapes, if any.
        notes: Sentences about the build: users that were left out, and times that are not plausible.
    """

    items: pd.DataFrame
    user_ids: UserIdentifiers
    space: StyleSpace
    factors: AlsModel
    neighbors: ItemItemModel
    taste: TasteModel
    blend: Blend
    recent: csr_matrix
    interacted: csr_matrix
    trend: FloatArray
    recency: FloatArray
    styles: tuple[StyleCard, ...]
    style_vectors: FloatArray
    settings: ProjectSettings
    embedder: str
    metrics: Mapping[str, float]
    image_root: Path
    catalog: Catalog
    version: str = "unsaved"
    items_through: int = 0
    events_through: int = 0
    text_style: TextStyleMap = field(default_factory=lambda: TextStyleMap.none(DIMENSIONS))
    descriptors: ProductDescriptors = field(default_factory=ProductDescriptors)
    notes: tuple[str, ...] = ()

    @property
    def cold(self) -> BoolArray:
        """Mask (I,) of the cold items, those without an event that was learned from."""
        learned = self.neighbors.history
        return np.asarray(np.bincount(learned.indices, minlength=learned.shape[1]) == 0)
