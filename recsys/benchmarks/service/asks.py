"""What shoppers ask, drawn by a seed, and what has to be true of an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

import numpy as np
import orjson

from recsys.benchmarks.load import Ask, Reply
from recsys.benchmarks.service.shops import Served
from recsys.rng import generator

_CHUNK = 4096
ZIPF, UNIFORM = "Zipf", "uniform"


def drawn(names: Sequence[str], law: str, seed: int, purpose: str) -> Iterator[str]:
    """Names without end: all alike (`UNIFORM`), or in shares that fall as 1 / rank (`ZIPF`), ranks drawn as well."""
    rng = generator(seed, "benchmark of the service", purpose, law)
    order = rng.permutation(len(names))
    shares = 1.0 / np.arange(1, len(names) + 1) if law == ZIPF else np.ones(len(names))
    shares /= shares.sum()
    while True:
        for rank in rng.choice(len(names), size=_CHUNK, p=shares):
            yield names[order[rank]]


def recommendations(shop: Served, law: str, seed: int, query: str = "") -> Iterator[Ask]:
    """Requests for ten recommendations with links, without end; `query` goes behind the path as it is."""
    for user in drawn(shop.users, law, seed, "users"):
        yield Ask(f"/v1/users/{quote(user, safe='')}/recommendations{query}")


def one_version(_: Ask, reply: Reply) -> str | None:
    """A list is not empty and names the model version that the header names."""
    body = orjson.loads(reply.body)
    if not body["items"]:
        return "an empty list"
    named = body["model_version"].encode()
    return None if named == reply.headers.get(b"model-version") else "body and header name different versions"


def mixed(shop: Served, seed: int) -> Iterator[Ask]:
    """Everything that reads, without end: lists, similar items, sessions, tastes, pictures, and what is not there."""
    rng = generator(seed, "benchmark of the service", "mix")
    users, items = drawn(shop.users, ZIPF, seed, "mixed users"), drawn(shop.items, ZIPF, seed, "mixed items")
    styles = drawn(shop.styles, ZIPF, seed, "mixed styles")
    kinds: list[tuple[float, Callable[[], Ask]]] = [
        (0.50, lambda: Ask(f"/v1/users/{next(users)}/recommendations")),
        (0.05, lambda: Ask(f"/v1/users/{next(users)}/recommendations?limit=30&explain=true&price_max=60")),
        (0.10, lambda: Ask(f"/v1/items/{next(items)}/similar")),
        (0.10, lambda: Ask("/v1/recommendations", "POST", orjson.dumps({"items": [{"item_id": next(items)}]}))),
        (0.05, lambda: Ask(f"/v1/users/{next(users)}/taste")),
        (0.05, lambda: Ask(f"/v1/items/{next(items)}")),
        (0.05, lambda: Ask(f"/v1/items/{next(items)}/image?width=128")),
        (0.05, lambda: Ask(f"/v1/items/{next(items)}/image?width=128&style={next(styles)}")),
        (0.03, lambda: Ask("/v1/items/nothing-of-this-name")),
        (0.02, lambda: Ask(f"/v1/users/{next(users)}/recommendations?limit=0")),
    ]
    shares = np.array([share for share, _ in kinds])
    while True:
        for kind in rng.choice(len(kinds), size=_CHUNK, p=shares / shares.sum()):
            yield kinds[kind][1]()
