"""Explanations: one sentence for each item of a list, from the contributions to its score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.dataset.catalog import Catalog
from recsys.models.als import AlsModel
from recsys.models.base import Model
from recsys.models.item_item import ItemItemModel
from recsys.profiles.cold_start import Profile
from recsys.profiles.style_library import StyleLibrary
from recsys.profiles.style_space import StyleSpace
from recsys.ranked import NO_ROW
from recsys.schema import FEATURES, BoolArray, FloatArray, ItemRow

NOTHING = 1e-6
"""Least lift that is no rounding error."""
FROM_THE_CATALOG = "From the catalog"


@dataclass(frozen=True, slots=True, eq=False)
class Explainer:
    """Finds the feature that lifts an item most above the other candidates, and names it in a sentence."""

    catalog: Catalog
    factors: AlsModel
    neighbors: ItemItemModel
    space: StyleSpace
    styles: StyleLibrary

    def reason(self, profile: Profile, row: ItemRow, lift: FloatArray) -> tuple[str, ItemRow | None]:
        """Return the sentence for item `row`, and the row of the item that it names from the user's history, if any.

        Args:
            profile: Profile of the user.
            row: Row of the recommended item.
            lift: (len(FEATURES),) contribution of each feature less its mean over the candidates; -inf for features
                without information on this user (`informative_features`).
        """
        if lift.max() <= NOTHING:
            return FROM_THE_CATALOG, None
        strongest = FEATURES[int(np.argmax(lift))]
        if strongest == "factors":
            return self._because(self.factors, profile, row)
        if strongest == "neighbors":
            return self._because(self.neighbors, profile, row)
        if strongest == "style":
            return self._matches_taste(profile, row)
        if strongest == "category":
            return f"You often look at {self.catalog.category_names[self.catalog.category_codes[row]]}", None
        if strongest == "price":
            return "In the price range you usually choose", None
        if strongest == "recency":
            return "New here", None
        return ("Popular right now" if strongest == "trend" else "Popular with everyone"), None

    def _because(self, model: Model, profile: Profile, row: ItemRow) -> tuple[str, ItemRow | None]:
        behind = model.explain(profile.events, row).rows[0]
        # A deleted item is still evidence of taste, but no sentence names it.
        behind = behind[(behind != NO_ROW) & self.catalog.present[behind]]
        if not len(behind):
            return "People like you liked it", None
        return f"People who liked {self._name(behind[0])} liked this too", ItemRow(int(behind[0]))

    def _matches_taste(self, profile: Profile, row: ItemRow) -> tuple[str, ItemRow | None]:
        direction = self.space.directions[row]
        component = profile.taste.directions[profile.taste.best_components(direction[None])[0]]
        nearest = None
        if self.styles.cards:
            nearest = self.styles.cards[int(np.argmax(self.styles.directions @ component))].title
        behind = None
        liked = profile.taste_items[self.catalog.present[profile.taste_items]]
        if liked.size:
            behind = ItemRow(int(liked[int(np.argmax(self.space.directions[liked] @ direction))]))
        if nearest is not None:
            return f"Matches your taste for {nearest}", behind
        return (f"In the style of {self._name(behind)}" if behind is not None else "Matches your taste"), behind

    def _name(self, row: int) -> str:
        return str(self.catalog.titles[row]) or self.catalog.ids.id(ItemRow(int(row)))


def informative_features(profile: Profile) -> BoolArray:
    """Return a mask (len(FEATURES),) of the features with information on this user or on all users."""
    likes = bool(profile.liked.size)
    personal = {
        "factors": profile.factors is not None,
        "neighbors": profile.neighbors is not None,
        "style": bool(profile.taste),
        "category": likes,
        "price": likes,
    }
    return np.array([personal.get(name, True) for name in FEATURES])
