"""Which methods a path has. Ids may hold slashes, so that `/users/{id}` takes any longer path, too: what belongs to a
longer path of its own must not reach it."""

from __future__ import annotations

import re
from functools import cache

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException

from recsys.api.context import request_context_of
from recsys.api.problems.types import METHOD_NOT_ALLOWED

_PARAMETER = re.compile(r"\{\w+\}")
_LONGER = re.compile(r"/v1/(?:users/.+/(?:recommendations|taste|feedback)|items/.+/(?:image|similar))", re.DOTALL)


async def not_longer(request: Request) -> None:
    """Dependency of `/users/{id}` and `/items/{id}`: without it DELETE on the `/feedback` of a user, which does not
    exist, would be the erasure of somebody whose id ends so, and say that it was done. Raises HTTPException."""
    if _LONGER.fullmatch(request_context_of(request.scope).path):
        raise HTTPException(METHOD_NOT_ALLOWED.status)


def allowed_methods(app: FastAPI, path: str) -> str | None:
    """The header `Allow` of a path; None where the service does not describe it."""
    # In the order of the routes, of which the first that fits is taken.
    for pattern, methods in _patterns(app):
        if pattern.fullmatch(path):
            return methods
    return None


@cache
def _patterns(app: FastAPI) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(_as_pattern(path), re.DOTALL), ", ".join(sorted(method.upper() for method in operations)))
        for path, operations in app.openapi()["paths"].items()
    )


def _as_pattern(path: str) -> str:
    return ".+".join(re.escape(part) for part in _PARAMETER.split(path))
