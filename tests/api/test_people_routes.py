"""What people choose, say of pictures, and take back; over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import pytest

OpenShop = Callable[..., Any]
_numbers = count()


@pytest.fixture(scope="module")
def live_shop(open_shop: OpenShop) -> Any:
    return open_shop()


def listing(client: httpx.Client, user_id: str, **options: object) -> httpx.Response:
    answer = client.get(f"/v1/users/{user_id}/recommendations", params={"limit": 8, **options})
    assert answer.status_code == 200, answer.text
    return answer


def odd_share(answer: httpx.Response) -> float:
    """How much of a list looks floral."""
    ids = [entry["item"]["item_id"] for entry in answer.json()["items"]]
    return sum(one[0] == "p" and int(one[1:]) % 2 for one in ids) / len(ids)


def buys(client: httpx.Client, user_id: str, *items: str) -> None:
    events = [
        {"event_id": f"buy-{next(_numbers)}", "user_id": user_id, "item_id": item, "event": "purchase"}
        for item in items
    ]
    assert client.post("/v1/events", json=events).json()["accepted"] == len(items)


def says(client: httpx.Client, user_id: str, shown: httpx.Response, satisfied: bool, **more: object) -> httpx.Response:
    entry = next(entry for entry in shown.json()["items"] if entry["restyled"])
    body = {
        "feedback_id": f"f-{next(_numbers)}",
        "request_id": shown.headers["X-Request-ID"],
        "item_id": entry["item"]["item_id"],
        "satisfied": satisfied,
    }
    return client.post(f"/v1/users/{user_id}/feedback", json={**body, **more})


def strengths(answer: httpx.Response) -> list[float]:
    return [entry["restyled"]["requested_strength"] if entry["restyled"] else 0.0 for entry in answer.json()["items"]]


@pytest.mark.parametrize(("style", "floral"), [("floral", True), ("plain", False)])
def test_a_chosen_style_leads_whatever_was_touched(live_shop: Any, style: str, floral: bool) -> None:
    client, user = live_shop.client, f"chooser of {style}"
    buys(client, user, *(["p02", "p06", "p10"] if floral else ["p03", "p07", "p11"]))
    assert (odd_share(listing(client, user)) > 0.5) != floral, "so far, what was touched leads"
    put = client.put(f"/v1/users/{user}/taste", json={"styles": [style], "strength": 0.25})
    assert put.status_code == 200, put.text
    taste = client.get(f"/v1/users/{user}/taste").json()
    assert taste == put.json()
    assert (taste["chosen"], taste["strength"], taste["reset"]) == ([style], 0.25, False)
    (mode,) = taste["components"]
    assert mode["styles"][0]["style_id"] == style
    after = listing(client, user)
    assert (odd_share(after) > 0.5) == floral
    assert set(strengths(after)) <= {0.25, 0.0}
    assert max(strengths(after)) == 0.25


def test_a_taste_that_is_reset_starts_anew(live_shop: Any) -> None:
    client = live_shop.client
    buys(client, "resetter", "p03", "p07", "p11")
    client.put("/v1/users/resetter/taste", json={"styles": ["plain"], "strength": 0.9})
    taste = client.delete("/v1/users/resetter/taste").json()
    assert (taste["chosen"], taste["strength"], taste["reset"], taste["components"]) == ([], None, True, [])
    assert not {"p03", "p07", "p11"} & {
        entry["item"]["item_id"] for entry in listing(client, "resetter").json()["items"]
    }
    # What was bought before says nothing of the taste any more; what is bought from now on does.
    buys(client, "resetter", "p02", "p06")
    (mode,) = client.get("/v1/users/resetter/taste").json()["components"]
    assert mode["styles"][0]["style_id"] == "plain"


def test_somebody_of_the_bundle_can_reset_a_taste_too(live_shop: Any) -> None:
    client = live_shop.client
    assert client.get("/v1/users/u03/taste").json()["components"]
    assert client.delete("/v1/users/u03/taste").json()["components"] == []


def test_a_style_that_does_not_exist_changes_nothing(live_shop: Any) -> None:
    client = live_shop.client
    answer = client.put("/v1/users/wrong/taste", json={"styles": ["plain", "baroque"]})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-reference")
    assert client.get("/v1/users/wrong/taste").json()["chosen"] == []


def test_dissatisfaction_makes_pictures_milder(live_shop: Any) -> None:
    client = live_shop.client
    before = listing(client, "u01")
    assert client.get("/v1/users/u01/taste").json()["feedback_text"]
    usual = max(strengths(before))
    assert usual > 0
    for _ in range(3):
        answer = says(client, "u01", before, satisfied=False)
        assert answer.json()["status"] == "accepted"
    assert "You" in answer.json()["learned"]
    after = listing(client, "u01", exploration_seed="after")
    assert sum(strengths(after)) < sum(strengths(before))
    # Somebody else is asked nothing of it yet.
    assert max(strengths(listing(client, "u07"))) == usual


def test_satisfaction_keeps_pictures_as_they_are(live_shop: Any) -> None:
    client = live_shop.client
    before = listing(client, "u05")
    assert says(client, "u05", before, satisfied=True).json()["status"] == "accepted"
    after = listing(client, "u05", exploration_seed="after")
    usual = max(strengths(before))
    assert strengths(after).count(usual) >= 6


def test_a_verdict_counts_once_and_its_probability_is_kept(live_shop: Any) -> None:
    client = live_shop.client
    shown = listing(client, "u09")
    entry = next(entry for entry in shown.json()["items"] if entry["restyled"])
    first = says(client, "u09", shown, satisfied=False, feedback_id="once")
    again = says(client, "u09", shown, satisfied=False, feedback_id="once")
    assert (first.json()["status"], again.json()["status"]) == ("accepted", "duplicate")
    (verdict,) = live_shop.live.ratings.user_ratings("u09")
    assert (verdict.strength, verdict.action) == (entry["restyled"]["requested_strength"], entry["restyled"]["action"])
    assert (verdict.propensity, verdict.satisfied) == (entry["restyled"]["propensity"], False)


@pytest.mark.parametrize(
    "more", [{"request_id": "unheard-of"}, {"item_id": "p99"}], ids=["an unknown answer", "another item"]
)
def test_a_verdict_on_what_was_not_shown_is_refused(live_shop: Any, more: dict[str, object]) -> None:
    answer = says(live_shop.client, "u11", listing(live_shop.client, "u11"), satisfied=True, **more)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-reference")
    assert answer.json()["errors"][0]["pointer"] == "#/request_id"


def test_nobody_speaks_for_another_person(live_shop: Any) -> None:
    shown = listing(live_shop.client, "u13")
    assert says(live_shop.client, "u15", shown, satisfied=False).status_code == 422


def test_exposures_hold_what_was_shown_with_its_probabilities(live_shop: Any) -> None:
    client, log = live_shop.client, live_shop.live.exposures
    shown = listing(client, "u17", exploration=0.4, exploration_seed="x")
    log.flush()
    (exposure,) = log.request_exposures(shown.headers["X-Request-ID"])
    entries = shown.json()["items"]
    assert (exposure.user_id, exposure.model_version) == ("u17", shown.headers["Model-Version"])
    assert list(exposure.items) == [entry["item"]["item_id"] for entry in entries]
    assert list(exposure.propensities) == pytest.approx([entry["propensity"] for entry in entries])
    assert min(exposure.propensities) < 1
    for picture, entry in zip(exposure.pictures, entries, strict=True):
        restyled = entry["restyled"]
        if restyled is None:
            assert picture is None
        else:
            said = (restyled["action"], restyled["requested_strength"], restyled["propensity"])
            assert picture is not None
            assert (picture["action"], picture["strength"], picture["propensity"]) == said


def test_a_list_without_pictures_and_one_of_a_session_are_logged_too(live_shop: Any) -> None:
    client, log = live_shop.client, live_shop.live.exposures
    session = client.post("/v1/recommendations", json={"items": [{"item_id": "p01"}], "restyle": "off"})
    log.flush()
    (exposure,) = log.request_exposures(session.headers["X-Request-ID"])
    assert exposure.user_id is None
    assert len(exposure.items) == 10
    assert set(exposure.pictures) == {None}


def test_who_is_erased_is_unknown_everywhere(live_shop: Any) -> None:
    client, live = live_shop.client, live_shop.live
    assert client.get("/v1/users/u19/recommendations").json()["basis"] == "history"
    buys(client, "u19", "p04")
    client.put("/v1/users/u19/taste", json={"styles": ["plain"], "strength": 0.5})
    shown = listing(client, "u19")
    says(client, "u19", shown, satisfied=False)
    kept = {"Idempotency-Key": "of-u19"}
    client.put("/v1/users/u19/taste", json={"styles": ["plain"]}, headers=kept)
    other = listing(client, "u18").json()
    erased = client.delete("/v1/users/u19")
    assert erased.status_code == 200, erased.text
    rows = erased.json()["rows"]
    assert (rows["events"], rows["tastes"], rows["feedback"], rows["idempotency"]) == (1, 1, 1, 1)
    assert rows["exposures"] >= 1
    assert erased.json()["pending"] is False
    for found in (client.get("/v1/users/u19/recommendations").json(), client.get("/v1/users/u19/taste").json()):
        assert found["basis"] == "popular"
    taste = client.get("/v1/users/u19/taste").json()
    assert (taste["chosen"], taste["strength"], taste["reset"], taste["components"]) == ([], None, False, [])
    # Those two lists were shown to somebody who is unknown now, and are all that is left.
    live.exposures.flush()
    assert live.events.user_events("u19", 0, 10) == []
    assert list(live.ratings.user_ratings("u19")) == []
    assert live.exposures.request_exposures(shown.headers["X-Request-ID"]) == []
    for file in live_shop.project.root.rglob("*"):
        if file.is_file() and "bundles" in file.parts:
            assert b"u19" not in file.read_bytes(), file
    assert listing(client, "u18").json()["items"] == other["items"]
    again = client.delete("/v1/users/u19").json()["rows"]
    assert not any(again[place] for place in ("events", "tastes", "feedback"))


@pytest.mark.parametrize("ending", ["feedback", "recommendations"])
def test_erasing_what_is_no_person_is_refused(live_shop: Any, ending: str) -> None:
    answer = live_shop.client.delete(f"/v1/users/u02/{ending}")
    assert (answer.status_code, answer.json()["type"]) == (405, "/problems/method-not-allowed")


def test_a_repeated_request_gets_the_first_answer_from_the_database(live_shop: Any) -> None:
    client, key = live_shop.client, {"Idempotency-Key": "taste-of-repeater"}
    path = "/v1/users/repeater/taste"
    first = client.put(path, json={"styles": ["floral"]}, headers=key)
    client.put(path, json={"styles": ["plain"]})
    again = client.put(path, json={"styles": ["floral"]}, headers=key)
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.get(path).json()["chosen"] == ["plain"], "it was not done again"
    other = client.put(path, json={"styles": []}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-mismatch")
    # What was refused did nothing, hence its key is free.
    key = {"Idempotency-Key": "first wrong, then right".replace(" ", "-")}
    assert client.put(path, json={"styles": ["baroque"]}, headers=key).status_code == 422
    assert client.put(path, json={"styles": ["floral"]}, headers=key).status_code == 200
