"""Two processes of one service know the same: events, items, choices and keys, whichever of them was told."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from recsys.clock import now
from recsys.dataset.project import Project
from recsys.schema import Scope
from recsys.serving.live_store import LiveStore

ADMIN = "an admin key for tests"
CONNECTIONS = 24
"""Each goes to either worker: that all of them reach the same one has a chance of 1 in 8 million."""
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Made once: nothing is encrypted here, and a context for each request would take most of the time."""
SOON_S = 1.0
"""Within this time items and keys are known to all."""

pytestmark = pytest.mark.slow


@pytest.fixture
def service(shop_on_disk: Project, tmp_path: Path) -> Iterator[str]:
    """The URL of `recsys serve --workers 2`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}", tmp_path / "log"
    command = [sys.executable, "-c", "from recsys.cli.main import main; main()", "serve", str(shop_on_disk.root)]
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--workers", "2"],
            env={**os.environ, "RECSYS_ADMIN_KEYS": ADMIN},
            stderr=lines,
            stdout=lines,
        )
    try:
        until = time.monotonic() + 60
        while log.read_text().count("Application startup complete") < 2 and not _ready(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        time.sleep(2)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/readyz").status_code == 200
    return False


def on_each_worker(url: str, method: str, path: str, key: str = ADMIN, **options: object) -> list[httpx.Response]:
    """The same request over many connections."""
    return [
        httpx.request(method, url + path, headers={"X-API-Key": key}, verify=PLAIN, **options)  # type: ignore[arg-type]
        for _ in range(CONNECTIONS)
    ]


def test_workers_see_each_others_changes(service: str, shop_on_disk: Project) -> None:
    def told(method: str, path: str, json: object = None) -> httpx.Response:
        answer = httpx.request(method, service + path, headers={"X-API-Key": ADMIN}, json=json)
        assert answer.status_code == 200, answer.text
        return answer

    # Events count in the very next answer, of any worker; each is there once.
    event = {"event_id": "two-1", "user_id": "visitor", "item_id": "p03", "event": "purchase"}
    assert told("POST", "/v1/events", [event]).json()["accepted"] == 1
    again = on_each_worker(service, "POST", "/v1/events", json=[event])
    assert {answer.json()["duplicate"] for answer in again} == {1}
    lists = on_each_worker(service, "GET", "/v1/users/visitor/recommendations")
    assert {answer.json()["basis"] for answer in lists} == {"session"}
    assert len({tuple(entry["item"]["item_id"] for entry in answer.json()["items"]) for answer in lists}) == 1

    # So do choices.
    told("PUT", "/v1/users/visitor/taste", {"styles": ["plain"]})
    tastes = on_each_worker(service, "GET", "/v1/users/visitor/taste")
    assert [answer.json()["chosen"] for answer in tastes] == [["plain"]] * CONNECTIONS

    # Items are there, and gone, within a second.
    told("PUT", "/v1/items/fresh", {"category": "stool"})
    time.sleep(SOON_S)
    assert {a.status_code for a in on_each_worker(service, "GET", "/v1/items/fresh")} == {200}
    told("DELETE", "/v1/items/fresh")
    time.sleep(SOON_S)
    assert {a.status_code for a in on_each_worker(service, "GET", "/v1/items/fresh")} == {404}

    # Keys that are made and revoked beside the service hold for all.
    with LiveStore.open(shop_on_disk) as live:
        key = live.keys.create("visitor", [Scope.READ], now())
        time.sleep(SOON_S)
        assert {a.status_code for a in on_each_worker(service, "GET", "/v1/styles", key)} == {200}
        live.keys.revoke("visitor", now())
    time.sleep(SOON_S)
    assert {a.status_code for a in on_each_worker(service, "GET", "/v1/styles", key)} == {401}

    # A cursor and a link of one worker are good for the other one.
    cursor = lists[0].json()["next_cursor"]
    told("PUT", "/v1/users/visitor/taste", {"styles": []})
    pages = on_each_worker(service, "GET", f"/v1/users/visitor/recommendations?cursor={cursor}")
    assert {answer.status_code for answer in pages} == {200}
    image = told("GET", "/v1/items/p01").json()["image"]
    assert {httpx.get(service + image, verify=PLAIN).status_code for _ in range(CONNECTIONS)} == {200}
