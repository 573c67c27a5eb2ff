"""Every error is problem+json with a documented type, the cure, and the bad fields; every answer has its headers."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from recsys.api.limits import MAX_BODY_BYTES
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Answer, Request

Serve = Callable[..., httpx.Client]


def problem(answer: httpx.Response, status: int, slug: str) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["type"] == f"/problems/{slug}"
    assert body["title"]
    assert body["detail"]
    return body


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("limit=0", "limit", "greater than or equal to 1"),
        ("limit=201", "limit", "less than or equal to 200"),
        ("limit=ten", "limit", "valid integer"),
        ("price_min=-1", "price_min", "greater than or equal to 0"),
        ("price_max=inf", "price_max", "finite"),
        ("diversity=1.5", "diversity", "less than or equal to 1"),
        ("exploration=2", "exploration", "less than or equal to 1"),
        ("calibration=-1", "calibration", "greater than or equal to 0"),
        ("restyle=later", "restyle", "'link', 'inline' or 'off'"),
        ("deadline_ms=-1", "deadline_ms", "greater than or equal to 0"),
        ("explain=perhaps", "explain", "valid boolean"),
        ("shade=red", "shade", "unknown parameter 'shade'; known here: limit, category, price_min"),
        ("Limit=3", "Limit", "unknown parameter 'Limit'"),
    ],
)
def test_a_bad_parameter_is_named(client: httpx.Client, query: str, field: str, says: str) -> None:
    body = problem(client.get(f"/v1/users/u00/recommendations?{query}"), 422, "invalid-request")
    (error,) = body["errors"]
    assert error["parameter"] == field
    assert says in error["detail"]
    assert error["detail"] in body["detail"]


def test_all_bad_parameters_are_named_at_once(client: httpx.Client) -> None:
    answer = client.get("/v1/users/u00/recommendations?limit=0&color=red&strength=2")
    errors = problem(answer, 422, "invalid-request")["errors"]
    assert {error["parameter"] for error in errors} == {"limit", "color", "strength"}


def test_a_price_range_that_is_upside_down_is_refused(client: httpx.Client) -> None:
    answer = client.get("/v1/users/u00/recommendations?price_min=9&price_max=5")
    assert "price_min 9.0 is above price_max 5.0" in problem(answer, 422, "invalid-request")["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/readyz",
        "/problems",
        "/problems/internal",
        "/v1/styles",
        "/v1/items/p00",
        "/v1/items/p00/image",
        "/v1/items/p00/similar",
        "/v1/users/u00/taste",
        "/v1/users/u00/recommendations",
    ],
)
def test_no_path_takes_unknown_parameters(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200
    body = problem(client.get(path, params={"nonsense": "1"}), 422, "invalid-request")
    assert [error["parameter"] for error in body["errors"]] == ["nonsense"]


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        ({"items": [{"item_id": "p00"}, {"item_id": "p01", "weight": "x"}]}, "#/items/1/weight", "valid number"),
        ({"items": [{"item_id": "p00", "weight": 0}]}, "#/items/0", "leave the item out"),
        ({"items": [{"item_id": "p00", "weight": 1, "event": "view"}]}, "#/items/0", "either event or weight"),
        ({"items": [{"item_id": "p00", "event": "stare"}]}, "#/items/0/event", "use one of view, click"),
        ({"items": [{}]}, "#/items/0/item_id", "required"),
        ({"items": [{"item_id": "p00", "a/b~": 1}]}, "#/items/0/a~1b~0", "unknown field"),
        ({"items": [{"item_id": "a\x00"}]}, "#/items/0/item_id", "pattern"),
        ({"items": [{"item_id": "p00"}] * 201}, "#/items", "at most 200"),
        ({"styles": "plain"}, "#/styles", "valid list"),
        ({"tint": "red"}, "#/tint", "unknown field 'tint'; known here: limit"),
        ({"limit": 0}, "#/limit", "greater than or equal to 1"),
        ([], "#", "valid dictionary"),
    ],
)
def test_a_bad_field_of_the_body_is_pointed_at(client: httpx.Client, body: Any, pointer: str, says: str) -> None:
    errors = problem(client.post("/v1/recommendations", json=body), 422, "invalid-request")["errors"]
    assert [error["pointer"] for error in errors] == [pointer]
    assert says in errors[0]["detail"]


@pytest.mark.parametrize("content", [b"{", b'{"limit": }', b"[" * 100_000])
def test_a_body_that_is_no_json_is_told_apart(client: httpx.Client, content: bytes) -> None:
    answer = client.post("/v1/recommendations", content=content, headers={"Content-Type": "application/json"})
    problem(answer, 400, "malformed-json")


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b'{"limit": NaN}', b'{"styles": ["\\ud800"]}', b'{"\\ud800": 1}', b"\xff\xfe", b'"text"'],
)
def test_odd_bodies_are_the_callers_fault(client: httpx.Client, content: bytes) -> None:
    answer = client.post("/v1/recommendations", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"
    json.loads(answer.content)


def test_a_large_body_is_refused_declared_or_not(client: httpx.Client) -> None:
    large = b" " * (MAX_BODY_BYTES + 1)

    def stream() -> Iterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    for content in (large, stream()):
        body = problem(client.post("/v1/users/u/feedback", content=content), 413, "too-large")
        assert str(MAX_BODY_BYTES) in body["detail"]
    assert client.post("/v1/users/u/feedback", content=b"{}" + b" " * (MAX_BODY_BYTES - 2)).status_code == 422


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"styles": ["absent"]}, "#/styles"),
    ],
)
def test_unknown_things_in_a_body_are_named(client: httpx.Client, body: Any, pointer: str) -> None:
    answer = problem(client.post("/v1/recommendations", json=body), 422, "unknown-reference")
    assert "'absent'" in answer["detail"]
    assert answer["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("path", ["absent", "absent/similar", "absent/image", "a%2Fb", "..%2F..%2Fetc%2Fpasswd/image"])
def test_an_unknown_item_is_not_found(client: httpx.Client, path: str) -> None:
    assert "Check the id" in problem(client.get(f"/v1/items/{path}"), 404, "unknown-item")["detail"]


def test_a_look_without_a_picture_points_to_taste(client: httpx.Client) -> None:
    body = problem(client.get("/v1/items/bare/similar"), 422, "invalid-request")
    assert "by=taste" in body["detail"]
    assert client.get("/v1/items/bare/similar?by=taste").status_code == 200


def test_wrong_paths_and_methods(client: httpx.Client) -> None:
    for path in ("/v2/styles", "/v1/styles/"):
        assert path in problem(client.get(path), 404, "no-such-path")["detail"]
    answer = client.delete("/v1/styles")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_every_type_of_problem_is_explained_where_it_points(client: httpx.Client) -> None:
    listed = client.get("/problems").json()
    assert len({one["type"] for one in listed}) == len(listed) > 10
    for one in listed:
        assert client.get(one["type"]).json() == one
    problem(client.get("/problems/absent"), 404, "no-such-path")


def test_every_answer_has_a_request_id_and_the_models_version(client: httpx.Client, recommender: Recommender) -> None:
    made = set()
    for path in ("/livez", "/absent", "/v1/styles?x=1", "/v1/items/p00/image", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["Model-Version"] == recommender.version
        assert re.fullmatch(r"[0-9a-f]{32}", headers["X-Request-ID"])
        made.add(headers["X-Request-ID"])
    assert len(made) == 5


@pytest.mark.parametrize(
    ("given", "kept"), [("shop-1.a_B", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("", False)]
)
def test_a_request_id_is_kept_if_it_is_harmless(client: httpx.Client, given: str, kept: bool) -> None:
    answer = client.get("/livez", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) is kept


class Faulty(Recommender):
    """Fails with a message that nobody outside should read."""

    def recommend(self, request: Request) -> Answer:
        raise RuntimeError(f"secret of {request.user_id}")


def test_an_error_inside_is_not_told_and_does_not_stop_the_service(
    serve: Serve, recommender: Recommender, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(served=Faulty(recommender.bundle))
    answer = client.get("/v1/users/u00/recommendations", headers={"X-Request-ID": "find-me"})
    body = problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert "X-Request-ID" in body["detail"]
    assert answer.headers["X-Request-ID"] == "find-me"
    assert client.get("/livez").status_code == 200
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert "find-me" in record.getMessage()
    assert "RuntimeError in" in record.getMessage()
    assert "secret" not in caplog.text


def test_the_log_names_routes_and_no_person(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="recsys.api")
    client.get("/v1/users/jane.doe/recommendations?exclude=p07", headers={"X-Request-ID": "r1"})
    client.get("/v1/items/p07/image?user=jane.doe")
    lines = [one.getMessage() for one in caplog.records if one.name.startswith("recsys.api")]
    # A service of another test may still log.
    (first,) = (line for line in lines if line.startswith("r1 "))
    assert re.fullmatch(r"r1 GET /v1/users/\{user_id:path\}/recommendations 200 [0-9.]+ ms", first)
    assert not any("jane" in line or "p07" in line for line in lines)
