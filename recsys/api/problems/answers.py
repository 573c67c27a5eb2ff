"""Errors as RFC 9457 problem details: the cause, the field and the cure.

The service explains each type of problem at `/problems/<slug>`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from recsys.api.context import request_context_of
from recsys.api.limits import MAX_ERRORS
from recsys.api.problems.types import (
    INTERNAL,
    INVALID_REQUEST,
    LICENSE_FORBIDS,
    MALFORMED_JSON,
    METHOD_NOT_ALLOWED,
    MISSING_KEY,
    NO_SUCH_PATH,
    REJECTED,
    STORAGE_FULL,
    STORAGE_UNAVAILABLE,
    TOO_LARGE,
    UNKNOWN_ITEM,
    UNKNOWN_REFERENCE,
    UNREADABLE_IMAGE,
    ProblemType,
)
from recsys.api.route_table import allowed_methods
from recsys.errors import RequestError, StorageError, StorageFullError, UnknownIdError
from style.errors import ImageError, RightsError, UnknownEngineError, VectorError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_NO_JSON = "The body cannot be read as JSON."
_BODY_FIELDS = {"item": "#/items", "style": "#/styles"}


class FieldError(BaseModel):
    """Error of one field of a request."""

    detail: str = Field(description="The error.", examples=["Input should be less than or equal to 200"])
    parameter: str | None = Field(
        default=None, description="Parameter of the path or query with the error.", examples=["limit"]
    )
    pointer: str | None = Field(
        default=None, description="JSON pointer to the field of the body with the error.", examples=["#/items/0/weight"]
    )


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(description="Address of the explanation.", examples=[INVALID_REQUEST.uri])
    title: str = Field(description="Type of problem in a few words.", examples=[INVALID_REQUEST.title])
    status: int = Field(description="HTTP status.", examples=[INVALID_REQUEST.status])
    detail: str = Field(description="Error of this request, and the cure.", examples=[INVALID_REQUEST.cure])
    errors: list[FieldError] | None = Field(default=None, description="Fields with errors, the first 20.")


class ProblemError(Exception):
    """Error that ends a request with a problem.

    Args:
        kind: Type of problem.
        what: Error of this request, in a sentence; the cure of the type follows it.
        errors: Fields with errors.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        kind: ProblemType,
        what: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.errors = errors
        self.headers = headers or {}


class ProblemResponse(Response):
    """Problem as a response."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        kind: ProblemType,
        what: str,
        errors: Iterable[FieldError] = (),
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        code = status or kind.status
        problem = Problem(
            type=kind.uri,
            title=kind.title,
            status=code,
            detail=f"{what} {kind.cure}".strip(),
            errors=list(errors) or None,
        )
        # Escaped to ASCII, because text of a caller may contain code points that UTF-8 cannot encode.
        body = json.dumps(problem.model_dump(exclude_none=True))
        super().__init__(body, code, headers=dict(headers or {}))


def problem_responses(*kinds: ProblemType) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses for problems of a route; `INVALID_REQUEST` is always one of them."""
    by_status: dict[int | str, list[ProblemType]] = {}
    for kind in (INVALID_REQUEST, *kinds):
        by_status.setdefault(kind.status, []).append(kind)
    return {
        status: {
            "model": Problem,
            "description": "; ".join(kind.title for kind in same),
            "content": {MEDIA_TYPE: {"examples": {kind.slug: {"value": _example(kind)} for kind in same}}},
        }
        for status, same in by_status.items()
    }


def install_problem_handlers(app: FastAPI) -> None:
    """Turn errors that routes raise on purpose, and errors of the framework, into problems."""
    app.exception_handler(ProblemError)(_on_problem)
    app.exception_handler(RequestValidationError)(_on_invalid)
    app.exception_handler(HTTPException)(_on_http)
    for kind in (
        UnknownIdError,
        RequestError,
        RightsError,
        VectorError,
        UnknownEngineError,
        ImageError,
        StorageError,
    ):
        app.exception_handler(kind)(_on_library_error)


def internal_problem() -> ProblemResponse:
    """Return the answer to an unexpected error, without details."""
    return ProblemResponse(INTERNAL, "")


def storage_problem(error: StorageError) -> ProblemResponse:
    """Return the answer to an error of the live data, also for the layers around the routes."""
    if isinstance(error, StorageFullError):
        return ProblemResponse(STORAGE_FULL, "")
    # The message names a server, so it goes only to the log.
    logger.error("live data cannot be reached: %s", error)
    return ProblemResponse(STORAGE_UNAVAILABLE, "", headers={"Retry-After": "1"})


def problem_response(error: ProblemError) -> ProblemResponse:
    """Return the answer to an error that ends a request, also for the layers around the routes."""
    headers = {"WWW-Authenticate": "ApiKey"} if error.kind is MISSING_KEY else {}
    return ProblemResponse(error.kind, error.what, error.errors, headers={**headers, **error.headers})


async def _on_problem(_: Request, error: ProblemError) -> Response:
    return problem_response(error)


async def _on_invalid(request: Request, error: RequestValidationError) -> Response:
    invalid = error.errors()
    if any(one["type"] == "json_invalid" for one in invalid):
        return ProblemResponse(MALFORMED_JSON, _NO_JSON)
    errors = [_field_error(one, request) for one in invalid[:MAX_ERRORS]]
    first = errors[0]
    where = first.parameter or first.pointer or "body"
    more = f" (and {len(invalid) - 1} more)" if len(invalid) > 1 else ""
    return ProblemResponse(INVALID_REQUEST, f"{where}: {first.detail}{more}.", errors)


async def _on_http(request: Request, error: HTTPException) -> Response:
    kinds = {400: MALFORMED_JSON, 404: NO_SUCH_PATH, 405: METHOD_NOT_ALLOWED, 413: TOO_LARGE}
    kind = kinds.get(error.status_code, REJECTED)
    what = {
        NO_SUCH_PATH: f"There is nothing at {request.url.path}.",
        MALFORMED_JSON: _NO_JSON,
        METHOD_NOT_ALLOWED: f"{request.method} does not work on {request.url.path}.",
    }.get(kind, error.detail)
    headers = dict(error.headers or {})
    if kind is METHOD_NOT_ALLOWED and (allowed := allowed_methods(request_context_of(request.scope).path)):
        # The framework names only the methods of one route, and a path may have several.
        headers["Allow"] = allowed
    return ProblemResponse(kind, what, status=error.status_code, headers=headers)


async def _on_library_error(request: Request, error: Exception) -> Response:
    """Return the problem for an error that the library raises on purpose."""
    item_id = request.path_params.get("item_id") or request.query_params.get("item_id")
    match error:
        case UnknownIdError(kind="item", value=value) if value == item_id:
            return ProblemResponse(UNKNOWN_ITEM, f"There is no item {value!r}.")
        case UnknownIdError():
            what = f"There is no {error.kind} {error.value!r}."
            in_body = request.method == "POST"
            place = {"pointer": _BODY_FIELDS.get(error.kind)} if in_body else {"parameter": error.kind}
            return ProblemResponse(UNKNOWN_REFERENCE, what, [FieldError(detail=what, **place)])
        case RequestError():
            detail = str(error).removeprefix(f"{error.field}: ")
            return ProblemResponse(INVALID_REQUEST, f"{error}.", [FieldError(detail=detail, parameter=error.field)])
        case RightsError():
            return ProblemResponse(LICENSE_FORBIDS, f"{error}.")
        case ImageError():
            # The error names a file of the server, which callers must not see.
            return ProblemResponse(UNREADABLE_IMAGE, f"Item {item_id!r} has an image that cannot be read.")
        case StorageError():
            return storage_problem(error)
        case _:
            return ProblemResponse(INVALID_REQUEST, f"{error}.")


def _field_error(error: Mapping[str, Any], request: Request) -> FieldError:
    """Return an error of validation with its place in the request."""
    where, *path = error["loc"]
    detail = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _known_fields(request, where) if len(path) == 1 else []
        choice = f"; known here: {', '.join(known)}" if known else ""
        detail = f"unknown {'field' if where == 'body' else 'parameter'} {str(path[-1])[:100]!r}{choice}"
    if where == "body":
        # A JSON pointer escapes "~" and "/" (RFC 6901).
        parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
        return FieldError(detail=detail, pointer="#" + "".join(f"/{part}" for part in parts))
    return FieldError(detail=detail, parameter=".".join(map(str, path)) or None)


def _known_fields(request: Request, where: str) -> list[str]:
    """Return the fields of the route's model for the query or the body."""
    hints = get_type_hints(request.scope["route"].endpoint, include_extras=True)
    for hint in hints.values():
        model, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        in_query = any(isinstance(mark, Query) for mark in marks)
        if isinstance(model, type) and issubclass(model, BaseModel) and in_query == (where == "query"):
            return list(model.model_fields)
    return []


def _example(kind: ProblemType) -> dict[str, object]:
    example: dict[str, object] = {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.meaning} {kind.cure}",
    }
    if kind is INVALID_REQUEST:
        detail = "Input should be less than or equal to 200"
        example["detail"] = f"limit: {detail}. {kind.cure}"
        example["errors"] = [{"detail": detail, "parameter": "limit"}]
    return example
