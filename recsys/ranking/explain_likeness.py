"""Why an item is like another one: what color, texture and shape they share."""

from __future__ import annotations

from recsys.profiles.product_descriptors import ProductDescriptors
from recsys.schema import IntArray
from style.descriptors.base import Family

_PLAIN = {Family.COLOR: "Colors like", Family.TEXTURE: "Surface like", Family.SHAPE: "Shape like"}
_LINKS = {Family.COLOR: "as", Family.TEXTURE: "to", Family.SHAPE: "to"}
"""Same deep blue as, similar round shape to."""


def shared_words(described: ProductDescriptors, row: int, others: IntArray) -> list[str]:
    """What follows "Looks like X" for each of `others` (n,): ": same deep blue, similar round shape", or nothing."""
    families = [described.shared(row, others, family) for family in Family]
    said = (", ".join(filter(None, words)) for words in zip(*families, strict=True))
    return [f": {words}" if words else "" for words in said]


def descriptor_reasons(
    described: ProductDescriptors, row: int, others: IntArray, family: Family, name: str
) -> list[str]:
    """Sentences for items that a descriptor of `family` found like the item `name`."""
    return [
        f"{words.capitalize()} {_LINKS[family]} {name}" if words else f"{_PLAIN[family]} {name}"
        for words in described.shared(row, others, family)
    ]
