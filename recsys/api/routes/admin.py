"""What runs the service: it needs a key with the scope admin."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse

from recsys.api.drain import Drain
from recsys.api.problem_types import MISSING_KEY, MISSING_SCOPE
from recsys.api.problems import problem_responses
from recsys.api.routes.common import NoQuery
from recsys.api.schemas import Draining
from recsys.api.security import require
from recsys.api.services import Served
from recsys.schema import Scope

router = APIRouter(prefix="/v1", tags=["admin"], dependencies=[Depends(require(Scope.ADMIN))])


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


async def _stop(drain: Drain) -> None:
    # Not on a thread, as a plain function would be: the answer to the next request comes after this.
    drain.request()
