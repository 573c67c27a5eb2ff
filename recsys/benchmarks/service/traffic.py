"""Requests of shoppers, drawn by a seed, and checks of the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

import numpy as np
import orjson

from recsys.benchmarks.load import HttpReply, HttpRequest
from recsys.benchmarks.service.shops import Served
from recsys.rng import generator

_CHUNK = 4096
ZIPF, UNIFORM = "Zipf", "uniform"


def draw_names(names: Sequence[str], law: str, seed: int, purpose: str) -> Iterator[str]:
    """Draw names endlessly: with equal shares (`UNIFORM`), or with shares 1 / rank (`ZIPF`) and random ranks."""
    rng = generator(seed, "benchmark of the service", purpose, law)
    order = rng.permutation(len(names))
    shares = 1.0 / np.arange(1, len(names) + 1) if law == ZIPF else np.ones(len(names))
    shares /= shares.sum()
    while True:
        for rank in rng.choice(len(names), size=_CHUNK, p=shares):
            yield names[order[rank]]


def recommendation_requests(shop: Served, law: str, seed: int, query: str = "") -> Iterator[HttpRequest]:
    """Yield requests for ten recommendations with links endlessly; `query` is appended to the path."""
    for user in draw_names(shop.users, law, seed, "users"):
        yield HttpRequest(f"/v1/users/{quote(user, safe='')}/recommendations{query}")


def check_version(_: HttpRequest, reply: HttpReply) -> str | None:
    """Check that a list is not empty, and that its model version is that of the header."""
    body = orjson.loads(reply.body)
    if not body["items"]:
        return "an empty list"
    named = body["model_version"].encode()
    return None if named == reply.headers.get(b"model-version") else "body and header name different versions"


def mixed_requests(shop: Served, seed: int) -> Iterator[HttpRequest]:
    """Yield reading requests endlessly: lists, similar items, sessions, tastes, images, and unknown items."""
    rng = generator(seed, "benchmark of the service", "mix")
    users, items = draw_names(shop.users, ZIPF, seed, "mixed users"), draw_names(shop.items, ZIPF, seed, "mixed items")
    styles = draw_names(shop.styles, ZIPF, seed, "mixed styles")
    kinds: list[tuple[float, Callable[[], HttpRequest]]] = [
        (0.50, lambda: HttpRequest(f"/v1/users/{next(users)}/recommendations")),
        (0.05, lambda: HttpRequest(f"/v1/users/{next(users)}/recommendations?limit=30&explain=true&price_max=60")),
        (0.10, lambda: HttpRequest(f"/v1/items/{next(items)}/similar")),
        (0.10, lambda: HttpRequest("/v1/recommendations", "POST", orjson.dumps({"items": [{"item_id": next(items)}]}))),
        (0.05, lambda: HttpRequest(f"/v1/users/{next(users)}/taste")),
        (0.05, lambda: HttpRequest(f"/v1/items/{next(items)}")),
        (0.05, lambda: HttpRequest(f"/v1/items/{next(items)}/image?width=128")),
        (0.05, lambda: HttpRequest(f"/v1/items/{next(items)}/image?width=128&style={next(styles)}")),
        (0.03, lambda: HttpRequest("/v1/items/nothing-of-this-name")),
        (0.02, lambda: HttpRequest(f"/v1/users/{next(users)}/recommendations?limit=0")),
    ]
    shares = np.array([share for share, _ in kinds])
    while True:
        for kind in rng.choice(len(kinds), size=_CHUNK, p=shares / shares.sum()):
            yield kinds[kind][1]()
