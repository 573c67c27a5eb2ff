"""Style references that users can choose, with credits, rights and their nearness to a taste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.config import RightsSettings
from recsys.errors import RequestError, UnknownIdError
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.taste import Taste
from recsys.schema import FloatArray
from style.credit import StyleCredit
from style.errors import RightsError
from style.vector import StyleVector

NEAREST = 3
"""Number of style references that describe a style."""


@dataclass(frozen=True, slots=True)
class StyleCard:
    """Facts of one style reference; `image` is a path like a catalog's, `uses` as in `style.library.StyleReference`."""

    style_id: str
    title: str
    image: str
    scenes: tuple[str, ...]
    artist: str
    license: str
    source: str = ""
    uses: str = ""


@dataclass(frozen=True, slots=True)
class StyleNeighbor:
    """Style reference near a style; `similarity` is a cosine in [-1, 1]."""

    style_id: str
    title: str
    similarity: float


class StyleLibrary:
    """Style references of a bundle. Immutable after construction, hence safe to share between threads.

    Attributes:
        cards: All S references, also those whose license forbids restyling.
        directions: (S, 128) the references as unit directions from the catalog's center.
    """

    def __init__(
        self, cards: Sequence[StyleCard], vectors: FloatArray, space: StyleSpace, rights: RightsSettings
    ) -> None:
        """Prepare the references for lookup.

        Args:
            cards: The S references, in the library's order.
            vectors: (S, 128) their unit style vectors.
            space: Style space of the catalog.
            rights: Rights that licenses must grant before an image may be restyled toward a reference.
        """
        self.cards = tuple(cards)
        self.directions: FloatArray = np.array(
            [space.to_direction(vector) for vector in vectors], dtype=np.float32
        ).reshape(-1, space.dimensions)
        self._space = space
        self._rows: Mapping[str, int] = {card.style_id: row for row, card in enumerate(self.cards)}
        self._vectors = vectors
        refusals = ((card.style_id, rights.refusal(card.style_id, card.license, card.uses)) for card in self.cards)
        self._refusals: Mapping[str, str] = {style_id: why for style_id, why in refusals if why is not None}

    def may_restyle(self, style_id: str) -> bool:
        """Return True if the reference exists and its license allows restyling toward it."""
        return style_id in self._rows and style_id not in self._refusals

    def reference(self, style_id: str) -> StyleVector:
        """Return the style vector of a reference.

        Raises:
            UnknownIdError: If the library has no such reference.
            RightsError: If its license forbids restyling toward it.
        """
        if style_id not in self._rows:
            raise UnknownIdError("style", style_id)
        if style_id in self._refusals:
            raise RightsError(self._refusals[style_id])
        return StyleVector.from_values(self._vectors[self._rows[style_id]])

    def reference_with_credit(self, style_id: str) -> tuple[StyleVector, StyleCredit]:
        """Return a reference's style vector and the credit for images restyled toward it; raises like `reference`."""
        vector = self.reference(style_id)
        return vector, StyleCredit(style_id, self.cards[self._rows[style_id]].license)

    def scenes(self) -> tuple[str, ...]:
        """Return the scenes of all references that may be restyled toward, in the library's order."""
        usable = (card for card in self.cards if self.may_restyle(card.style_id))
        return tuple(dict.fromkeys(scene for card in usable for scene in card.scenes))

    def card_for_scene(self, scene: str, taste: Taste | None = None, component: int | None = None) -> StyleCard:
        """Return the reference of a scene (holiday, sale, ...) that is nearest to a taste.

        Args:
            scene: A scene of `scenes`.
            taste: Without a taste, the library's first reference of the scene is returned.
            component: Index of the taste component to be near to; the default is the first.

        Raises:
            RequestError: If no reference has the scene, or the taste does not have the component.
        """
        rows = [row for row, card in enumerate(self.cards) if scene in card.scenes and self.may_restyle(card.style_id)]
        if not rows:
            known = f"known ones: {', '.join(self.scenes())}" if self.scenes() else "the style library names none"
            raise RequestError("scene", f"unknown scene {scene!r}; {known}")
        direction = None if taste is None else _component_direction(taste, component)
        if direction is None:
            return self.cards[rows[0]]
        return self.cards[rows[int(np.argmax(self.directions[rows] @ direction))]]

    def style_of_taste(self, taste: Taste, component: int | None = None) -> StyleVector | None:
        """Return the style vector of one taste component (default: the first), or None for an empty taste.

        Raises:
            RequestError: If the taste does not have the component.
        """
        direction = _component_direction(taste, component)
        return None if direction is None else StyleVector.from_values(self._space.to_style(direction))

    def nearest(self, direction: FloatArray) -> tuple[StyleNeighbor, ...]:
        """Return the `NEAREST` references to a direction (128,) of any length, nearest first."""
        similarity = self.directions @ (direction / max(float(np.linalg.norm(direction)), 1e-6))
        rows = np.argsort(-similarity, kind="stable")[:NEAREST]
        return tuple(
            StyleNeighbor(self.cards[row].style_id, self.cards[row].title, float(similarity[row])) for row in rows
        )

    def nearest_to_style(self, style: StyleVector) -> tuple[StyleNeighbor, ...]:
        """Return the references nearest to a style vector, nearest first."""
        return self.nearest(self._space.to_direction(style.values))

    def nearest_to_taste(self, taste: Taste) -> tuple[StyleNeighbor, ...]:
        """Return the references nearest to the first component of a taste, nearest first; none for an empty taste."""
        direction = _component_direction(taste, None)
        return () if direction is None else self.nearest(direction)


def _component_direction(taste: Taste, component: int | None) -> FloatArray | None:
    if not taste:
        return None
    if component is not None and not 0 <= component < len(taste.directions):
        raise RequestError(
            "taste_component", f"this taste has components 0 .. {len(taste.directions) - 1}, got {component}"
        )
    return np.asarray(taste.directions[component or 0])
