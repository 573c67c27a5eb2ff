"""How a bundle becomes what is served: loaded, checked, warmed up, and with the catalog's live changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recsys.bundle.store import load_bundle
from recsys.errors import BundleError, DataError
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.serving.catalog_overlay import ItemChange, check_change, with_changes
from recsys.serving.warm_up import warm_up

logger = logging.getLogger(__name__)


class ItemSource(Protocol):
    """Where live changes of the catalog come from; both are called by a background thread."""

    def last_seq(self) -> int:
        """The number of the latest change; 0 where there is none."""
        ...

    def changes(self, after: int) -> Sequence[ItemChange]:
        """The present state of all items that were changed after that number."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """One state of what is served: `version` of the bundle, and `items_seq`, the latest live change in it."""

    recommender: Recommender
    version: str
    items_seq: int


@dataclass(frozen=True, slots=True)
class Loader:
    """Makes what is served. `items`: live changes, if any; `tell` is given what cannot be applied, and where."""

    bundles: Path
    image_root: Path
    items: ItemSource | None
    tell: Callable[[str, str], None]

    def load(self, version: str, tried_with: Sequence[Request]) -> Served:
        """A version as it will be served, after it was tried with requests. Raises BundleError."""
        # First, since it is quick to fail: a database that is away is no reason to load a bundle again and again.
        if self.items is not None:
            self.items.last_seq()
        try:
            recommender = Recommender(load_bundle(self.bundles, self.image_root, version))
            warm_up(recommender, tuple(tried_with))
        except Exception as error:
            refusal = error if isinstance(error, BundleError) else BundleError(f"bundle {version}: {error!r}")
            raise refusal from error
        return self.with_news(Served(recommender, version, recommender.bundle.items_through))

    def with_news(self, served: Served) -> Served:
        """The same with what has changed since; itself where nothing has."""
        changes = self._changes(served.items_seq)
        if not changes:
            return served
        recommender = with_changes(served.recommender, [change for change in changes if self._can_be(change)])
        return Served(recommender, served.version, max(change.seq for change in changes))

    def _changes(self, after: int) -> Sequence[ItemChange]:
        if self.items is None or self.items.last_seq() <= after:
            return ()
        return self.items.changes(after)

    def _can_be(self, change: ItemChange) -> bool:
        """Whether a change can be applied: one that cannot must not keep the others waiting."""
        try:
            check_change(change)
        except DataError as error:
            self.tell("change", str(error))
            return False
        return True
