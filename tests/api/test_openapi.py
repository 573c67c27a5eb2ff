"""The OpenAPI description: complete, with examples that hold."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from recsys.api.schemas.recommendations import SessionRequest


@pytest.fixture
def description(client: httpx.Client) -> Any:
    return client.get("/openapi.json").json()


def test_the_paths_are_those_of_the_service(description: Any) -> None:
    assert set(description["paths"]) == {
        "/v1/users/{user_id}/recommendations",
        "/v1/recommendations",
        "/v1/items/{item_id}/similar",
        "/v1/items/{item_id}/image",
        "/v1/item-image",
        "/v1/items/{item_id}",
        "/v1/users/{user_id}/taste",
        "/v1/styles",
        "/v1/users/{user_id}/feedback",
        "/v1/users/{user_id}:merge",
        "/v1/users/{user_id}",
        "/v1/events",
        "/v1/items:batch",
        "/v1/search/style",
        "/v1/models",
        "/v1/admin/models/{version}:activate",
        "/v1/admin:drain",
        "/v1/experiments",
        "/v1/experiments:plan",
        "/v1/experiments/{key}",
        "/v1/experiments/{key}/assignment",
        "/v1/experiments/{key}/results",
        "/v1/admin/experiments",
        "/v1/admin/experiments/{key}:start",
        "/v1/admin/experiments/{key}:ramp",
        "/v1/admin/experiments/{key}:stop",
        "/v1/restyle",
        "/livez",
        "/metrics",
        "/readyz",
        "/problems",
        "/problems/{slug}",
    }


def test_every_error_is_described_as_a_problem(description: Any) -> None:
    for path in description["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            errors = {status: one for status, one in operation["responses"].items() if status >= "400"}
            assert "422" in errors
            for error in errors.values():
                (media,) = error["content"].items()
                assert media[0] == "application/problem+json"
                assert media[1]["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert media[1]["examples"]


def test_every_reference_leads_somewhere(description: Any) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for value in node.values() for found in references(value)]
        return [found for value in node for found in references(value)] if isinstance(node, list) else []

    found = references(description)
    assert found
    for reference in found:
        node = description
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_parameter_says_what_it_means(description: Any) -> None:
    for path, operations in description["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if path != "/problems/{slug}":
                    assert parameter.get("description") or parameter["schema"].get("description"), (path, parameter)


def test_the_pictures_media_types_and_headers_are_described(description: Any) -> None:
    picture = description["paths"]["/v1/items/{item_id}/image"]["get"]["responses"]["200"]
    assert set(picture["content"]) == {"image/jpeg", "image/png", "image/webp"}
    assert "Restyle-Status" in picture["headers"]


def test_the_examples_of_a_session_are_valid(description: Any) -> None:
    examples = description["components"]["schemas"]["SessionRequest"]["examples"]
    assert len(examples) == 2
    for example in examples:
        SessionRequest.model_validate(example)
