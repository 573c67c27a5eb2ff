"""A recommender answers requests that came before, and one that asks for nothing special, before it serves."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recsys.errors import BundleError, RecsysError, UnknownIdError
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request

DEFAULT = Request(filters=Filters(unavailable=True))
"""Whatever is in the catalog answers this."""


def warm_up(recommender: Recommender, requests: Iterable[Request] = ()) -> None:
    """Answer `DEFAULT` and `requests`, so that nothing is done for the first time when people wait for it.

    Raises BundleError where an answer is an exception, shorter than it can be, or has a score that is no number. A
    request for items, styles or categories that this bundle does not know says nothing against it.
    """
    if not _answer(recommender, DEFAULT):
        raise BundleError(f"bundle {recommender.version}: has nothing to recommend; `recsys build` makes a new bundle")
    for request in requests:
        try:
            _answer(recommender, request)
        except UnknownIdError:
            continue


def _answer(recommender: Recommender, request: Request) -> int:
    """How many items are recommended."""
    place = f"bundle {recommender.version}: a request of limit {request.limit}"
    try:
        found = recommender.recommend(request).recommendations
        allowed = recommender.catalog.allowed(request.filters, recommender.profile(request))
    except UnknownIdError:
        raise
    except (RecsysError, ArithmeticError, LookupError, TypeError, ValueError, MemoryError) as error:
        raise BundleError(f"{place} failed: {error!r}; `recsys build` makes a new bundle") from error
    expected = min(request.limit, int(allowed.sum()))
    if len(found) != expected:
        raise BundleError(f"{place} got {len(found)} items of {expected}; `recsys build` makes a new bundle")
    parts = [part for item in found for part in (item.score, item.propensity, *item.contributions.values())]
    if not np.isfinite(parts).all():
        raise BundleError(f"{place} got a score that is no number; `recsys build` makes a new bundle")
    return len(found)
