"""Cost of one request on one core, step by step, and recall of retrieval compared with exact search."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import recsys.ranking.recommender as served
from recsys.benchmarks.stopwatch import Stopwatch
from recsys.bundle.types import Bundle
from recsys.config import ProjectSettings
from recsys.dataset.catalog import Catalog
from recsys.index.base import VectorIndex
from recsys.index.exact import ExactIndex
from recsys.profiles.style_space import StyleSpace
from recsys.ranking.catalog_view import CatalogView
from recsys.ranking.features import Features
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.ranking.retrieve import Retriever
from recsys.rng import generator
from recsys.schema import ITEM_ID, BoolArray, FloatArray, IntArray, UserRow
from recsys.simulation.large_catalog import Shop, Size, synthetic_shop
from recsys.training.build import DEFAULT_BLEND, Ingredients, fit
from recsys.training.refresh import add_items

module: Any = served
STEPS = {
    (Recommender, "profile"): "profile",
    (CatalogView, "filter_items"): "filters",
    (Retriever, "candidates"): "retrieve",
    (Features, "table"): "features",
    (module, "rerank"): "rerank",
    (Recommender, "_explain"): "explain",
}
"""Steps of `Recommender.recommend`."""
TOTAL = "one request"
EXHAUSTIVE = "every item scored, no retrieval"
NEW_ITEM = "a new item, until it can be recommended"
SHARES = (1.0, 0.1, 0.01)
FEWEST_EVENTS = 3
K = 100


def rank_lines(catalogs: Sequence[int], requests: int = 300, seed: int = 0) -> Iterator[str]:
    """Yield the lines of a table per catalog size; a catalog has as many users and ten times as many events."""
    with threadpool_limits(1):
        for items in catalogs:
            size = Size(items, items, 10 * items)
            yield f"{size}; one core"
            bundle = train_bundle(synthetic_shop(size, seed), ProjectSettings(seed=seed))
            recommender = Recommender(bundle)
            users = active_users(bundle, requests, seed)
            yield from request_lines(recommender, bundle, users)
            yield ""
            yield from recall_lines(recommender, bundle, users, seed)
            yield new_item_line(recommender)
            yield ""


def ingredients(shop: Shop, settings: ProjectSettings) -> Ingredients:
    """Convert a synthetic shop to the input of `recsys.training.build`; it has no style references."""
    catalog = Catalog.from_frame(shop.items)
    space = StyleSpace.from_vectors(shop.vectors, catalog.category_codes)
    nothing = np.zeros((0, space.dimensions), dtype=np.float32)
    return Ingredients(shop.items, catalog, space, (), nothing, settings, "synthetic", Path())


def train_bundle(shop: Shop, settings: ProjectSettings) -> Bundle:
    """Train a bundle of the shop with the default blend."""
    return fit(ingredients(shop, settings), shop.interactions, DEFAULT_BLEND, {})


def active_users(bundle: Bundle, count: int, seed: int = 0) -> IntArray:
    """Draw up to `count` rows (n,) of users with at least `FEWEST_EVENTS` events."""
    rows = np.flatnonzero(np.diff(bundle.recent.indptr) >= FEWEST_EVENTS)
    return generator(seed, "benchmark people").permutation(rows)[:count].astype(np.int64)


def request_lines(recommender: Recommender, bundle: Bundle, users: IntArray) -> Iterator[str]:
    """Yield median and 95th percentile of requests for ten items, by step, and of scoring all items instead."""
    ids = bundle.user_ids.ids(users)
    catalog = bundle.catalog
    common = catalog.category_names[int(np.bincount(catalog.category_codes).argmax())]
    kinds = {
        "known user": Filters(),
        "known user, one category": Filters(categories=frozenset([common])),
        "known user, cheapest 1 %": Filters(price_max=float(np.quantile(catalog.prices, 0.01))),
    }
    for title, filters in kinds.items():
        watch = Stopwatch()
        requests = [Request(user_id=user, filters=filters) for user in ids]
        recommender.recommend(requests[0])
        with watch.watching(STEPS):
            for request in requests:
                with watch.lap(TOTAL):
                    recommender.recommend(request)
        for user in ids[:: max(1, len(ids) // 20)]:
            with watch.lap(EXHAUSTIVE):
                request = Request(user_id=user, filters=filters)
                profile = recommender.profile(request)
                allowed = recommender.catalog.filter_items(request.filters, profile)
                contributions = recommender._contributions(recommender.blend, profile, np.arange(len(allowed)))
                scores = np.where(allowed, contributions.sum(axis=1), -np.inf)
                best = np.argpartition(-scores, min(request.limit, len(scores) - 1))[: request.limit]
                best[np.argsort(-scores[best], kind="stable")].tolist()
        yield f"{title:<40} {'median ms':>10} {'95 % ms':>10} {'median CPU ms':>14}"
        for step, laps in watch.laps.items():
            wall, cpu = np.array([(1000 * lap.wall, 1000 * lap.cpu) for lap in laps]).T
            yield f"  {step:<38} {np.median(wall):>10.2f} {np.percentile(wall, 95):>10.2f} {np.median(cpu):>14.2f}"


def recall_lines(recommender: Recommender, bundle: Bundle, users: IntArray, seed: int = 0) -> Iterator[str]:
    """Yield recall@100 of both served indexes against exact search, by the share of items that a filter allows."""
    factors, space = bundle.factors, bundle.space
    items = np.column_stack([factors.item_factors, factors.item_bias]).astype(np.float32)
    ones = np.ones((len(users), 1), dtype=np.float32)
    tastes = [recommender.profile_of_row(UserRow(int(row))).taste.directions[:1] for row in users]
    served_by = recommender._retriever
    sources = {
        "factors": (served_by.by_factors, items, np.hstack([factors.user_factors[users], ones])),
        "style": (served_by.by_style, space.directions, np.concatenate(tastes)),
    }
    yield f"{'index':<10} {'allowed':<28} {'recall@100':>10} {'worst':>8} {'ms':>8} {'exact ms':>10}"
    for name, (index, vectors, queries) in sources.items():
        oracle = ExactIndex().build(vectors)
        for title, allowed in _masks(bundle, seed):
            found, ours = _time_search(index, queries, allowed)
            expected, theirs = _time_search(oracle, queries, allowed)
            pairs = zip(found, expected, strict=True)
            shares = np.array([len(np.intersect1d(some, all_)) / max(len(all_), 1) for some, all_ in pairs])
            yield (
                f"{name:<10} {title:<28} {shares.mean():>10.4f} {shares.min():>8.2f} {1000 * ours:>8.2f} "
                f"{1000 * theirs:>10.2f}"
            )


def new_item_line(recommender: Recommender, times: int = 5) -> str:
    """Measure the time until a new item can be recommended, if its image is embedded already."""
    bundle, seconds = recommender.bundle, []
    vector = bundle.space.vectors[:1]
    for number in range(times):
        item = bundle.items.iloc[[0]].assign(**{ITEM_ID: f"new {number}"})
        start = time.perf_counter()
        Recommender(add_items(bundle, item, vector), previous=recommender)
        seconds.append(time.perf_counter() - start)
    return f"{NEW_ITEM}: median {1000 * np.median(seconds):.0f} ms"


def _masks(bundle: Bundle, seed: int) -> Iterator[tuple[str, BoolArray]]:
    rng, count = generator(seed, "benchmark filters"), len(bundle.catalog)
    for share in SHARES:
        yield f"{share:.0%}, at random", rng.random(count) < share
    codes = bundle.catalog.category_codes
    middle = int(np.bincount(codes).argsort()[-10:][0])
    yield f"one category, {np.mean(codes == middle):.1%}", codes == middle


def _time_search(index: VectorIndex, queries: FloatArray, allowed: BoolArray) -> tuple[list[IntArray], float]:
    """Return the rows found for each query, searched one by one, and the median seconds of one search."""
    found, seconds = [], []
    for query in queries:
        start = time.perf_counter()
        rows = index.search(query[None], K, allowed).rows[0]
        seconds.append(time.perf_counter() - start)
        found.append(rows[rows >= 0])
    return found, float(np.median(seconds))
