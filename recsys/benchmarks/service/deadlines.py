"""Deadlines: the engine sleeps for five seconds; answers come in time, with original images and the same list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import orjson

from recsys.benchmarks.load import Check, Client, HttpReply, HttpRequest, closed_loop, run
from recsys.benchmarks.service.child import Server, run_application
from recsys.benchmarks.service.results import Bench, ResultRow
from recsys.benchmarks.service.traffic import UNIFORM, draw_names, recommendation_requests

PROJECT_VARIABLE = "RECSYS_PROJECT"
"""Same as in `recsys.api.worker`, which this package cannot import."""
DEADLINES_MS = (100, 300)
GRACE_MS = 50
CONNECTIONS = (1, 4)
Lists = dict[str, list[str]]


def measure_deadlines(bench: Bench) -> Iterator[ResultRow]:
    """Measure lists with inline images and single images of the sample, with one connection and with four."""
    shop, count = bench.shops.sample(), bench.effort.late
    # No request is sent twice: its image would come from the cache the second time.
    lists = _distinct(recommendation_requests(shop, UNIFORM, bench.seed))
    images = _distinct(
        HttpRequest(f"/v1/items/{name}/image") for name in draw_names(shop.items, UNIFORM, bench.seed, "late items")
    )
    environment = {PROJECT_VARIABLE: str(shop.project.root)}
    log = bench.folder / "deadlines.log"
    with run_application("sleeping_app:service", "/readyz", log, environment, factory=True) as server:
        for deadline_ms in DEADLINES_MS:
            parts = [list(islice(lists, count)) for _ in CONNECTIONS]
            query = f"?restyle=inline&deadline_ms={deadline_ms}"
            expected = run(_lists(server.port, list(chain(*parts)), query))
            yield _result_row(
                server, deadline_ms, "lists", [_with_query(part, query) for part in parts], expect_lists(expected)
            )
            parts = [list(islice(images, count)) for _ in CONNECTIONS]
            query = f"?style={shop.styles[0]}&deadline_ms={deadline_ms}"
            yield _result_row(
                server, deadline_ms, "images", [_with_query(part, query) for part in parts], check_original
            )
        # It would first sleep for all outstanding images.
        server.process.kill()


def _distinct(asks: Iterator[HttpRequest]) -> Iterator[HttpRequest]:
    sent = set()
    for ask in asks:
        if ask not in sent:
            sent.add(ask)
            yield ask


def _with_query(asks: list[HttpRequest], query: str) -> list[HttpRequest]:
    return [replace(ask, target=ask.target + query) for ask in asks]


def expect_lists(expected: Lists) -> Check:
    """Return a check: the list is the same as without images (`expected`, by target), and all images are originals."""

    def check(ask: HttpRequest, reply: HttpReply) -> str | None:
        body = orjson.loads(reply.body)
        if _item_ids(body) != expected[ask.target]:
            return "another list than without images"
        images = [item["restyled"] for item in body["items"] if item["restyled"]]
        statuses = {image["status"] for image in images if image["data"]}
        return None if statuses <= {"original"} else "an image that is not the original"

    return check


def check_original(_: HttpRequest, reply: HttpReply) -> str | None:
    """Check that the header says that the image is the original."""
    return None if reply.headers.get(b"restyle-status") == b"original" else "an image that is not the original"


def _result_row(server: Server, deadline_ms: int, what: str, parts: list[list[HttpRequest]], check: Check) -> ResultRow:
    pairs = zip(parts, CONNECTIONS, strict=True)
    loads = [closed_loop(server.port, asks, connections, check=check) for asks, connections in pairs]
    worst = [
        f"{load.ms(1):.0f} ms by {connections} (p50 {load.ms(0.5):.0f}, {load.failures} of {len(load)} wrong"
        f"{': ' + ', '.join(load.complaints) if load.complaints else ''})"
        for load, connections in zip(loads, CONNECTIONS, strict=True)
    ]
    return ResultRow(
        f"deadline {deadline_ms} ms, engine asleep, {what}",
        f"all within {deadline_ms + GRACE_MS} ms, original, same list",
        f"worst {'; '.join(worst)}",
    )


async def _lists(port: int, asks: list[HttpRequest], query: str) -> Lists:
    """Fetch the lists without images, by the target of the same request with images."""
    client = Client(port)
    found = {}
    for ask, plain in zip(_with_query(asks, query), _with_query(asks, "?restyle=off"), strict=True):
        found[ask.target] = _item_ids(orjson.loads((await client.ask(plain)).body))
    client.close()
    return found


def _item_ids(body: dict[str, Any]) -> list[str]:
    # Without scores: these decay with the age of live events, by the second.
    return [item["item"]["item_id"] for item in body["items"]]
