"""The service: `create_app` joins recommender, restyler, routes and limits."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from recsys import __version__
from recsys.api.envelope import Envelope
from recsys.api.limits import BodyLimit
from recsys.api.problems import MEDIA_TYPE, install_problem_handlers
from recsys.api.routes import health, items, people, recommendations, restyle
from recsys.api.security import Security
from recsys.api.services import Services
from recsys.config import EventSettings
from recsys.pipeline.recommender import Recommender
from recsys.pipeline.restyle import Restyler

DESCRIPTION = """Recommendations with style-aware ranking, restyled toward each person's own taste.

Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem details; `/problems` explains every type.
Every answer has the headers `X-Request-ID` (yours, if you send one) and `Model-Version`.
"""


def create_app(
    recommender: Recommender,
    restyler: Restyler,
    *,
    events: EventSettings | None = None,
    security: Security | None = None,
) -> FastAPI:
    """The service as an ASGI application; whoever made `restyler` closes it.

    `events` weighs the events of anonymous sessions (default: the bundle's settings); `security` comes from the
    environment by default (see `Security.from_environment`). Raises ConfigError where that is wrong.
    """
    app = FastAPI(
        title="style-recsys",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_lifespan,
        # An id may end in a slash, hence a path with one is another path.
        redirect_slashes=False,
    )
    app.state.services = Services(
        recommender,
        restyler,
        events or recommender.bundle.settings.events,
        security or Security.from_environment(os.environ),
    )
    install_problem_handlers(app)
    # The last path of `items` takes any id, slashes included, so all longer paths have to come first.
    for routes in (recommendations, people, restyle, items, health):
        app.include_router(routes.router)
    app.add_middleware(BodyLimit)
    # Added last, hence outermost: it seals the answers of all others.
    app.add_middleware(Envelope, model_version=recommender.version)
    _describe_problems(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.services.restyler.warm_up()
    yield


def _describe_problems(app: FastAPI) -> None:
    """Let OpenAPI name the media type of problems, which FastAPI files under plain JSON."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            for path in generate()["paths"].values():
                for operation in path.values():
                    _move_problems(operation["responses"])
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]


def _move_problems(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        if status >= "400" and "application/json" in content:
            content.setdefault(MEDIA_TYPE, {})["schema"] = content.pop("application/json")["schema"]
