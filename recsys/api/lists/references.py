"""References of a request: items and categories that it names, as far as the catalog has them now.

A shop's pages name items and categories that may be gone since. These are left out and named in the answer; they never
cost the caller the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from recsys.api.schemas.recommendations import FilterOptions
from recsys.ranking.catalog_view import CatalogView
from recsys.ranking.request import Filters
from recsys.schema import ItemId


@dataclass(frozen=True, slots=True)
class References:
    """Names of a request.

    Attributes:
        filters: Filters with the items and categories that the catalog has.
        shown: Items that the session already showed.
        unknown: Ids of items that the catalog does not have, in the order of the request.
        hints: Sentences about names that were read otherwise or not found.
    """

    filters: Filters
    shown: frozenset[ItemId] = frozenset()
    unknown: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    @classmethod
    def read(cls, options: FilterOptions, catalog: CatalogView, shown: Iterable[str] = ()) -> References:
        """Look up the names in the filters of a request, and in `shown`."""
        excluded, unknown = split_names(options.exclude, lambda name: catalog.has_item(ItemId(name)))
        seen_before, others = split_names(shown, lambda name: catalog.has_item(ItemId(name)))
        categories, missing = split_names(options.category, lambda name: catalog.find_category(name) is not None)
        found = {name: catalog.find_category(name) or name for name in categories}
        hints = [f"category {name!r} is read as {own!r}" for name, own in found.items() if name != own]
        for name in missing:
            near = get_close_matches(name.casefold(), list(catalog.folded_categories), 3)
            similar = ", ".join(repr(catalog.folded_categories[one]) for one in near)
            named = f"; similar ones: {similar}" if near else ""
            hints.append(f"no item has the category {name!r} at present{named}")
        return cls(
            # Names that no item has stay, so that they match nothing instead of everything.
            filters=options.filters(frozenset(map(ItemId, excluded)), frozenset([*found.values(), *missing])),
            shown=frozenset(map(ItemId, seen_before)),
            unknown=tuple(dict.fromkeys([*unknown, *others])),
            hints=tuple(hints),
        )


def split_names(names: Iterable[str], is_known: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Return the known and the unknown names; an unknown name with commas is a list of names, as `a,b`."""
    known: list[str] = []
    unknown: list[str] = []
    for name in names:
        parts = [name] if is_known(name) else [part for part in map(str.strip, name.split(",")) if part]
        if not any(map(is_known, parts)) and any(" " in part for part in parts):
            # "Cups, mugs and bowls" is one name that nothing has.
            parts = [name]
        for part in parts:
            (known if is_known(part) else unknown).append(part)
    return known, unknown
