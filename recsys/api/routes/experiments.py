"""Routes of experiments: list, assignment and results; with the scope admin also to run them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from recsys.api.auth.security import require
from recsys.api.problems.answers import ProblemError, problem_responses
from recsys.api.problems.types import (
    EXPERIMENT_REJECTED,
    MALFORMED_JSON,
    MISSING_KEY,
    MISSING_SCOPE,
    NO_RESULTS,
    UNKNOWN_EXPERIMENT,
)
from recsys.api.routes.common import NoQuery
from recsys.api.schemas.experiment_plans import PlanRequest, PlanView
from recsys.api.schemas.experiments import (
    ArmView,
    AssignmentOptions,
    AssignmentView,
    ExperimentList,
    ExperimentView,
    NewExperiment,
    Ramp,
    Results,
)
from recsys.api.services import Served, Services
from recsys.clock import now
from recsys.errors import ConfigError, DataError, ExperimentError
from recsys.experiments.design import lifecycle
from recsys.experiments.design.assignment import Plan
from recsys.experiments.design.conflicts import find_conflict
from recsys.experiments.design.definition import Experiment, Status
from recsys.experiments.design.fields import NAME_PATTERN
from recsys.experiments.design.files import create_experiment, experiment_files, stop_experiment
from recsys.experiments.design.registry import Identity, change_without_conflict, load_experiments
from recsys.schema import Scope, UserId
from recsys.serving.experiment_arms import targeting_context
from recsys.serving.experiments import check_servable

Key = Annotated[str, Path(pattern=NAME_PATTERN, description="Key of an experiment.", examples=["milder-pictures"])]
_BODY = {
    "required": True,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewExperiment"}}},
}
_CHANGES = problem_responses(MISSING_KEY, MISSING_SCOPE, UNKNOWN_EXPERIMENT, EXPERIMENT_REJECTED)

router = APIRouter(prefix="/v1", tags=["experiments"])
_readers = [Depends(require(Scope.READ))]
_admins = [Depends(require(Scope.ADMIN))]


@router.get(
    "/experiments",
    summary="List the experiments",
    dependencies=_readers,
    responses=problem_responses(MISSING_KEY, MISSING_SCOPE),
)
async def experiments(_: NoQuery, services: Served) -> ExperimentList:
    """Return all experiments with status, coverage and arms, and the problems of their files."""
    loaded = services.experiments.registry.experiments
    problems = {key: _strip_folders(problem, services) for key, problem in services.experiments.problems.items()}
    return ExperimentList(experiments=[_view(one, services) for one in loaded.values()], problems=problems)


@router.get(
    "/experiments/{key}",
    summary="Get an experiment",
    dependencies=_readers,
    responses=problem_responses(MISSING_KEY, MISSING_SCOPE, UNKNOWN_EXPERIMENT),
)
async def experiment(key: Key, _: NoQuery, services: Served) -> ExperimentView:
    """Return an experiment with its status and arms."""
    return _view(_find(key, services), services)


@router.get(
    "/experiments/{key}/assignment",
    summary="Get an assignment",
    dependencies=_readers,
    responses=problem_responses(MISSING_KEY, MISSING_SCOPE, UNKNOWN_EXPERIMENT),
)
async def assignment(key: Key, options: Annotated[AssignmentOptions, Query()], services: Served) -> AssignmentView:
    """Return the arm of a unit and the reason. Nothing is logged. Lists assign arms on their own."""
    one = _find(key, services)
    known = options.known_user
    if known is None:
        user = options.user_id
        known = user is not None and services.knows_user(UserId(user), await services.state(user))
    context = targeting_context(
        frozenset(options.category), options.platform, options.country, options.language, known_user=known
    )
    identity = Identity(options.user_id, options.session_id)
    unit = identity.unit(one.unit) if options.unit is None else options.unit
    assigned = Plan.from_experiment(one).assign(unit, context)
    return AssignmentView(
        experiment=key,
        unit=one.unit,
        arm=assigned.arm,
        propensity=assigned.propensity,
        forced=assigned.forced,
        reason=assigned.reason,
        served=key in services.experiments.current.loaded.experiments,
    )


@router.get(
    "/experiments/{key}/results",
    summary="Get experiment results",
    dependencies=_admins,
    responses=problem_responses(MISSING_KEY, MISSING_SCOPE, UNKNOWN_EXPERIMENT, NO_RESULTS),
)
async def results(key: Key, _: NoQuery, services: Served) -> Results:
    """Return health checks, effects and a decision from the logs of the service, at most 30 s old."""
    one = _find(key, services)
    try:
        found = await services.analyses.analyze(
            one, services.recommender.bundle, tuple(services.experiments.registry.experiments.values())
        )
    except (ConfigError, DataError) as error:
        raise ProblemError(NO_RESULTS, f"{_strip_folders(str(error), services)}.") from None
    return Results.model_validate(found)


@router.post(
    "/experiments:plan",
    summary="Plan an experiment",
    dependencies=_admins,
    responses=problem_responses(MISSING_KEY, MISSING_SCOPE, NO_RESULTS, EXPERIMENT_REJECTED, MALFORMED_JSON),
)
async def plan(body: PlanRequest, _: NoQuery, services: Served) -> PlanView:
    """Return the units and days that an experiment needs, and the smallest effect that each day can find."""
    try:
        return PlanView.model_validate(await services.analyses.plan(body))
    except DataError as error:
        raise ProblemError(NO_RESULTS, f"{_strip_folders(str(error), services)}.") from None
    except ConfigError as error:
        raise ProblemError(EXPERIMENT_REJECTED, f"{_strip_folders(str(error), services)}.") from None


@router.post(
    "/admin/experiments",
    summary="Draft an experiment",
    status_code=201,
    dependencies=_admins,
    responses=problem_responses(MISSING_KEY, MISSING_SCOPE, EXPERIMENT_REJECTED, MALFORMED_JSON),
    openapi_extra={"requestBody": _BODY},
)
async def create(_: NoQuery, services: Served, request: Request) -> ExperimentView:
    """Create a draft; the body is the content of an experiment file as JSON. No unit is assigned before the start."""
    draft = NewExperiment.read(await request.body())
    folder = services.live.project.experiments

    def create_draft() -> None:
        for other in load_experiments(folder).experiments.values():
            if other.status is not Status.STOPPED and (problem := find_conflict(other, draft)) is not None:
                raise ExperimentError(f"{draft.key}: {problem}")
        create_experiment(folder, draft, now())

    await _apply(services, create_draft)
    return _view(_find(draft.key, services), services)


@router.post("/admin/experiments/{key}:start", summary="Start an experiment", dependencies=_admins, responses=_CHANGES)
async def start(key: Key, _: NoQuery, services: Served) -> ExperimentView:
    """Assign units from now on. The arms and the split of units are fixed from here."""
    project = services.live.project

    def start_draft(draft: Experiment) -> Experiment:
        check_servable(project, draft)
        return lifecycle.start(draft, now())

    _must_exist(key, services)
    await _apply(services, lambda: change_without_conflict(project.experiments, key, start_draft))
    return _view(_find(key, services), services)


@router.post(
    "/admin/experiments/{key}:ramp",
    summary="Ramp an experiment",
    dependencies=_admins,
    responses={**_CHANGES, **problem_responses(MALFORMED_JSON)},
)
async def ramp(key: Key, body: Ramp, _: NoQuery, services: Served) -> ExperimentView:
    """Expose more units. Units keep the arm that they have."""

    def ramp_one(found: Experiment) -> Experiment:
        return lifecycle.ramp(found, now(), coverage=body.coverage, segments=body.ranges)

    _must_exist(key, services)
    await _apply(services, lambda: change_without_conflict(services.live.project.experiments, key, ramp_one))
    return _view(_find(key, services), services)


@router.post("/admin/experiments/{key}:stop", summary="Stop an experiment", dependencies=_admins, responses=_CHANGES)
async def stop(key: Key, _: NoQuery, services: Served) -> ExperimentView:
    """End an experiment permanently: all processes serve without it within a second."""
    _must_exist(key, services)
    await _apply(services, lambda: stop_experiment(services.live.project.experiments, key, now()))
    return _view(_find(key, services), services)


async def _apply(services: Services, change: Callable[[], object]) -> None:
    """Change experiment files and reload them; other processes find the change within a second."""
    try:
        await services.write(change)
    except ConfigError as error:
        raise ProblemError(EXPERIMENT_REJECTED, f"{_strip_folders(str(error), services)}.") from None
    await run_in_threadpool(services.experiments.reload)


def _find(key: str, services: Services) -> Experiment:
    found = services.experiments.registry.experiments.get(key)
    if found is None:
        problem = services.experiments.problems.get(key)
        what = f"There is no experiment {key!r}." if problem is None else f"{_strip_folders(problem, services)}."
        raise ProblemError(UNKNOWN_EXPERIMENT, what)
    return found


def _must_exist(key: str, services: Services) -> None:
    """Raise ProblemError if no file has the key. Reads the folder, because another process may have just written it."""
    if key not in {path.stem for path in experiment_files(services.live.project.experiments)}:
        raise ProblemError(UNKNOWN_EXPERIMENT, f"There is no experiment {key!r}.")


def _view(one: Experiment, services: Services) -> ExperimentView:
    problem = services.experiments.problems.get(one.key)
    shares = one.shares
    return ExperimentView(
        key=one.key,
        title=one.title,
        hypothesis=one.hypothesis,
        unit=one.unit,
        status=one.status,
        coverage=one.coverage,
        started_at=one.started_at,
        stopped_at=one.stopped_at,
        control=one.control,
        arms={
            name: ArmView(
                share=shares[name],
                description=arm.description,
                overrides=arm.overrides.model_dump(mode="json", exclude_none=True),
            )
            for name, arm in one.arms.items()
        },
        metrics=[metric.name for metric in one.metrics],
        looks=one.decision.looks,
        end_at=one.decision.end_at,
        planned_units=one.decision.planned_units,
        alpha=one.decision.alpha,
        power=one.decision.power,
        minimal_effect=one.decision.minimal_effect,
        guardrails=[guardrail.metric for guardrail in one.guardrails],
        forced=len(one.forced),
        problem=None if problem is None else _strip_folders(problem, services),
    )


def _strip_folders(problem: str, services: Services) -> str:
    """Return a problem without folders of the server."""
    return problem.replace(f"{services.live.project.root}/", "")
