"""Experiments in the running service: what arms change, and what is logged of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from recsys.api.auth.security import Security
from recsys.bundle.versions import versions
from recsys.clock import now
from recsys.experiments.design import lifecycle
from recsys.experiments.design.assignment import Plan
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.files import create_experiment, stop_experiment
from recsys.experiments.design.registry import change_without_conflict
from recsys.ranking.request import Request
from recsys.schema import UserId
from recsys.serving.experiment_arms import ActiveExperiments
from recsys.storage.live.user_state import UserStates

OpenShop = Callable[..., Any]
ADMIN, READ = "a key that may do all of it", "a key that may read and send"
USERS = [f"u{number:02}" for number in range(20)]


def declared(key: str, overrides: Mapping[str, Any], **changed: Any) -> Experiment:
    """An experiment of two arms, `now` and `then`."""
    arms = {"now": {}, "then": {"overrides": dict(overrides)}}
    raw = {"title": key, "hypothesis": "more clicks", "control": "now", "metrics": [{"name": "ctr"}]}
    return Experiment.model_validate({"key": key, "arms": arms, **raw, **changed})


@pytest.fixture(scope="module")
def opened(open_shop: OpenShop) -> Any:
    found = open_shop(Security([READ], "a link key for tests only", admin_keys=[ADMIN]))
    found.client.headers["X-API-Key"] = READ
    return found


class Shop:
    """A running shop, and one experiment after the other in it."""

    def __init__(self, opened: Any) -> None:
        self.project, self.live, self.host = opened.project, opened.live, opened.host
        self.client: httpx.Client = opened.client
        self.running: list[str] = []

    @property
    def folder(self) -> Any:
        return self.project.experiments

    def run(self, one: Experiment) -> dict[str, str]:
        """Start an experiment and wait until the service has it; returns everybody's arm."""
        create_experiment(self.folder, one)
        change_without_conflict(self.folder, one.key, lambda draft: lifecycle.start(draft, now()))
        self.running.append(one.key)
        self.until_served(one.key)
        plan = Plan.from_experiment(lifecycle.start(one, now()))
        return {user: plan.assign(user).arm or "" for user in USERS}

    def until_served(self, key: str) -> None:
        self.wait_until(lambda: any(key in self.ask(user).json()["experiments"] for user in USERS))

    def stop(self, key: str) -> None:
        stop_experiment(self.folder, key, now())
        self.running.remove(key)
        self.wait_until(lambda: all(key not in self.ask(user).json()["experiments"] for user in USERS))

    def wait_until(self, true: Callable[[], bool]) -> None:
        until = time.monotonic() + 10
        while not true():
            assert time.monotonic() < until
            time.sleep(0.02)

    def ask(self, user: str, key: str = READ, **query: Any) -> httpx.Response:
        answer = self.client.get(f"/v1/users/{user}/recommendations", params=query, headers={"X-API-Key": key})
        assert answer.status_code == 200, answer.text
        return answer

    def logged(self, answer: httpx.Response) -> Any:
        """The exposure of an answer."""
        self.live.exposures.flush()
        (found,) = self.live.exposures.request_exposures(answer.headers["X-Request-ID"])
        return found


@pytest.fixture
def shop(opened: Any) -> Iterator[Shop]:
    made = Shop(opened)
    yield made
    for key in [*made.running]:
        made.stop(key)


def ids(answer: httpx.Response) -> list[str]:
    return [entry["item"]["item_id"] for entry in answer.json()["items"]]


def links(answer: httpx.Response) -> list[dict[str, str]]:
    urls = [entry["restyled"]["url"] for entry in answer.json()["items"] if entry["restyled"] is not None]
    return [{name: values[0] for name, values in parse_qs(urlsplit(url).query).items()} for url in urls]


def test_an_arm_changes_its_own_peoples_lists_alone(shop: Shop) -> None:
    before = {user: ids(shop.ask(user)) for user in USERS}
    arms = shop.run(declared("ranking", {"blend": {"style": 0.0, "neighbors": 4.0}, "diversity": 0.8}))
    assert set(arms.values()) == {"now", "then"}
    recommender = shop.host.current.recommender
    for user, arm in arms.items():
        # The second time it is given again.
        for _ in range(2):
            answer = shop.ask(user)
            exposure = shop.logged(answer)
            assert answer.json()["experiments"] == {"ranking": arm}
            assert (exposure.arms, exposure.arm_propensities) == ({"ranking": arm}, {"ranking": 0.5})
            assert exposure.model_version == recommender.version == answer.headers["Model-Version"]
            assert list(exposure.items) == ids(answer)
            if arm == "now":
                assert ids(answer) == before[user]
            else:
                changed = Request(UserId(user), diversity=0.8, blend={"style": 0.0, "neighbors": 4.0})
                assert ids(answer) == [one.item_id for one in recommender.recommend(changed).recommendations]
    assert any(ids(shop.ask(user)) != before[user] for user, arm in arms.items() if arm == "then")
    shop.stop("ranking")
    assert {user: ids(shop.ask(user)) for user in USERS} == before
    assert shop.logged(shop.ask(USERS[0])).arms == {}


def test_on_a_miss_the_state_is_read_and_arms_are_assigned_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    arms = shop.run(declared("once", {"diversity": 0.9}))
    calls: list[str] = []
    read, assign = UserStates.read, ActiveExperiments.assign

    def counted_read(self: UserStates, user_id: str) -> Any:
        calls.append("read")
        return read(self, user_id)

    def counted_assign(self: ActiveExperiments, *args: Any) -> Any:
        calls.append("assign")
        return assign(self, *args)

    monkeypatch.setattr(UserStates, "read", counted_read)
    monkeypatch.setattr(ActiveExperiments, "assign", counted_assign)
    user = next(iter(arms))
    first, again = shop.ask(user, limit=7), shop.ask(user, limit=7)
    assert calls == ["read", "assign"] * 2
    assert first.json() == again.json()
    assert first.json()["experiments"] == {"once": arms[user]}


def test_what_the_caller_asks_for_goes_before_the_arm(shop: Shop) -> None:
    before = {user: ids(shop.ask(user, diversity=0.1)) for user in USERS}
    shop.run(declared("variety", {"diversity": 1.0}))
    for user in USERS:
        answer = shop.ask(user, diversity=0.1)
        assert ids(answer) == before[user]
        assert shop.logged(answer).arms == {}, "both arms are served the same"


def test_pictures_follow_the_arm(shop: Shop) -> None:
    arms = shop.run(declared("pictures", {"strength": 0.2, "mode": "tone", "engine": "color"}))
    for user, arm in arms.items():
        answer = shop.ask(user)
        assert links(answer)
        for link in links(answer):
            found = (link["strength"], link["mode"], link.get("engine"))
            assert found == (("0.200", "tone", "color") if arm == "then" else ("0.600", "product", None))
        assert shop.logged(answer).arms == {"pictures": arm}
        # What the caller says goes before; what cannot differ is no exposure.
        asked = links(shop.ask(user, strength=0.5))
        assert {link["strength"] for link in asked} == {"0.500"}
        assert shop.logged(shop.ask(user, restyle="off")).arms == {}
        assert shop.logged(shop.ask("nobody", restyle="link")).arms == {}, "without a taste nothing is restyled"
    then = next(user for user, arm in arms.items() if arm == "then")
    url = next(entry["restyled"]["url"] for entry in shop.ask(then).json()["items"] if entry["restyled"])
    del shop.client.headers["X-API-Key"]
    picture = shop.client.get(url)
    forged = shop.client.get(url.replace("engine=color", "engine=film"))
    shop.client.headers["X-API-Key"] = READ
    assert picture.status_code == 200
    assert "immutable" in picture.headers["Cache-Control"]
    assert forged.status_code == 403
    assert shop.client.get("/v1/items/p01/image?style=plain&engine=color").status_code == 422


def test_what_a_person_chose_goes_before_the_arm(shop: Shop) -> None:
    user = "chooser"
    items = [{"event_id": "c1", "user_id": user, "item_id": "p02", "event": "purchase"}]
    assert shop.client.post("/v1/events", json=items).json()["accepted"] == 1
    assert shop.client.put(f"/v1/users/{user}/taste", json={"strength": 0.9}).status_code == 200
    shop.run(declared("milder", {"strength": 0.2}))
    answer = shop.ask(user)
    assert {link["strength"] for link in links(answer)} == {"0.900"}
    assert shop.logged(answer).arms == {}


def test_an_arm_can_leave_pictures_as_they_are_or_take_them_to_a_scene(shop: Shop) -> None:
    for key, overrides in (("plain", {"restyle": False}), ("scene", {"scene": "floral day"})):
        for user, arm in shop.run(declared(key, overrides)).items():
            answer = shop.ask(user)
            entries = [entry["restyled"] for entry in answer.json()["items"]]
            assert shop.logged(answer).arms == {key: arm}
            if arm == "now":
                assert {entry["action"] for entry in entries if entry} == {"taste"}
            elif key == "plain":
                assert set(entries) == {None}
            else:
                assert {entry["action"] for entry in entries if entry} == {"scene:floral day"}
                assert {link["style"] for link in links(answer)} == {"floral"}
        shop.stop(key)


def test_an_experiment_of_another_category_is_not_met(shop: Shop) -> None:
    create_experiment(
        shop.folder, one := declared("lamps", {"diversity": 0.9}, targeting={"category": ["lamp"], "platform": ["web"]})
    )
    change_without_conflict(shop.folder, one.key, lambda draft: lifecycle.start(draft, now()))
    shop.running.append("lamps")
    shop.wait_until(lambda: bool(shop.ask("u01", category="lamp", platform="Web").json()["experiments"]))
    for query in ({"category": "chair", "platform": "web"}, {"category": "lamp"}, {}):
        for _ in range(2):
            answer = shop.ask("u01", **query)
            assert (answer.json()["experiments"], shop.logged(answer).arms) == ({}, {})
    for _ in range(2):
        answer = shop.ask("u01", category="lamp", platform="web")
        exposure = shop.logged(answer)
        assert exposure.arms == answer.json()["experiments"] != {}
        assert (exposure.category, exposure.platform, exposure.session_id) == ("lamp", "web", None)


def test_a_ramp_lets_people_in_and_moves_none(shop: Shop) -> None:
    arms = shop.run(declared("ramped", {"diversity": 0.9}, coverage=0.4))
    few = {user: arm for user, arm in arms.items() if arm}
    assert 0 < len(few) < len(USERS)
    assert {user: shop.ask(user).json()["experiments"].get("ramped", "") for user in USERS} == arms
    change_without_conflict(shop.folder, "ramped", lambda found: lifecycle.ramp(found, now(), coverage=1.0))
    shop.wait_until(lambda: all("ramped" in shop.ask(user).json()["experiments"] for user in USERS))
    after = {user: shop.ask(user).json()["experiments"]["ramped"] for user in USERS}
    assert {user: after[user] for user in few} == few


def test_sessions_are_units_too(shop: Shop) -> None:
    one = declared("visits", {"diversity": 0.9}, unit="session")
    create_experiment(shop.folder, one)
    change_without_conflict(shop.folder, one.key, lambda draft: lifecycle.start(draft, now()))
    shop.running.append("visits")

    def visit(session: str | None) -> httpx.Response:
        body = {"styles": ["plain"], **({} if session is None else {"session_id": session})}
        return shop.client.post("/v1/recommendations", json=body)

    shop.wait_until(lambda: "visits" in visit("s0").json()["experiments"])
    plan = Plan.from_experiment(lifecycle.start(one, now()))
    arms = {f"s{number}": plan.assign(f"s{number}").arm for number in range(12)}
    assert set(arms.values()) == {"now", "then"}
    for session, arm in arms.items():
        answer = visit(session)
        exposure = shop.logged(answer)
        assert (exposure.arms, exposure.session_id, exposure.user_id) == ({"visits": arm}, session, None)
        # Somebody with an account is in it by their session, however often they ask.
        for _ in range(2):
            assert shop.ask("u03", session_id=session).json()["experiments"] == {"visits": arm}
    assert visit(None).json()["experiments"] == {}


def test_an_arm_can_be_looked_at_by_who_runs_the_service(shop: Shop) -> None:
    create_experiment(shop.folder, declared("looked-at", {"restyle": False}))
    forced = {"force": "looked-at:then"}
    shop.wait_until(
        lambda: shop.client.get("/v1/users/u01/recommendations", params=forced, headers={"X-API-Key": ADMIN}).is_success
    )
    # Whoever else asks gets what they got.
    for _ in range(2):
        answer = shop.ask("u01", ADMIN, **forced)
        assert answer.json()["experiments"] == {"looked-at": "then"}
        assert links(answer) == []
        assert shop.logged(answer).arms == {}
        assert links(shop.ask("u01"))
    body = {"styles": ["plain"], "force": ["looked-at:then"]}
    assert shop.client.post("/v1/recommendations", json=body).status_code == 403
    assert shop.client.get("/v1/users/u01/recommendations", params=forced).status_code == 403
    for wrong in ("looked-at:them", "none:then"):
        answer = shop.client.get("/v1/users/u01/recommendations", params={"force": wrong}, headers={"X-API-Key": ADMIN})
        assert answer.status_code == 422
        assert "known ones" in answer.json()["detail"]


def test_an_arms_model_is_served_beside_the_active_one(shop: Shop) -> None:
    (other,) = (found.version for found in versions(shop.project.bundles) if not found.current)
    before = {user: ids(shop.ask(user)) for user in USERS}
    arms = shop.run(declared("models", {"model": other}))
    for user, arm in arms.items():
        for _ in range(2):
            answer = shop.ask(user)
            version = other if arm == "then" else shop.host.current.version
            assert answer.json()["model_version"] == answer.headers["Model-Version"] == version
            exposure = shop.logged(answer)
            assert (exposure.arms, exposure.model_version) == ({"models": arm}, version)
            assert (ids(answer) == before[user]) or arm == "then"
    # Pages go on in the model that they began with.
    then = next(user for user, arm in arms.items() if arm == "then")
    first = shop.ask(then, limit=3)
    second = shop.ask(then, limit=3, cursor=first.json()["next_cursor"])
    assert not set(ids(first)) & set(ids(second))
    put = {"title": "New", "category": "vase", "price": 1.0}
    assert shop.client.put("/v1/items/new", json=put).is_success
    shop.wait_until(lambda: "new" in ids(shop.ask(then, limit=200, exclude=str(time.monotonic()))))


def test_without_its_model_nobody_is_in_an_experiment(shop: Shop) -> None:
    create_experiment(shop.folder, one := declared("lost", {"model": "0123456789abcdef"}))
    change_without_conflict(shop.folder, one.key, lambda draft: lifecycle.start(draft, now()))
    time.sleep(0.5)
    for user in USERS[:6]:
        answer = shop.ask(user)
        assert (answer.json()["experiments"], shop.logged(answer).arms) == ({}, {})
        assert answer.json()["model_version"] == shop.host.current.version
    stop_experiment(shop.folder, "lost", now())
