"""Routes of health, metrics and problem types. They need no key."""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from recsys.api.metrics import MEDIA_TYPE
from recsys.api.problems.answers import ProblemError, problem_responses
from recsys.api.problems.types import DRAINING, NO_SUCH_PATH, PROBLEM_TYPES, ProblemType
from recsys.api.routes.common import NoQuery
from recsys.api.schemas.admin import Access, Live, ProblemExplanation, Ready
from recsys.api.services import Served

router = APIRouter()


@router.get("/livez", tags=["health"], summary="Check liveness", responses=problem_responses())
async def live(_: NoQuery) -> Live:
    """Return `alive`; no answer means that the process is stuck."""
    return Live(status="alive")


@router.get("/readyz", tags=["health"], summary="Check readiness", responses=problem_responses(DRAINING))
async def ready(_: NoQuery, services: Served) -> Ready:
    """Return the served model, whether keys are needed, and whether images are restyled.

    A service that drains is not ready.
    """
    if services.drain.draining:
        raise ProblemError(DRAINING, "")
    engine = services.restyler.settings.engine
    broken = services.restyler.fault() is not None
    return Ready(
        status="ready",
        model_version=services.recommender.version,
        access=Access.OPEN if services.security.is_open else Access.API_KEY,
        links_survive_restart=services.security.links_survive_restart,
        restyling=f"originals are served: {engine} cannot be loaded, see the log" if broken else "ok",
    )


@router.get(
    "/metrics",
    tags=["health"],
    summary="Get metrics",
    response_class=Response,
    responses={
        200: {"description": "Metrics of all workers.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problem_responses(),
    },
)
async def metrics(_: NoQuery, services: Served) -> Response:
    """Return latencies, rejections, images, queues and the model's version in the text format of Prometheus.

    The metrics contain no user, key or item, so they need no key; a proxy can restrict access.
    """
    return Response(await run_in_threadpool(services.metrics.exposition), headers={"Content-Type": MEDIA_TYPE})


@router.get("/problems", tags=["problems"], summary="List the types of problems", responses=problem_responses())
async def problems(_: NoQuery) -> list[ProblemExplanation]:
    """Return the types of problems, each with its meaning and its cure."""
    return [_explain(kind) for kind in PROBLEM_TYPES]


@router.get(
    "/problems/{slug}", tags=["problems"], summary="Get a type of problem", responses=problem_responses(NO_SUCH_PATH)
)
async def problem(slug: str, _: NoQuery) -> ProblemExplanation:
    """Return the explanation to which the `type` of a problem points."""
    for kind in PROBLEM_TYPES:
        if kind.slug == slug:
            return _explain(kind)
    raise HTTPException(404)


def _explain(kind: ProblemType) -> ProblemExplanation:
    return ProblemExplanation(type=kind.uri, title=kind.title, status=kind.status, meaning=kind.meaning, cure=kind.cure)
