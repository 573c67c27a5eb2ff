"""The OpenAPI description, where it says more than FastAPI knows: problems of every route, keys, links, events."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from recsys.api.auth.security import SIGNATURE
from recsys.api.problems.answers import MEDIA_TYPE, problem_responses
from recsys.api.problems.types import (
    IDEMPOTENCY_IN_PROGRESS,
    IDEMPOTENCY_MISMATCH,
    STORAGE_FULL,
    STORAGE_UNAVAILABLE,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    ProblemType,
)
from recsys.api.schemas.events import EventIn
from recsys.api.schemas.experiments import NewExperiment

VERSIONED = "/v1/"
_WRITES = frozenset({"post", "put", "delete"})
_LINKED = "/v1/items/{item_id}/image"
_LINK_SCHEME = "LinkSignature"


def describe(app: FastAPI, is_open: Callable[[], bool]) -> None:
    """Make `app.openapi` complete. While `is_open()` it says that no key is needed."""
    generate = app.openapi
    made: dict[bool, dict[str, Any]] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            closed = generate()
            _complete(closed)
            made.update({False: closed, True: _opened(closed)})
        return made[is_open()]

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(description: dict[str, Any]) -> None:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            _add_problems(operation["responses"], _of_the_layers(path, method))
            _move_problems(operation["responses"])
    components = description["components"]
    # Routes read these bodies themselves, hence FastAPI does not know them.
    own: dict[str, Any] = {}
    for model in (EventIn, NewExperiment):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        own |= schema.pop("$defs", {}) | {model.__name__: schema}
    components["schemas"] = own | components["schemas"]
    components["securitySchemes"][_LINK_SCHEME] = {
        "type": "apiKey",
        "in": "query",
        "name": SIGNATURE,
        "description": "What a link to a picture has; it stands for an API key.",
    }
    image = description["paths"][_LINKED]["get"]
    image["security"] = [*image["security"], {_LINK_SCHEME: []}]
    image["parameters"] = [one for one in image["parameters"] if one["name"] != SIGNATURE]


def _opened(closed: dict[str, Any]) -> dict[str, Any]:
    """The same where no key is needed, which OpenAPI says by an empty alternative."""
    description = copy.deepcopy(closed)
    for operations in description["paths"].values():
        for operation in operations.values():
            if "security" in operation:
                operation["security"].append({})
    return description


def _of_the_layers(path: str, method: str) -> list[ProblemType]:
    """What the layers around the routes may answer."""
    if path.startswith("/problems"):
        return [TOO_MANY_REQUESTS]
    if not path.startswith(VERSIONED):
        return []
    both = [TOO_MANY_REQUESTS, TOO_LARGE, STORAGE_UNAVAILABLE]
    return [*both, IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_MISMATCH, STORAGE_FULL] if method in _WRITES else both


def _add_problems(responses: dict[str, Any], kinds: list[ProblemType]) -> None:
    for kind in kinds:
        found = problem_responses(kind)[kind.status]
        described = responses.setdefault(
            str(kind.status),
            {"description": "", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        )
        examples = described["content"].setdefault(MEDIA_TYPE, {}).setdefault("examples", {})
        if kind.slug not in examples:
            described["description"] = "; ".join(filter(None, [described["description"], kind.title]))
            examples[kind.slug] = found["content"][MEDIA_TYPE]["examples"][kind.slug]


def _move_problems(responses: dict[str, Any]) -> None:
    """Problems have a media type of their own, which FastAPI files under plain JSON."""
    for status, response in responses.items():
        content = response.get("content", {})
        if status >= "400" and "application/json" in content:
            content.setdefault(MEDIA_TYPE, {})["schema"] = content.pop("application/json")["schema"]
