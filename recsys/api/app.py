"""The service: `create_app` joins recommender, restyler, routes and limits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from recsys import __version__
from recsys.api.admission import Ranking
from recsys.api.door import Door
from recsys.api.drain import Drain, drain_on_signals
from recsys.api.envelope import Envelope
from recsys.api.idempotency import Answers, Idempotency
from recsys.api.limits import BodyLimit
from recsys.api.metrics import Metrics, metrics_directory
from recsys.api.problems import MEDIA_TYPE, install_problem_handlers
from recsys.api.rates import RateLimits
from recsys.api.routes import admin, health, items, people, recommendations
from recsys.api.security import Security
from recsys.api.services import Services
from recsys.api.shedding import Shedder
from recsys.api.snapshots import FixedModel, Models
from recsys.api.tracing import Tracing
from recsys.config import EventSettings, ServiceSettings
from recsys.pipeline.recommender import Recommender
from recsys.pipeline.restyle import Restyler

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

KEYS_EVERY_S = 0.5
"""A key that is made or revoked counts within this time, however rarely bundles are looked for."""

DESCRIPTION = """Recommendations with style-aware ranking, restyled toward each person's own taste.

Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem details; `/problems` explains every type.
Every answer has the headers `X-Request-ID` (yours, if you send one) and `Model-Version`.
"""


def create_app(
    models: Recommender | Models,
    restyler: Restyler,
    *,
    events: EventSettings | None = None,
    security: Security | None = None,
    settings: ServiceSettings | None = None,
    answers: Answers | None = None,
    drain: Drain | None = None,
    provider: TracerProvider | None = None,
) -> FastAPI:
    """The service as an ASGI application; whoever made `restyler` closes it.

    `models`: one recommender for good, or what holds the present one. `events` weighs the events of anonymous sessions
    (default: the bundle's settings); `security` comes from the environment by default (see
    `Security.from_environment`); `answers` keeps what is to be answered again by Idempotency-Key (None: keys are
    ignored); `drain` says how to stop; `provider` makes traces. Raises ConfigError where the environment is wrong.
    """
    if isinstance(models, Recommender):
        models = FixedModel(models)
    settings = settings or ServiceSettings()
    snapshot = models.current
    metrics = Metrics(lambda: models.current.recommender.version, metrics_directory())
    services = Services(
        snapshot,
        restyler,
        events or snapshot.recommender.bundle.settings.events,
        security or Security.from_environment(os.environ),
        Ranking(settings.ranking_threads, settings.max_waiting),
        metrics,
        drain or Drain(),
    )
    _watch(services)
    app = FastAPI(
        title="style-recsys",
        version=__version__,
        description=DESCRIPTION,
        lifespan=partial(_lifespan, services=services, settings=settings),
        # An id may end in a slash, hence a path with one is another path.
        redirect_slashes=False,
    )
    app.state.services = services
    # For `SheddingProtocol`, which refuses before there is a request for the layers below.
    app.state.shedder, app.state.models = Shedder(services.ranking, metrics), models
    install_problem_handlers(app)
    # The last path of `items` takes any id, slashes included, so all longer paths have to come first.
    for routes in (recommendations, people, items, admin, health):
        app.include_router(routes.router)
    # Each is put around those before it.
    if answers is not None:
        app.add_middleware(Idempotency, answers=answers)
    app.add_middleware(BodyLimit)
    rates = RateLimits(settings.rate, settings.burst, workers=settings.workers) if settings.rate else None
    app.add_middleware(Door, keys=services.security.keys, shedder=app.state.shedder, rates=rates)
    if provider is not None:
        app.add_middleware(Tracing, provider=provider)
    app.add_middleware(Envelope, models=models, metrics=metrics)
    _describe_problems(app)
    return app


def _watch(services: Services) -> None:
    ranking = services.ranking
    services.metrics.watch_gauge("recsys_ranking_running", "Lists being ranked.", lambda: ranking.running)
    services.metrics.watch_gauge("recsys_ranking_waiting", "Lists waiting to be ranked.", lambda: ranking.waiting)


@asynccontextmanager
async def _lifespan(_: FastAPI, *, services: Services, settings: ServiceSettings) -> AsyncIterator[None]:
    drain_on_signals(services.drain, settings.drain_s)
    services.restyler.warm_up()
    keys_every_s = min(settings.refresh_s, KEYS_EVERY_S)
    tasks = [
        asyncio.create_task(services.security.keys.watch(keys_every_s)),
        asyncio.create_task(services.metrics.keep_sampling()),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    services.ranking.close()


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
