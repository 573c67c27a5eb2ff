"""Model loader: loads a bundle, verifies it, warms it up, and adds the live changes of the catalog."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from recsys.bundle.store import load_bundle
from recsys.errors import BundleError, DataError, RecsysError, UnknownIdError
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.serving.catalog_overlay import ItemChange, check_change, with_changes

logger = logging.getLogger(__name__)

DEFAULT_REQUEST = Request(filters=Filters(unavailable=True))
"""Request that every catalog can answer."""


class ItemSource(Protocol):
    """Source of live changes of the catalog, read by a background thread."""

    def last_seq(self) -> int:
        """Return the number of the latest change, 0 if there is none."""
        ...

    def changes(self, after: int) -> Sequence[ItemChange]:
        """Return the present state of the items that were changed after a number."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """State of what is served: a recommender, the version of its bundle, and the latest live change in it."""

    recommender: Recommender
    version: str
    items_seq: int


@dataclass(frozen=True, slots=True)
class Loader:
    """Loader of served models.

    Attributes:
        bundles: Folder of bundles.
        image_root: Folder to which paths of images are relative.
        items: Live changes of the catalog, None if there are none.
        report: Function that is called with a step and the error of a change that cannot be applied.
    """

    bundles: Path
    image_root: Path
    items: ItemSource | None
    report: Callable[[str, str], None]

    def load(self, version: str, requests: Sequence[Request]) -> Served:
        """Load and verify a version, and warm it up with requests. Raises BundleError."""
        # First, because it fails quickly: without the database there is no reason to load a bundle again and again.
        if self.items is not None:
            self.items.last_seq()
        try:
            recommender = Recommender(load_bundle(self.bundles, self.image_root, version))
            warm_up(recommender, tuple(requests))
        except Exception as error:
            rejection = error if isinstance(error, BundleError) else BundleError(f"bundle {version}: {error!r}")
            raise rejection from error
        return self.update(Served(recommender, version, recommender.bundle.items_through))

    def update(self, served: Served) -> Served:
        """Return the model with all live changes of the catalog, or `served` itself if nothing changed."""
        if self.items is None or self.items.last_seq() <= served.items_seq:
            return served
        changes = self.items.changes(served.items_seq)
        if not changes:
            return served
        recommender = with_changes(served.recommender, [change for change in changes if self._is_valid(change)])
        return Served(recommender, served.version, max(change.seq for change in changes))

    def _is_valid(self, change: ItemChange) -> bool:
        """Return whether a change can be applied: an invalid one must not delay the others."""
        try:
            check_change(change)
        except DataError as error:
            self.report("change", str(error))
            return False
        return True


def warm_up(recommender: Recommender, requests: Iterable[Request] = ()) -> None:
    """Run a default request and recent requests through a new model before it serves traffic.

    Requests for items, styles or categories that the bundle does not know are skipped.

    Raises:
        BundleError: An answer is an exception, is shorter than it should be, or has a score that is not finite.
    """
    if not _answer(recommender, DEFAULT_REQUEST):
        raise BundleError(f"bundle {recommender.version}: has nothing to recommend; `recsys build` makes a new bundle")
    for request in requests:
        try:
            _answer(recommender, request)
        except UnknownIdError:
            continue


def _answer(recommender: Recommender, request: Request) -> int:
    """Return the number of recommended items. Raises BundleError, UnknownIdError."""
    place = f"bundle {recommender.version}: a request of limit {request.limit}"
    try:
        recommendations = recommender.recommend(request).recommendations
        allowed = recommender.catalog.filter_items(request.filters, recommender.profile(request))
    except UnknownIdError:
        raise
    except (RecsysError, ArithmeticError, LookupError, TypeError, ValueError, MemoryError) as error:
        raise BundleError(f"{place} failed: {error!r}; `recsys build` makes a new bundle") from error
    expected = min(request.limit, int(allowed.sum()))
    if len(recommendations) != expected:
        raise BundleError(f"{place} got {len(recommendations)} items of {expected}; `recsys build` makes a new bundle")
    scores = [part for one in recommendations for part in (one.score, one.propensity, *one.contributions.values())]
    if not np.isfinite(scores).all():
        raise BundleError(f"{place} got a score that is no number; `recsys build` makes a new bundle")
    return len(recommendations)
