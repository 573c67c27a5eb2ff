"""The route table: it has every route of the application, and no other file knows paths."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from recsys.api.app import create_app
from recsys.api.route_table import ROUTES, UNMATCHED, Guard, Route, allowed_methods, match_route
from recsys.ranking.recommender import Recommender
from recsys.restyling.renderer import Renderer

API = Path(__file__).parents[2] / "recsys" / "api"
VERSIONED = re.compile(r"/v1\b")


@pytest.fixture(scope="module")
def app(recommender: Recommender, restyler: Renderer, open_live: object) -> FastAPI:
    return create_app(recommender, restyler, open_live())  # type: ignore[operator]


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """Operations that OpenAPI describes: how the framework holds included routers differs between its versions."""
    return {(method.upper(), path) for path, operations in app.openapi()["paths"].items() for method in operations}


def test_each_route_of_the_application_has_an_entry_and_each_entry_a_route(app: FastAPI) -> None:
    assert routes_of(app) == {(route.method, route.described_path) for route in ROUTES}
    assert len(ROUTES) == len({(route.method, route.path) for route in ROUTES})


def literals(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_only_the_table_and_the_routes_know_paths() -> None:
    holders = {
        file.relative_to(API).parts[0]
        for file in API.rglob("*.py")
        if any(VERSIONED.match(text) for text in literals(file))
    }
    assert holders == {"route_table.py", "routes"}


def test_the_framework_and_the_table_find_the_same_route() -> None:
    for route in ROUTES:
        for value in ("a", "a b") if ":path" not in route.path else ("a", "a/b", "a/taste", "taste/a", "ü"):
            path = re.sub(r"\{.*?\}", value, route.path)
            found, user_id = match_route(route.method, path)
            # A shorter path ends in an id, which may look like the end of a longer one.
            assert found is route or path.endswith("/taste"), path
            assert user_id == (value if route.per_user and found is route else user_id)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1"),
        ("GET", "/v1/users"),
        ("GET", "/v1/users/recommendations"),
        ("GET", "/v2/styles"),
        ("GET", "/v1/experiments/a/b"),
        ("DELETE", "/v1/users/u/feedback"),
        ("DELETE", "/v1/users//feedback"),
        ("PUT", "/v1/items/p/image"),
        ("DELETE", "/v1/users/u/feedback\n"),
        ("POST", "/livez"),
    ],
)
def test_other_requests_match_no_entry(method: str, path: str) -> None:
    assert match_route(method, path)[0] is UNMATCHED


def test_the_user_in_the_path_is_found() -> None:
    assert match_route("GET", "/v1/users/a/b/recommendations")[1] == "a/b"
    assert match_route("DELETE", "/v1/users/taste/u")[1] == "taste/u"
    assert match_route("GET", "/v1/users//taste")[1] is None
    assert match_route("GET", "/v1/items/users/image")[1] is None


def test_the_allowed_methods_are_those_of_the_first_path_that_matches() -> None:
    assert allowed_methods("/v1/users/u/taste") == "DELETE, GET, HEAD, PUT"
    assert allowed_methods("/v1/users/u") == "DELETE"
    assert allowed_methods("/v1/items/a/image") == "GET, HEAD"
    assert allowed_methods("/docs") is None


def test_defaults_protect_a_route() -> None:
    new = Route("POST", "/v1/new")
    assert (new.guard, new.ranks, new.cacheable, new.idempotent, new.per_user) == (Guard.KEY, False, False, True, False)
    assert all(route.per_user for route in ROUTES if route.cacheable)
