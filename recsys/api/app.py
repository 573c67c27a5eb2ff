"""Application: `create_app` joins recommender, renderer, live data, routes and middleware."""

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
from recsys.api.answer_cache import AnswerCache
from recsys.api.auth.security import Security
from recsys.api.cursors import Cursors
from recsys.api.maintenance import start_maintenance
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
from recsys.api.routes import (
    admin,
    catalog,
    events,
    experiments,
    health,
    items,
    recommendations,
    restyle,
    search,
    users,
)
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

KEYS_INTERVAL_S = 0.5
"""Longest interval between two reads of the API keys, even if bundles are polled less often."""

READERS = 16
"""Threads that read a database server for requests."""

DESCRIPTION = """Recommendations with style-aware ranking, with images restyled toward the taste of each user.

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
    """Build the service as an ASGI application. The caller closes `restyler` and `live`.

    Args:
        models: One recommender, served permanently, or a source of the current model. A `ModelHost` follows bundles
            and live items while the application runs.
        restyler: Renderer of restyled images.
        live: Live data of a project, whose settings apply.
        security: API keys and link key; by default from the environment and the database, see
            `Security.from_environment`.
        drain: How to stop the service.
        provider: Tracer provider, None for no traces.

    Raises:
        ConfigError: An environment variable is invalid.
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
        snapshot=snapshot,
        host=host,
        restyler=restyler,
        choices=RestylePolicy(project.settings, live.ratings),
        experiments=LiveExperiments(project.experiments, snapshot.recommender, host, settings.poll_interval_s),
        live=live,
        events=project.settings.events,
        editor=CatalogEditor(project, live.items),
        answers=AnswerCache(settings.answers_mb * 2**20),
        analyses=AnalysisCache(live),
        cursors=Cursors(security.derived_key("cursors")),
        security=security,
        metrics=metrics,
        ranking=RankingPool(settings.ranking_threads, settings.max_waiting),
        reader=ThreadPoolExecutor(READERS, thread_name_prefix="read"),
        writer=ThreadPoolExecutor(1, thread_name_prefix="write"),
        describer=ThreadPoolExecutor(1, thread_name_prefix="describe"),
        drain=drain or Drain(),
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
    metrics.watch_counter("recsys_lists_cached", "Lists from the cache.", lambda: app.state.services.answers.hits)
    metrics.watch_counter("recsys_lists_built", "Lists that were built.", lambda: app.state.services.answers.misses)
    # `SheddingProtocol` reads both, because it rejects requests before the middleware runs.
    app.state.shedder, app.state.models = Shedder(services.ranking, metrics), models
    install_problem_handlers(app)
    # The last path of `items` matches any id, with slashes, so longer paths come first.
    for routes in (recommendations, search, events, users, restyle, items, catalog, experiments, admin, health):
        app.include_router(routes.router)
    # Each one wraps those before it.
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
    """Add gauges and counters that other parts keep to the metrics."""
    metrics, ranking, exposures, host = services.metrics, services.ranking, services.live.exposures, services.host
    metrics.watch_gauge("recsys_ranking_running", "Lists being ranked.", lambda: ranking.running)
    metrics.watch_gauge("recsys_ranking_waiting", "Lists waiting to be ranked.", lambda: ranking.waiting)
    metrics.watch_gauge("recsys_exposures_waiting", "Exposures waiting to be written.", lambda: exposures.waiting)
    metrics.watch_counter("recsys_exposures_dropped", "Exposures that were lost.", lambda: exposures.dropped)
    if host is not None:
        metrics.watch_counter("recsys_model_swaps", "Swaps of the model or the catalog.", lambda: host.swaps)
        metrics.watch_gauge(
            "recsys_model_rejected",
            "1 while a bundle that should serve is rejected.",
            lambda: host.rejection is not None,
        )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    tasks = await _start(app.state.services)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # Read only now: holding the first services would keep the first model in memory.
    services: Services = app.state.services
    services.ranking.close()
    for executor in (services.reader, services.writer, services.describer):
        executor.shutdown()
    services.experiments.close()
    if services.host is not None:
        services.host.close()


async def _start(services: Services) -> list[asyncio.Task[None]]:
    """Start threads and tasks beside the requests.

    No task may hold these services: they would keep the first model in memory.
    """
    settings = services.live.project.settings.service
    drain_on_signals(services.drain, settings.drain_s)
    # Loading a network holds the interpreter for seconds, so it happens before the first request.
    await run_in_threadpool(services.restyler.warm_up)
    await run_in_threadpool(services.choices.reload)
    if services.host is not None:
        services.host.start()
    services.experiments.start()
    return [
        asyncio.create_task(services.security.keys.watch(min(settings.poll_interval_s, KEYS_INTERVAL_S))),
        asyncio.create_task(services.metrics.keep_sampling()),
        *start_maintenance(services.live, services.choices),
    ]
