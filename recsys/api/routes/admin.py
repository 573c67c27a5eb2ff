"""What runs the service: it needs a key with the scope admin."""

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

Version = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="A version of /v1/models.")]

router = APIRouter(prefix="/v1", tags=["admin"], dependencies=[Depends(require(Scope.ADMIN))])


@router.get("/models", summary="The models on disk", responses=problem_responses(MISSING_KEY, MISSING_SCOPE))
async def models(_: NoQuery, services: Served) -> ModelList:
    """All bundles, newest first: what they hold, what was measured of them, and which one is served."""
    found = await run_in_threadpool(versions, services.live.project.bundles)
    refused = None if services.host is None else services.host.refused
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
            for version in found
        ],
        rejected=None
        if refused is None
        else RejectedModel(version=refused.version, reason=_said(refused.reason, services)),
    )


@router.post(
    "/admin/models/{version}:activate",
    summary="Serve another model",
    responses=problem_responses(MISSING_KEY, MISSING_SCOPE, MODEL_REJECTED),
)
async def activate(version: Version, _: NoQuery, services: Served) -> Activated:
    """The bundle is checked, warmed up with requests of late, and takes over between two requests, in all processes.

    Where anything is wrong with it, the one that serves goes on.
    """
    if services.host is None:
        raise ProblemError(MODEL_REJECTED, "This process serves one model for good.")
    try:
        served = await run_in_threadpool(services.host.activate, version)
    except BundleError as error:
        raise ProblemError(MODEL_REJECTED, f"{_said(str(error), services)}.") from None
    return Activated(model_version=served.version)


@router.post(
    "/admin:drain",
    summary="Stop without losing a request",
    status_code=202,
    response_model=Draining,
    responses=problem_responses(MISSING_KEY, MISSING_SCOPE),
)
async def drain(_: NoQuery, services: Served) -> JSONResponse:
    """From now on the service is not ready; what is in flight is answered, then all its processes end with code 0."""
    services.drain.begin()
    answer = Draining(status="draining").model_dump()
    # Only once the answer is out, so that it gets through whatever stops the process.
    return JSONResponse(answer, 202, background=BackgroundTask(_stop, services.drain))


def _said(reason: str, services: Services) -> str:
    """What is wrong with a bundle, without the folders of the server."""
    return reason.replace(f"{services.live.project.bundles}/", "")


async def _stop(drain: Drain) -> None:
    # Not on a thread, as a plain function would be: the answer to the next request comes after this.
    drain.request()
