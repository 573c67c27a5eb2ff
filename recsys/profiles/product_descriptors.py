"""The catalog's colors, textures and shapes: exact search among them, a filter by color, and words for what two
items share."""

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
"""Up to this difference (CIEDE2000) two products have the same color, if it has one name, too."""
ALIKE = 0.05
"""The nearest of the catalog, by this share, are alike."""
_CURE = "name some in [descriptors] of recsys.toml, then `recsys build`"


def stored(names: tuple[str, ...]) -> tuple[str, ...]:
    """What is computed where these names are asked for: with one of color, the dominant color, too."""
    colored = any(descriptor(name).family is Family.COLOR for name in names)
    return names if DOMINANT in names or not colored else (*names, DOMINANT)


@dataclass(frozen=True, slots=True, eq=False)
class ProductDescriptors:
    """`arrays`: for each descriptor by name (I, D) float32, zeros for items whose photo says nothing of it."""

    arrays: Mapping[str, FloatArray] = field(default_factory=dict)

    def check(self, items: int) -> None:
        """Raises DataError that names the descriptor which is not (items, D), or not finite."""
        for name, array in self.arrays.items():
            check_array(f"descriptors: {name}", array, Expected((items, descriptor(name).dimensions)))

    def with_room(self, new: int) -> ProductDescriptors:
        """With `new` further items of which nothing is known."""
        return ProductDescriptors({name: np.pad(array, ((0, new), (0, 0))) for name, array in self.arrays.items()})

    def with_last(self, last: ProductDescriptors) -> ProductDescriptors:
        """With the last items described as `last` has them."""
        arrays = dict(self.arrays)
        for name in arrays.keys() & last.arrays.keys():
            count = len(last.arrays[name])
            arrays[name] = np.concatenate([arrays[name][: len(arrays[name]) - count], last.arrays[name]])
        return replace(self, arrays=arrays)

    def without(self, rows: IntArray) -> ProductDescriptors:
        """With nothing known of the items in `rows` (n,), such as those whose photo is another one now."""
        if not len(rows):
            return self
        arrays = {name: array.copy() for name, array in self.arrays.items()}
        for array in arrays.values():
            array[rows] = 0.0
        return ProductDescriptors(arrays)

    def name_of(self, family: Family) -> str:
        """The descriptor that compares this family: the first one named. Raises RequestError where there is none."""
        for name in self.arrays:
            if descriptor(name).family is family:
                return name
        raise RequestError("by", f"this shop's items have no descriptors of {family}; {_CURE}")

    def nearest(self, row: int, family: Family, allowed: BoolArray, limit: int) -> tuple[IntArray, FloatArray]:
        """The allowed items nearest to `row`: rows (n,) and likenesses 1 / (1 + distance), nearest first.

        Exact: all items are compared. Raises RequestError where the item's photo does not show this family.
        """
        name = self.name_of(family)
        known = self._known(name)
        if not known[row]:
            raise RequestError("item_id", f"nothing is known of this item's {family}: it has no photo that shows it")
        likeness = (1.0 / (1.0 + self._distances(name, row))).astype(np.float32)
        found = top_k(likeness[None], limit, allowed & known)
        here = found.rows[0] != NO_ROW
        return found.rows[0][here], found.scores[0][here]

    def near_color(self, color: str, tolerance: float) -> BoolArray:
        """Which items (I,) have a dominant color within `tolerance` (CIEDE2000) of "#rrggbb".

        Raises RequestError where colors are not known.
        """
        if DOMINANT not in self.arrays:
            raise RequestError("color", f"this shop's items have no descriptors of color; {_CURE}")
        wanted = lab_of_hex(color).astype(np.float32)
        distances = descriptor(DOMINANT).distances(wanted, self.arrays[DOMINANT])
        return np.asarray((distances <= tolerance) & self._known(DOMINANT))

    def shared(self, row: int, others: IntArray, family: Family) -> list[str]:
        """What of a family `row` shares with each of `others` (n,): "same deep blue", "similar round shape", or ""."""
        if not any(descriptor(name).family is family for name in self.arrays):
            return [""] * len(others)
        if family is Family.COLOR:
            return [self._same_color(row, int(other)) for other in others]
        alike = self._alike(self.name_of(family), row)
        return [self._same_kind(row, int(other), family) if alike[other] else "" for other in others]

    def _same_color(self, row: int, other: int) -> str:
        array = self.arrays[DOMINANT]
        if not (array[row].any() and array[other].any()):
            return ""
        name = color_name(array[row])
        apart = float(descriptor(DOMINANT).distances(array[row], array[[other]])[0])
        return f"same {name}" if apart <= SAME_COLOR and color_name(array[other]) == name else ""

    def _same_kind(self, row: int, other: int, family: Family) -> str:
        noun, name, word_of = _WORDS[family]
        array = self.arrays.get(name)
        word = None if array is None or not array[row].any() else word_of(array[row])
        # A word is said where it holds of both.
        if array is None or word is None or word_of(array[other]) != word:
            return f"similar {noun}"
        return f"similar {word} {noun}"

    def _alike(self, name: str, row: int) -> BoolArray:
        """Which items (I,) are among the nearest to `row` by a descriptor."""
        known = self._known(name)
        if not known[row]:
            return np.zeros_like(known)
        distances = self._distances(name, row)
        return np.asarray(known & (distances <= np.quantile(distances[known], ALIKE)))

    def _known(self, name: str) -> BoolArray:
        return np.asarray(self.arrays[name].any(axis=1))

    def _distances(self, name: str, row: int) -> FloatArray:
        return descriptor(name).distances(self.arrays[name][row], self.arrays[name])


_WORDS: dict[Family, tuple[str, str, Callable[[FloatArray], str | None]]] = {
    Family.SHAPE: ("shape", Contour.name, shape_name),
    Family.TEXTURE: ("surface", CoOccurrence.name, texture_name),
}
