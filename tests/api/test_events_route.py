"""Events over real HTTP: what becomes of each, and what the person's next list makes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from recsys.clock import SECONDS_PER_DAY

NDJSON = {"Content-Type": "application/x-ndjson"}
OpenShop = Callable[..., Any]


@pytest.fixture(scope="module")
def live_shop(open_shop: OpenShop) -> Any:
    return open_shop()


def event(event_id: str, user_id: str = "new", item_id: str = "p01", **more: object) -> dict[str, object]:
    return {"event_id": event_id, "user_id": user_id, "item_id": item_id, "event": "click", **more}


def sent(client: httpx.Client, *events: object) -> Any:
    answer = client.post("/v1/events", json=events)
    assert answer.status_code == 200, answer.text
    return answer.json()


def items_of(client: httpx.Client, user_id: str, **options: object) -> list[str]:
    answer = client.get(f"/v1/users/{user_id}/recommendations", params={"limit": 5, **options})
    assert answer.status_code == 200, answer.text
    return [entry["item"]["item_id"] for entry in answer.json()["items"]]


def test_each_event_is_judged_on_its_own(live_shop: Any) -> None:
    far = int(time.time()) + SECONDS_PER_DAY + 60
    report = sent(
        live_shop.client,
        event("own-1"),
        event("own-1"),
        event("own-2", item_id="nowhere"),
        event("own-3", timestamp=far),
        event("own-4", timestamp=far - 120),
        event("own-5", event="stare"),
        event("own 6"),
        {"event_id": "own-7"},
        "nonsense",
        event("own-8", color="red"),
    )
    statuses = [result["status"] for result in report["results"]]
    assert statuses == ["accepted", "duplicate", "rejected", "rejected", "accepted", *["rejected"] * 5]
    assert (report["accepted"], report["duplicate"], report["rejected"]) == (2, 1, 7)
    ids = [result["event_id"] for result in report["results"]]
    assert ids == ["own-1", "own-1", "own-2", "own-3", "own-4", "own-5", "own 6", "own-7", None, "own-8"]
    reasons = [result["reason"] for result in report["results"]]
    for place, part in [(2, "no item 'nowhere'"), (3, "more than a day ahead"), (5, "event:"), (6, "event_id:")]:
        assert part in reasons[place]
    assert "user_id" in reasons[7]
    assert "color" in reasons[9]
    assert sent(live_shop.client, event("own-1"))["duplicate"] == 1


def test_lines_are_events_too_and_a_wrong_one_does_not_cost_the_others(live_shop: Any) -> None:
    lines = [json.dumps(event("line-1")), "", "{", json.dumps(event("line-2")), json.dumps(event("line-1"))]
    answer = live_shop.client.post("/v1/events", content="\r\n".join(lines), headers=NDJSON)
    results = answer.json()["results"]
    assert [one["status"] for one in results] == ["accepted", "rejected", "accepted", "duplicate"]
    assert "not JSON" in results[1]["reason"]


def test_what_is_kept_of_an_event_is_what_was_sent(live_shop: Any) -> None:
    answer = live_shop.client.get("/v1/users/keeper/recommendations")
    shown = answer.headers["X-Request-ID"]
    at = int(time.time()) - 100
    more = {"event": "purchase", "timestamp": at, "amount": 79.5, "request_id": shown, "position": 3}
    sent(live_shop.client, event("kept-1", user_id="keeper", **more), event("kept-2", user_id="keeper", dwell_s=2.5))
    first, second = live_shop.live.events.user_events("keeper", 0, 10)
    assert (first.item_id, first.event, first.timestamp, first.amount) == ("p01", "purchase", at, 79.5)
    assert (first.request_id, first.position) == (shown, 3)
    assert (second.dwell_s, second.request_id, second.position) == (2.5, None, None)
    assert abs(second.timestamp - time.time()) < 60


@pytest.mark.parametrize("more", [{"position": 0}, {"position": 10_001}, {"request_id": "no spaces"}, {"amount": -1}])
def test_fields_out_of_range_reject_the_event(live_shop: Any, more: dict[str, object]) -> None:
    report = sent(live_shop.client, event("out-of-range", **more))
    assert report["rejected"] == 1
    assert next(iter(more)) in report["results"][0]["reason"]


@pytest.mark.parametrize("as_lines", [False, True])
def test_a_thousand_events_at_most(live_shop: Any, as_lines: bool) -> None:
    def post(count: int) -> httpx.Response:
        events = [event(f"many-{as_lines}-{n}", user_id="many") for n in range(count)]
        content = "\n".join(map(json.dumps, events)) if as_lines else json.dumps(events)
        answer: httpx.Response = live_shop.client.post(
            "/v1/events", content=content, headers=NDJSON if as_lines else {}
        )
        return answer

    refused = post(1_001)
    assert (refused.status_code, refused.json()["type"]) == (413, "/problems/too-large")
    assert post(1_000).json()["accepted"] == 1_000, "nothing of the refused ones was kept"


@pytest.mark.parametrize("body", [b"{}", b"[", b"", b"\xff", b'"text"', b"null", b"[NaN]"])
def test_a_body_that_is_no_array_is_refused(live_shop: Any, body: bytes) -> None:
    answer = live_shop.client.post("/v1/events", content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed-json")


def test_no_events_are_no_fault(live_shop: Any) -> None:
    assert sent(live_shop.client) == {"accepted": 0, "duplicate": 0, "rejected": 0, "results": []}


def test_strange_ids_are_taken_or_rejected_but_never_break_anything(live_shop: Any) -> None:
    strange = ["\u202eabc", "ü/ß?#%00", "𝒳" * 512, "x" * 513, "nul\x00", "line\n", "", "\ud800", " ", "‮"]
    body = json.dumps([event(f"strange-{n}", user_id=user) for n, user in enumerate(strange)])
    answer = live_shop.client.post("/v1/events", content=body)
    if answer.status_code == 400:
        # A lone surrogate is no text in UTF-8, hence the body is no JSON.
        body = json.dumps([event(f"strange-{n}", user_id=user) for n, user in enumerate(strange) if user != "\ud800"])
        answer = live_shop.client.post("/v1/events", content=body)
    found = {r["event_id"]: r["status"] for r in answer.json()["results"]}
    accepted = {0, 1, 2, 8, 9}
    assert {int(one.removeprefix("strange-")) for one, status in found.items() if status == "accepted"} == accepted


def test_an_event_changes_the_next_answer_without_a_rebuild(live_shop: Any) -> None:
    """Odd items look floral, even ones plain: somebody new who buys floral things is shown floral things."""
    client, version = live_shop.client, live_shop.host.current.version
    before = client.get("/v1/users/fresh/recommendations", params={"limit": 5}).json()
    assert before["basis"] == "popular"
    bought = ["p03", "p07", "p11", "p15"]
    sent(client, *(event(f"fresh-{n}", "fresh", item, event="purchase") for n, item in enumerate(bought)))
    after = client.get("/v1/users/fresh/recommendations", params={"limit": 5}).json()
    found = [entry["item"]["item_id"] for entry in after["items"]]
    assert after["basis"] == "session" or after["basis"] == "history"
    assert sum(int(item[1:]) % 2 for item in found) >= 4
    assert not set(found) & set(bought), "what was bought is not recommended again"
    assert set(bought) & set(items_of(client, "fresh", include_seen=True, limit=30))
    assert after["model_version"] == version == live_shop.host.current.version


def test_what_was_touched_a_moment_ago_is_not_recommended(live_shop: Any) -> None:
    client = live_shop.client
    sent(client, event("touched", "toucher", "p03"))
    assert "p03" not in items_of(client, "toucher", limit=60)
    assert "p03" in items_of(client, "toucher", limit=60, include_seen=True)
