"""Bundle: everything that answers a request."""

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
    """Everything that answers a request. U users, I items, S style references.

    `recent` (U, I) event weights faded by age; `seen` (U, I) stores an entry wherever a user touched an item;
    `trend` and `fresh` (I,) in [0, 1] are how popular an item is now, and how new;
    `style_vectors` (S, 128) unit; `embedder` names the style space; `image_root` is where relative image paths
    start; `metrics` were measured on later events while the bundle was built; `text_style` maps words to looks;
    `descriptors`: colors, textures and shapes, if any.
    `items_through` and `events_through`: the numbers of the last live change of an item and of the last live event that
    its data contain.
    """

    items: pd.DataFrame
    user_ids: UserIdentifiers
    space: StyleSpace
    factors: AlsModel
    neighbors: ItemItemModel
    taste: TasteModel
    blend: Blend
    recent: csr_matrix
    seen: csr_matrix
    trend: FloatArray
    fresh: FloatArray
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

    @property
    def untouched(self) -> BoolArray:
        """Which items nobody has touched yet, (I,)."""
        return np.asarray(np.bincount(self.seen.indices, minlength=self.seen.shape[1]) == 0)
