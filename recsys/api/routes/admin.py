"""Routes of operators, for keys with the scope admin."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from recsys.api.auth.security import require
from recsys.api.overload.drain import Drain
from recsys.api.problems.answers import ProblemError, problem_responses
from recsys.api.problems.types import MISSING_KEY, MISSING_SCOPE, MODEL_REJECTED
from recsys.api.routes.common import NoQuery
from recsys.api.schemas.admin import Activated, Draining, Model, ModelList, RejectedModel
from recsys.api.services import Served, Services
from recsys.bundle.versions import versions
from recsys.errors import BundleError
from recsys.schema import Scope

Version = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Version from /v1/models.")]

router = APIRouter(prefix="/v1", tags=["admin"], dependencies=[Depends(require(Scope.ADMIN))])


@router.get("/models", summary="List the models", responses=problem_responses(MISSING_KEY, MISSING_SCOPE))
async def models(_: NoQuery, services: Served) -> ModelList:
    """Return the bundles on disk, newest first, with their sizes and metrics, and the one that is served."""
    bundles = await run_in_threadpool(versions, services.live.project.bundles)
    rejected = None if services.host is None else services.host.rejection
    return ModelList(
        models=[
            Model(
                version=version.version,
                created_at=version.created,
                users=version.counts.get("users", 0),
                items=version.counts.get("items", 0),
                metrics=dict(version.metrics),
                current=version.current,
                serving=version.version == services.recommender.version,
            )
            for version in bundles
        ],
        rejected=None
        if rejected is None
        else RejectedModel(version=rejected.version, reason=_strip_folders(rejected.reason, services)),
    )


@router.post(
    "/admin/models/{version}:activate",
    summary="Activate a model",
    responses=problem_responses(MISSING_KEY, MISSING_SCOPE, MODEL_REJECTED),
)
async def activate(version: Version, _: NoQuery, services: Served) -> Activated:
    """Verify a bundle, warm it up with recent requests, and serve it in all processes.

    The swap happens between two requests. If the bundle fails a check, the current one keeps serving.
    """
    if services.host is None:
        raise ProblemError(MODEL_REJECTED, "This process serves one model permanently.")
    try:
        served = await run_in_threadpool(services.host.activate, version)
    except BundleError as error:
        raise ProblemError(MODEL_REJECTED, f"{_strip_folders(str(error), services)}.") from None
    return Activated(model_version=served.version)


@router.post(
    "/admin:drain",
    summary="Drain and stop",
    status_code=202,
    response_model=Draining,
    responses=problem_responses(MISSING_KEY, MISSING_SCOPE),
)
async def drain(_: NoQuery, services: Served) -> JSONResponse:
    """Stop being ready, answer the requests in flight, then end all processes with exit code 0."""
    services.drain.begin()
    answer = Draining(status="draining").model_dump()
    # Stop only after the answer was sent.
    return JSONResponse(answer, 202, background=BackgroundTask(_stop, services.drain))


def _strip_folders(reason: str, services: Services) -> str:
    """Return a reason without folders of the server."""
    return reason.replace(f"{services.live.project.bundles}/", "")


async def _stop(drain: Drain) -> None:
    # A coroutine runs on the event loop, unlike a function, so it comes before the next request.
    drain.request()
