"""Whether the service lives and is ready, its metrics, and what its problems mean. None of it needs a key."""

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


@router.get("/livez", tags=["health"], summary="Does the process answer?", responses=problem_responses())
async def live(_: NoQuery) -> Live:
    """Always `alive`; no answer means that the process is stuck."""
    return Live(status="alive")


@router.get("/readyz", tags=["health"], summary="Can it serve, and how well?", responses=problem_responses(DRAINING))
async def ready(_: NoQuery, services: Served) -> Ready:
    """Which model serves, who may ask, and whether pictures are restyled or served as they are.

    A service that is about to stop is not ready.
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
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"description": "The numbers of all workers.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problem_responses(),
    },
)
async def metrics(_: NoQuery, services: Served) -> Response:
    """Latencies, refusals, pictures, queues and the model's version, in Prometheus's text format.

    It needs no key, as it names no person, key or item; a proxy can keep it inside.
    """
    return Response(await run_in_threadpool(services.metrics.exposition), headers={"Content-Type": MEDIA_TYPE})


@router.get("/problems", tags=["problems"], summary="All types of problems", responses=problem_responses())
async def problems(_: NoQuery) -> list[ProblemExplanation]:
    """Every type of problem that the service answers with: when it occurs, and the cure."""
    return [_explanation(kind) for kind in PROBLEM_TYPES]


@router.get(
    "/problems/{slug}", tags=["problems"], summary="One type of problem", responses=problem_responses(NO_SUCH_PATH)
)
async def problem(slug: str, _: NoQuery) -> ProblemExplanation:
    """What a problem's `type` points to."""
    for kind in PROBLEM_TYPES:
        if kind.slug == slug:
            return _explanation(kind)
    raise HTTPException(404)


def _explanation(kind: ProblemType) -> ProblemExplanation:
    return ProblemExplanation(type=kind.uri, title=kind.title, status=kind.status, meaning=kind.meaning, cure=kind.cure)
