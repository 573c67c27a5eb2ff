"""Experiments over HTTP: drafted, started, asked about, analyzed and stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from recsys.api.auth.security import Security

OpenShop = Callable[..., Any]
ADMIN, READ = "a key that may do all of it", "a key that may read and send"
ADMINS = {"X-API-Key": ADMIN}
DRAFT = {
    "key": "style-first",
    "title": "Style first",
    "hypothesis": "Lists of one look are clicked more",
    "control": "now",
    "arms": {"now": {}, "style": {"overrides": {"diversity": 0.0, "blend": {"style": 3.0}}}},
    "metrics": [{"name": "ctr"}],
    "decision": {"minimum_days": 1},
}


@pytest.fixture(scope="module")
def shop(open_shop: OpenShop) -> Any:
    return open_shop(Security([READ], "a link key for tests only", admin_keys=[ADMIN]))


@pytest.fixture
def client(shop: Any) -> httpx.Client:
    made: httpx.Client = shop.client
    made.headers["X-API-Key"] = READ
    return made


def admin(client: httpx.Client, path: str, body: Any = None) -> httpx.Response:
    return client.post(f"/v1/admin/experiments{path}", json=body, headers=ADMINS)


OTHER = {"now": {}, "on": {"overrides": {"calibration": 0.9}}}


def draft(**changed: Any) -> dict[str, Any]:
    return {**DRAFT, **changed}


def test_an_ab_test_from_draft_to_decision(client: httpx.Client) -> None:
    made = admin(client, "", DRAFT)
    assert (made.status_code, made.json()["status"]) == (201, "draft")
    assert made.json()["arms"]["style"] == {
        "share": 0.5,
        "description": "",
        "overrides": {"diversity": 0.0, "blend": {"style": 3.0}},
    }
    assert client.get("/v1/experiments/style-first/results", headers=ADMINS).json()["type"] == "/problems/no-results"
    assert admin(client, "/style-first:start").json()["status"] == "running"
    (listed,) = client.get("/v1/experiments").json()["experiments"]
    assert listed == client.get("/v1/experiments/style-first").json()
    # People click with these probabilities on what is first: the effect that is to be found.
    chances, random = {"now": 0.2, "style": 0.5}, np.random.default_rng(3)
    arms: dict[str, str] = {}
    events = []
    for number in range(400):
        user = f"visitor-{number}"
        answer = client.get(
            f"/v1/users/{user}/recommendations", params={"limit": 1, "platform": "web" if number % 5 else "ios"}
        )
        arms[user] = answer.json()["experiments"]["style-first"]
        place = client.get("/v1/experiments/style-first/assignment", params={"user_id": user}).json()
        assert (place["arm"], place["propensity"], place["reason"], place["served"]) == (arms[user], 0.5, "split", True)
        if random.random() < chances[arms[user]]:
            events.append(
                {
                    "event_id": f"click-{number}",
                    "user_id": user,
                    "item_id": answer.json()["items"][0]["item"]["item_id"],
                    "event": "click",
                    "request_id": answer.headers["X-Request-ID"],
                    "position": 1,
                }
            )
    assert client.post("/v1/events", json=events).json()["accepted"] == len(events)
    found = client.get("/v1/experiments/style-first/results", headers=ADMINS).json()
    assert found["healthy"], found["health"]
    assert found["units"] == {name: list(arms.values()).count(name) for name in ("now", "style")}
    assert found["exposures"] == 400
    (ctr,) = found["comparisons"]
    assert ctr["control_mean"] == pytest.approx(0.2, abs=0.07)
    assert ctr["arm_mean"] == pytest.approx(0.5, abs=0.08)
    assert ctr["better"]
    assert ctr["p_corrected"] < 1e-4
    assert {one["column"] for one in found["segments"]} >= {"platform"}
    # Asked again it is the same analysis, until it is some seconds old or the experiment changes.
    assert client.get("/v1/experiments/style-first/results", headers=ADMINS).json() == found
    stopped = admin(client, "/style-first:stop")
    assert stopped.json()["status"] == "stopped"
    assert client.get("/v1/users/visitor-1/recommendations").json()["experiments"] == {}
    assert client.get("/v1/experiments/style-first/results", headers=ADMINS).json()["units"] == found["units"]
    plan = client.post("/v1/experiments:plan", json={"metric": "ctr", "effect": 0.5}, headers=ADMINS)
    assert plan.status_code == 200, plan.text
    assert plan.json()["source"] == "1 day of logs with 400 users"
    assert plan.json()["metrics"][0]["needs"]["units"] > 0


def test_a_plan_from_numbers(client: httpx.Client) -> None:
    def planned(**body: Any) -> httpx.Response:
        return client.post("/v1/experiments:plan", json=body, headers=ADMINS)

    numbers = planned(
        metric="conversion", baseline={"mean": 0.05}, effect=0.2, units_per_day=1000, looks="fixed",
        arms={"now": 1, "new": 1},
    )  # fmt: skip
    assert numbers.status_code == 200, numbers.text
    (found,) = numbers.json()["metrics"]
    assert found["needs"] == {"effect": 0.2, "units": 16_316, "units_by_arm": {"now": 8158, "new": 8158}, "days": 21}
    assert len(found["curve"]) == 28
    assert planned(baseline={"mean": 0.05}).status_code == 422
    assert planned(metric="conversion", baseline={"mean": 0.5}, effect=1.5).status_code == 409


def test_a_look_is_declared(client: httpx.Client) -> None:
    def declared(key: str, first: int = 0, **decision: Any) -> httpx.Response:
        arms = {"now": {}, "on": {"overrides": {"exploration": 0.1}}}
        place = {"name": "declared-looks", "segments": [[first, first]]}
        return admin(client, "", draft(key=key, namespace=place, arms=arms, decision=decision))

    for decision, words in (
        ({"looks": "fixed"}, "end_at (a date with time zone) or planned_units"),
        ({"looks": "fixed", "end_at": "2020-01-01T00:00:00Z"}, "is past"),
    ):
        answer = declared("no-look", **decision)
        assert answer.status_code == 409, answer.text
        assert words in answer.json()["detail"]
    assert "no time zone" in declared("no-look", looks="fixed", end_at="2099-01-01T00:00:00").text
    made = declared("dated", looks="fixed", end_at="2099-01-01T00:00:00Z", planned_units=5000, minimal_effect=0.05)
    assert made.status_code == 201, made.text
    told = {name: made.json()[name] for name in ("looks", "end_at", "planned_units", "alpha", "minimal_effect")}
    assert told == {
        "looks": "fixed", "end_at": 4_070_908_800, "planned_units": 5000, "alpha": 0.05, "minimal_effect": 0.05,
    }  # fmt: skip
    seconds = declared("in-seconds", 1, looks="fixed", end_at=4_070_908_800)
    assert (seconds.status_code, seconds.json()["end_at"]) == (201, 4_070_908_800)


def test_coverage_grows_and_never_shrinks(client: httpx.Client) -> None:
    assert admin(client, "", draft(key="slow", coverage=0.1)).status_code == 201
    assert admin(client, "/slow:ramp", {"coverage": 0.5}).json()["type"] == "/problems/experiment-rejected"
    assert admin(client, "/slow:start").is_success
    assert admin(client, "/slow:ramp", {"coverage": 0.5}).json()["coverage"] == 0.5
    refused = admin(client, "/slow:ramp", {"coverage": 0.2})
    assert refused.status_code == 409
    assert "between the present one, 0.5, and 1" in refused.json()["detail"]
    assert admin(client, "/slow:ramp", {}).status_code == 422
    refused = admin(client, "", draft(key="clashing"))
    assert (refused.status_code, "'slow'" in refused.json()["detail"]) == (409, True)
    assert admin(client, "/slow:stop").is_success
    assert admin(client, "/slow:start").status_code == 409


@pytest.mark.parametrize(
    ("changed", "pointer", "said"),
    [
        ({"control": "then"}, "#", "unknown arm 'then'"),
        ({"metrics": [{"name": "ctr"}, {"name": "ctr"}]}, "#", "ctr is named twice"),
        ({"arms": {"now": {}, "on": {"weight": "1"}}}, "#/arms/on/weight", "a number"),
        ({"arms": {"now": {}, "on": {"overrides": {"strenth": 0.3}}}}, "#/arms/on/overrides", "did you mean"),
        ({"status": "running"}, "#", "unknown key 'status'"),
    ],
)
def test_what_is_wrong_with_a_draft_is_named(
    client: httpx.Client, changed: dict[str, Any], pointer: str, said: str
) -> None:
    answer = admin(client, "", draft(key="wrong", **changed))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert said in error["detail"]
    assert client.get("/v1/experiments/wrong").status_code == 404


def test_what_is_not_there_or_there_already_is_said(client: httpx.Client) -> None:
    assert admin(client, "", draft(key="once", arms=OTHER)).status_code == 201
    twice = admin(client, "", draft(key="once", arms=OTHER))
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/experiment-rejected")
    assert "/" not in twice.json()["detail"].replace("experiments/once.toml", "")
    for path in ("", "/assignment", "/results"):
        answer = client.get(f"/v1/experiments/none{path}", headers=ADMINS)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-experiment")
    assert admin(client, "/none:stop").status_code == 404
    lost = draft(key="lost", arms={"now": {}, "old": {"overrides": {"model": "0123456789abcdef"}}})
    assert admin(client, "", lost).status_code == 201
    assert "no bundle 0123456789abcdef" in admin(client, "/lost:start").json()["detail"]
    garbled = client.post("/v1/admin/experiments", content=b"{", headers=ADMINS)
    assert (garbled.status_code, garbled.json()["type"]) == (400, "/problems/malformed-json")


def test_a_forced_unit_has_its_arm_in_a_draft_and_no_id_is_told(client: httpx.Client) -> None:
    view = admin(
        client,
        "",
        draft(
            key="tried", arms={"now": {}, "on": {"overrides": {"strength": 0.9}}}, control="now", forced={"mia": "on"}
        ),
    ).json()
    assert (view["forced"], "mia" in json.dumps(view)) == (1, False)
    place = client.get("/v1/experiments/tried/assignment?unit=mia").json()
    assert (place["arm"], place["forced"], place["reason"]) == ("on", True, "forced")
    assert client.get("/v1/experiments/tried/assignment?unit=tom").json()["reason"] == "not running"
    assert client.get("/v1/users/mia/recommendations").json()["experiments"] == {"tried": "on"}


def test_a_broken_file_stops_nothing_and_is_told(client: httpx.Client, shop: Any) -> None:
    (shop.project.experiments / "broken.toml").write_text("arms = 5\n")
    for _ in range(200):
        problems = client.get("/v1/experiments").json()["problems"]
        if "broken" in problems:
            break
    assert problems["broken"].startswith("experiments/broken.toml: ")
    assert client.get("/v1/users/u01/recommendations").status_code == 200
    assert client.get("/v1/experiments/broken").json()["detail"].startswith("experiments/broken.toml: ")
