"""The service: `create_app` joins recommender, restyler, routes and limits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from recsys import __version__
from recsys.api.analysis_cache import AnalysisCache
from recsys.api.auth.security import Security
from recsys.api.lists.answer_cache import AnswerCache
from recsys.api.lists.cursors import Cursors
from recsys.api.maintenance import upkeep
from recsys.api.metrics import Metrics, metrics_directory
from recsys.api.middleware.body_limit import BodyLimit
from recsys.api.middleware.gatekeeper import Gatekeeper
from recsys.api.middleware.idempotency import Idempotency
from recsys.api.middleware.request_context import RequestContextMiddleware
from recsys.api.middleware.response_cache import ResponseCache
from recsys.api.middleware.tracing import Tracing
from recsys.api.model_source import FixedModel, Models
from recsys.api.openapi import describe
from recsys.api.overload.admission import RankingPool
from recsys.api.overload.drain import Drain, drain_on_signals
from recsys.api.overload.rates import RateLimits
from recsys.api.overload.shedding import Shedder
from recsys.api.problems.answers import install_problem_handlers
from recsys.api.routes import admin, events, experiments, health, items, recommendations, restyle, search
from recsys.api.routes import catalog as catalog
from recsys.api.routes import users as people
from recsys.api.services import Services
from recsys.ranking.recommender import Recommender
from recsys.restyling.policy import RestylePolicy
from recsys.restyling.renderer import Renderer
from recsys.serving.catalog_editor import CatalogEditor
from recsys.serving.experiments import LiveExperiments
from recsys.serving.live_store import LiveStore
from recsys.serving.model_host import ModelHost

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
    restyler: Renderer,
    live: LiveStore,
    *,
    security: Security | None = None,
    drain: Drain | None = None,
    provider: TracerProvider | None = None,
) -> FastAPI:
    """The service as an ASGI application; whoever made `restyler` and `live` closes them.

    `models`: one recommender for good, or what holds the present one; a `ModelHost` follows bundles and live items as
    long as the application runs. Settings are those of `live.project`. `security` comes from the environment and the
    database by default (see `Security.from_environment`); `drain` says how to stop; `provider` makes traces. Raises
    ConfigError where the environment is wrong.
    """
    if isinstance(models, Recommender):
        models = FixedModel(models)
    project = live.project
    settings = project.settings.service
    snapshot = models.current
    host = models if isinstance(models, ModelHost) else None
    security = security or Security.from_environment(os.environ, live.keys.active)
    metrics = Metrics(lambda: models.current.recommender.version, metrics_directory())
    services = Services(
        snapshot,
        restyler,
        project.settings.events,
        security,
        RankingPool(settings.ranking_threads, settings.max_waiting),
        metrics,
        drain or Drain(),
        live,
        CatalogEditor(project, live.items),
        RestylePolicy(project.settings, live.verdicts),
        Cursors(security.derived_key("cursors")),
        AnswerCache(settings.answers_mb * 2**20),
        ThreadPoolExecutor(1, thread_name_prefix="write"),
        ThreadPoolExecutor(1, thread_name_prefix="describe"),
        host,
        LiveExperiments(project.experiments, snapshot.recommender, host, settings.refresh_s),
        AnalysisCache(live),
    )
    _watch(services)
    app = FastAPI(
        title="style-recsys",
        version=__version__,
        description=DESCRIPTION,
        lifespan=_lifespan,
        # An id may end in a slash, hence a path with one is another path.
        redirect_slashes=False,
    )
    app.state.services = services
    metrics.watch_counter("recsys_lists_again", "Lists answered as before.", lambda: app.state.services.answers.hits)
    metrics.watch_counter("recsys_lists_made", "Lists that were made.", lambda: app.state.services.answers.misses)
    # For `SheddingProtocol`, which refuses before there is a request for the layers below.
    app.state.shedder, app.state.models = Shedder(services.ranking, metrics), models
    install_problem_handlers(app)
    # The last path of `items` takes any id, slashes included, so all longer paths have to come first.
    for routes in (recommendations, search, events, people, restyle, items, catalog, experiments, admin, health):
        app.include_router(routes.router)
    # Each is put around those before it.
    app.add_middleware(Idempotency, answers=live.answers)
    app.add_middleware(BodyLimit)
    app.add_middleware(ResponseCache)
    rates = RateLimits(settings.rate, settings.burst, workers=settings.workers) if settings.rate else None
    app.add_middleware(Gatekeeper, keys=services.security.keys, shedder=app.state.shedder, rates=rates)
    if provider is not None:
        app.add_middleware(Tracing, provider=provider)
    app.add_middleware(RequestContextMiddleware, models=models, metrics=metrics)
    describe(app, lambda: security.is_open)
    return app


def _watch(services: Services) -> None:
    ranking = services.ranking
    services.metrics.watch_gauge("recsys_ranking_running", "Lists being ranked.", lambda: ranking.running)
    services.metrics.watch_gauge("recsys_ranking_waiting", "Lists waiting to be ranked.", lambda: ranking.waiting)
    exposures = services.live.exposures
    services.metrics.watch_gauge("recsys_exposures_waiting", "Exposures to be written.", lambda: exposures.waiting)
    services.metrics.watch_counter("recsys_exposures_dropped", "Exposures that were lost.", lambda: exposures.dropped)
    host = services.host
    if host is not None:
        services.metrics.watch_counter("recsys_model_swaps", "Models and catalogs taken over.", lambda: host.swaps)
        services.metrics.watch_gauge(
            "recsys_model_refused", "1 while a bundle that was to serve is refused.", lambda: host.refused is not None
        )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    tasks = await _started(app.state.services)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    _stop(app.state.services)


async def _started(services: Services) -> list[asyncio.Task[None]]:
    """What runs beside requests. None of it may keep these services: with them the first model would never be freed."""
    settings = services.live.project.settings.service
    drain_on_signals(services.drain, settings.drain_s)
    # Loading a network takes the interpreter for seconds, which the first callers should not have to wait for.
    await run_in_threadpool(services.restyler.warm_up)
    await run_in_threadpool(services.choices.refresh)
    if services.host is not None:
        services.host.start()
    services.experiments.start()
    keys_every_s = min(settings.refresh_s, KEYS_EVERY_S)
    return [
        asyncio.create_task(services.security.keys.watch(keys_every_s)),
        asyncio.create_task(services.metrics.keep_sampling()),
        *upkeep(services.live, services.choices),
    ]


def _stop(services: Services) -> None:
    services.ranking.close()
    for executor in (services.writer, services.describer):
        executor.shutdown()
    services.experiments.close()
    if services.host is not None:
        services.host.close()
