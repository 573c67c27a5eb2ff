"""OpenAPI description: adds problems, keys, links and event bodies to the description of FastAPI."""

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
from recsys.api.route_table import ITEM_IMAGE, ROUTES, Guard, Route
from recsys.api.schemas.events import EventIn
from recsys.api.schemas.experiments import NewExperiment

_LINK_SCHEME = "LinkSignature"


def describe(app: FastAPI, is_open: Callable[[], bool]) -> None:
    """Complete `app.openapi`. While `is_open()` is true, the description says that no key is needed."""
    generate = app.openapi
    descriptions: dict[bool, dict[str, Any]] = {}

    def openapi() -> dict[str, Any]:
        if not descriptions:
            closed = generate()
            _complete(closed)
            # OpenAPI expresses a service without keys by an empty alternative.
            description = copy.deepcopy(closed)
            for operations in description["paths"].values():
                for operation in operations.values():
                    if "security" in operation:
                        operation["security"].append({})
            descriptions.update({False: closed, True: description})
        return descriptions[is_open()]

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(description: dict[str, Any]) -> None:
    for route in ROUTES:
        for parameter in description["paths"][route.described_path][route.method.lower()].get("parameters", []):
            if parameter["in"] == "query" and not parameter["required"]:
                _allow_empty(parameter["schema"])
        responses = description["paths"][route.described_path][route.method.lower()]["responses"]
        for kind in _middleware_problems(route):
            response = problem_responses(kind)[kind.status]
            described = responses.setdefault(
                str(kind.status),
                {"description": "", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
            )
            examples = described["content"].setdefault(MEDIA_TYPE, {}).setdefault("examples", {})
            if kind.slug not in examples:
                described["description"] = "; ".join(filter(None, [described["description"], kind.title]))
                examples[kind.slug] = response["content"][MEDIA_TYPE]["examples"][kind.slug]
        # FastAPI puts problems under plain JSON; move them to their own media type.
        for status, response in responses.items():
            content = response.get("content", {})
            if status >= "400" and "application/json" in content:
                content.setdefault(MEDIA_TYPE, {})["schema"] = content.pop("application/json")["schema"]
    components = description["components"]
    # Routes parse these bodies on their own, so FastAPI does not know them.
    own: dict[str, Any] = {}
    for model in (EventIn, NewExperiment):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        own |= schema.pop("$defs", {}) | {model.__name__: schema}
    components["schemas"] = own | components["schemas"]
    components["securitySchemes"][_LINK_SCHEME] = {
        "type": "apiKey",
        "in": "query",
        "name": SIGNATURE,
        "description": "Signature of a link to an image; it replaces an API key.",
    }
    image = description["paths"][ITEM_IMAGE.described_path]["get"]
    image["security"] = [*image["security"], {_LINK_SCHEME: []}]
    image["parameters"] = [one for one in image["parameters"] if one["name"] != SIGNATURE]


def _allow_empty(schema: dict[str, Any]) -> None:
    """Describe that an empty text is as good as an absent parameter, as forms of browsers send it."""
    for one in [schema, *schema.get("anyOf", [])]:
        if one.get("minLength", 0) > 0:
            one["minLength"] = 0
        if "pattern" in one:
            one["pattern"] = f"^$|{one['pattern']}"


def _middleware_problems(route: Route) -> list[ProblemType]:
    """Return the problems with which the layers around a route may answer."""
    if route.guard is Guard.NONE:
        return []
    if route.guard is Guard.RATE:
        return [TOO_MANY_REQUESTS]
    kinds = [TOO_MANY_REQUESTS, TOO_LARGE, STORAGE_UNAVAILABLE]
    if route.idempotent:
        kinds += [IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_MISMATCH, STORAGE_FULL]
    return kinds
