"""Deadlines: the engine sleeps for five seconds, and answers come in time, with original pictures and the same list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import orjson

from recsys.benchmarks.load import Ask, Check, Client, Reply, closed_loop, run
from recsys.benchmarks.service.asks import UNIFORM, drawn, recommendations
from recsys.benchmarks.service.child import Server, application
from recsys.benchmarks.service.figures import Bench, Figure

PROJECT_VARIABLE = "RECSYS_PROJECT"
"""As in `recsys.api.worker`, which is a floor above."""
DEADLINES_MS = (100, 300)
GRACE_MS = 50
CONNECTIONS = (1, 4)
Lists = dict[str, list[str]]


def deadlines(bench: Bench) -> Iterator[Figure]:
    """Lists with pictures inside, and single pictures, of the sample by one connection and by four."""
    shop, count = bench.shops.sample(), bench.effort.late
    # Nobody asks twice: what took five seconds once is answered from the cache afterwards, and rightly so.
    lists = _different(recommendations(shop, UNIFORM, bench.seed))
    pictures = _different(
        Ask(f"/v1/items/{name}/image") for name in drawn(shop.items, UNIFORM, bench.seed, "late items")
    )
    environment = {PROJECT_VARIABLE: str(shop.project.root)}
    log = bench.folder / "deadlines.log"
    with application("sleeping_app:service", "/readyz", log, environment, factory=True) as server:
        for deadline_ms in DEADLINES_MS:
            parts = [list(islice(lists, count)) for _ in CONNECTIONS]
            query = f"?restyle=inline&deadline_ms={deadline_ms}"
            expected = run(_lists(server.port, list(chain(*parts)), query))
            yield _figure(server, deadline_ms, "lists", [_with(part, query) for part in parts], same_list(expected))
            parts = [list(islice(pictures, count)) for _ in CONNECTIONS]
            query = f"?style={shop.styles[0]}&deadline_ms={deadline_ms}"
            yield _figure(server, deadline_ms, "pictures", [_with(part, query) for part in parts], original_picture)
        # It would first sleep for everything that was asked of it.
        server.process.kill()


def _different(asks: Iterator[Ask]) -> Iterator[Ask]:
    met = set()
    for ask in asks:
        if ask not in met:
            met.add(ask)
            yield ask


def _with(asks: list[Ask], query: str) -> list[Ask]:
    return [replace(ask, target=ask.target + query) for ask in asks]


def same_list(expected: Lists) -> Check:
    """The list is what it is without pictures, and all its pictures are originals; `expected` by target."""

    def check(ask: Ask, reply: Reply) -> str | None:
        body = orjson.loads(reply.body)
        if _listed(body) != expected[ask.target]:
            return "another list than without pictures"
        pictures = [item["restyled"] for item in body["items"] if item["restyled"]]
        statuses = {picture["status"] for picture in pictures if picture["data"]}
        return None if statuses <= {"original"} else "a picture that is not the original"

    return check


def original_picture(_: Ask, reply: Reply) -> str | None:
    """The original, and said to be."""
    return None if reply.headers.get(b"restyle-status") == b"original" else "a picture that is not the original"


def _figure(server: Server, deadline_ms: int, what: str, parts: list[list[Ask]], check: Check) -> Figure:
    pairs = zip(parts, CONNECTIONS, strict=True)
    loads = [closed_loop(server.port, asks, connections, check=check) for asks, connections in pairs]
    worst = [
        f"{load.ms(1):.0f} ms by {connections} (p50 {load.ms(0.5):.0f}, {load.failed} of {len(load)} wrong"
        f"{': ' + ', '.join(load.complaints) if load.complaints else ''})"
        for load, connections in zip(loads, CONNECTIONS, strict=True)
    ]
    return Figure(
        f"deadline {deadline_ms} ms, engine asleep, {what}",
        f"all within {deadline_ms + GRACE_MS} ms, original, same list",
        f"worst {'; '.join(worst)}",
    )


async def _lists(port: int, asks: list[Ask], query: str) -> Lists:
    """The lists without pictures, by the target that asks for the same with pictures."""
    client = Client(port)
    found = {}
    for ask, plain in zip(_with(asks, query), _with(asks, "?restyle=off"), strict=True):
        found[ask.target] = _listed(orjson.loads((await client.ask(plain)).body))
    client.close()
    return found


def _listed(body: dict[str, Any]) -> list[str]:
    # Not their scores: these fade with the age of live events, by the second.
    return [item["item"]["item_id"] for item in body["items"]]
