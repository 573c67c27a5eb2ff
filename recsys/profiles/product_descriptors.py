"""Colors, textures and shapes of a catalog.

Exact search among them, a filter by color, and words for properties that two items share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from recsys.errors import RequestError
from recsys.models.validation import Expected, check_array
from recsys.ranked import NO_ROW, top_k
from recsys.schema import BoolArray, FloatArray, IntArray
from style.descriptors.base import Family
from style.descriptors.color import DominantColor
from style.descriptors.registry import descriptor
from style.descriptors.shape import Contour
from style.descriptors.texture import CoOccurrence
from style.descriptors.words import color_name, lab_of_hex, shape_name, texture_name

DOMINANT = DominantColor.name
SAME_COLOR = 8.0
"""Largest difference (CIEDE2000) of two products of the same color, if their colors also have the same name."""
ALIKE = 0.05
"""Share of the catalog, the nearest items, that counts as similar."""
_CURE = "name some in [descriptors] of recsys.toml, then `recsys build`"


def with_dominant_color(names: tuple[str, ...]) -> tuple[str, ...]:
    """Add the dominant color to the names of descriptors, if one of them is a color descriptor."""
    colored = any(descriptor(name).family is Family.COLOR for name in names)
    return names if DOMINANT in names or not colored else (*names, DOMINANT)


@dataclass(frozen=True, slots=True, eq=False)
class ProductDescriptors:
    """Descriptors of I items.

    Attributes:
        arrays: (I, D) float32 for each descriptor by name, zeros for items whose photo does not show the property.
    """

    arrays: Mapping[str, FloatArray] = field(default_factory=dict)

    def check(self, items: int) -> None:
        """Raise DataError that names the descriptor, if an array is not (items, D) or not finite."""
        for name, array in self.arrays.items():
            check_array(f"descriptors: {name}", array, Expected((items, descriptor(name).dimensions)))

    def with_room(self, new: int) -> ProductDescriptors:
        """Return the descriptors with `new` further items, all unknown."""
        return ProductDescriptors({name: np.pad(array, ((0, new), (0, 0))) for name, array in self.arrays.items()})

    def with_last(self, last: ProductDescriptors) -> ProductDescriptors:
        """Return the descriptors with those of the last items replaced by `last`."""
        arrays = dict(self.arrays)
        for name in arrays.keys() & last.arrays.keys():
            count = len(last.arrays[name])
            arrays[name] = np.concatenate([arrays[name][: len(arrays[name]) - count], last.arrays[name]])
        return replace(self, arrays=arrays)

    def without(self, rows: IntArray) -> ProductDescriptors:
        """Return the descriptors with those of `rows` (n,) unknown, such as items with a new photo."""
        if not len(rows):
            return self
        arrays = {name: array.copy() for name, array in self.arrays.items()}
        for array in arrays.values():
            array[rows] = 0.0
        return ProductDescriptors(arrays)

    def name_of(self, family: Family) -> str:
        """Return the name of the descriptor that compares a family, the first one of the settings.

        Raises RequestError if there is none.
        """
        for name in self.arrays:
            if descriptor(name).family is family:
                return name
        raise RequestError("by", f"this shop's items have no descriptors of {family}; {_CURE}")

    def nearest(self, row: int, family: Family, allowed: BoolArray, limit: int) -> tuple[IntArray, FloatArray]:
        """Return rows (n,) and similarities 1 / (1 + distance) of the allowed items nearest to `row`, nearest first.

        The search is exact: all items are compared. Raises RequestError if the item's photo does not show the property.
        """
        name = self.name_of(family)
        known = self._has_value(name)
        if not known[row]:
            raise RequestError("item_id", f"nothing is known of this item's {family}: it has no photo that shows it")
        similarity = (1.0 / (1.0 + self._distances(name, row))).astype(np.float32)
        found = top_k(similarity[None], limit, allowed & known)
        present = found.rows[0] != NO_ROW
        return found.rows[0][present], found.scores[0][present]

    def near_color(self, color: str, tolerance: float) -> BoolArray:
        """Return a mask (I,) of the items whose dominant color is within `tolerance` (CIEDE2000) of "#rrggbb".

        Raises RequestError if the bundle has no color descriptors.
        """
        if DOMINANT not in self.arrays:
            raise RequestError("color", f"this shop's items have no descriptors of color; {_CURE}")
        target = lab_of_hex(color).astype(np.float32)
        distances = descriptor(DOMINANT).distances(target, self.arrays[DOMINANT])
        return np.asarray((distances <= tolerance) & self._has_value(DOMINANT))

    def shared_words(self, row: int, others: IntArray, family: Family) -> list[str]:
        """Return words for the property of a family that `row` shares with each of `others` (n,).

        They are such as "same deep blue" or "similar round shape", or "" if nothing is shared.
        """
        if not any(descriptor(name).family is family for name in self.arrays):
            return [""] * len(others)
        if family is Family.COLOR:
            return [self._same_color(row, int(other)) for other in others]
        similar = self._similar(self.name_of(family), row)
        return [self._same_kind(row, int(other), family) if similar[other] else "" for other in others]

    def _same_color(self, row: int, other: int) -> str:
        array = self.arrays[DOMINANT]
        if not (array[row].any() and array[other].any()):
            return ""
        name = color_name(array[row])
        distance = float(descriptor(DOMINANT).distances(array[row], array[[other]])[0])
        return f"same {name}" if distance <= SAME_COLOR and color_name(array[other]) == name else ""

    def _same_kind(self, row: int, other: int, family: Family) -> str:
        noun, name, word_of = _WORDS[family]
        array = self.arrays.get(name)
        word = None if array is None or not array[row].any() else word_of(array[row])
        # The word is used only if it describes both items.
        if array is None or word is None or word_of(array[other]) != word:
            return f"similar {noun}"
        return f"similar {word} {noun}"

    def _similar(self, name: str, row: int) -> BoolArray:
        """Return a mask (I,) of the items among the nearest to `row` by a descriptor."""
        known = self._has_value(name)
        if not known[row]:
            return np.zeros_like(known)
        distances = self._distances(name, row)
        return np.asarray(known & (distances <= np.quantile(distances[known], ALIKE)))

    def _has_value(self, name: str) -> BoolArray:
        return np.asarray(self.arrays[name].any(axis=1))

    def _distances(self, name: str, row: int) -> FloatArray:
        return descriptor(name).distances(self.arrays[name][row], self.arrays[name])


_WORDS: dict[Family, tuple[str, str, Callable[[FloatArray], str | None]]] = {
    Family.SHAPE: ("shape", Contour.name, shape_name),
    Family.TEXTURE: ("surface", CoOccurrence.name, texture_name),
}
