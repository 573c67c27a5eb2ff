"""Run of an experiment on users with hidden tastes: assigned like in the service, with a known truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError
from recsys.experiments.analysis.unit_table import BEFORE_DAYS
from recsys.experiments.design.definition import Experiment, Status, UnitKind
from recsys.experiments.design.exposure import check_trigger
from recsys.experiments.design.lifecycle import start as started
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.design.registry import ExperimentSet, Identity
from recsys.experiments.design.targeting import Context
from recsys.schema import BoolArray, IntArray
from recsys.simulation.behavior import BehaviorParams, Draws
from recsys.simulation.clicks import ClickModel, PositionBased
from recsys.simulation.lists import Lists
from recsys.simulation.measures import mean_of, sums_of, variety_of
from recsys.simulation.people import draw_people, draw_visits
from recsys.simulation.tastes import Tastes, Values
from recsys.simulation.world import AS_IT_IS, Service, Simulator, Trace, services_of

OUTSIDE = -1


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a simulation. `days` from `start` (seconds since 1970 UTC, a midnight) on, after `before` days on which
    nobody is in the experiment. `users`: None for each taste once. `planted`: lifts of attraction by arm.
    """

    start: int
    days: int = 28
    users: int | None = None
    seed: int = 0
    before: int = BEFORE_DAYS
    remembers: bool = True
    planted: Mapping[str, float] = field(default_factory=dict)
    model: ClickModel = field(default_factory=PositionBased)
    habits: BehaviorParams = field(default_factory=BehaviorParams)

    @property
    def end(self) -> int:
        """First second after the last day, since 1970 UTC."""
        return self.start + self.days * SECONDS_PER_DAY


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Simulated experiment. `arms`: names; `arm` (P,): codes of these, OUTSIDE for people in none; `exposed` (V,):
    visits at which the arms differ, of people with an arm, since the start.
    """

    experiment: Experiment
    plan: Plan
    world: Simulator
    arms: tuple[str, ...]
    services: tuple[Service, ...]
    arm: IntArray
    story: Trace
    exposed: BoolArray


@dataclass(frozen=True, slots=True)
class Truth:
    """True effect of an arm on a metric: the means of the same users on the same days in both arms, and
    `lift`, arm / control - 1, with its `error` (standard error of the simulation, 0 where nothing is random).
    """

    metric: MetricName
    arm: str
    control_mean: float
    arm_mean: float
    lift: float
    error: float


def run_experiment(experiment: Experiment, lists: Lists, tastes: Tastes, plan: Plan) -> Run:
    """Run an experiment from its start on, whatever its status was; nothing is written anywhere.

    Raises ConfigError for an experiment of sessions, a planted lift of an arm that it does not have, and a start that
    is no midnight.
    """
    if experiment.unit is not UnitKind.USER:
        raise ConfigError(f"{experiment.key}: its unit is {experiment.unit}; the simulator has users alone")
    if plan.start % SECONDS_PER_DAY:
        raise ConfigError(f"start is {plan.start}: give midnight of a day (UTC), in seconds since 1970")
    fresh = restart(experiment, plan.start)
    people = draw_people(tastes, plan.users, plan.seed)
    begin = plan.start - plan.before * SECONDS_PER_DAY
    visits = draw_visits(people, begin, plan.before + plan.days, plan.seed)
    world = Simulator(lists, tastes, people, visits, plan.model, plan.habits, plan.remembers)
    by_name = services_of({name: arm.overrides for name, arm in fresh.arms.items()}, plan.planted)
    arms = tuple(sorted(by_name))
    services = (AS_IT_IS, *(by_name[name] for name in arms))
    arm = _assigned(fresh, world, arms)
    story = _story(world, services, arm, plan, 0)
    return Run(fresh, plan, world, arms, services, arm, story, _exposed(fresh, story, arm, plan))


def truths(run: Run, metrics: tuple[MetricName, ...] = tuple(MetricName), replicates: int = 5) -> list[Truth]:
    """Compute the true effects by the counterfactual: all users of the experiment in each arm.

    Both arms have the same people, visits and draws (common random numbers), so that the lift is known far better than
    any experiment could know it. `replicates` courses of events after the same past are averaged; the first one has the
    run's own draws. Raises ConfigError for fewer than 1.
    """
    if replicates < 1:
        raise ConfigError(f"replicates is {replicates}: give 1 or more")
    variety = MetricName.STYLE_DIVERSITY in metrics
    means: dict[tuple[MetricName, str], list[float]] = {}
    for replicate in range(replicates):
        for name in run.arms:
            for metric, sums in counterfactual(run, name, replicate, variety=variety).items():
                means.setdefault((metric, name), []).append(mean_of(sums))
    control = run.experiment.control
    return [
        _truth(metric, name, np.array(means[metric, control]), np.array(means[metric, name]))
        for metric in metrics
        for name in run.experiment.other_arms
    ]


def counterfactual(
    run: Run, arm: str, replicate: int = 0, *, variety: bool = False
) -> dict[MetricName, tuple[Values, Values]]:
    """Return sums of each metric for each user (P,), as `measures.sums_of`, had everybody of the experiment been in
    `arm`.

    `variety`: also of the looks in lists, which takes longer.
    """
    everybody = np.where(run.arm == OUTSIDE, OUTSIDE, run.arms.index(arm))
    story = _story(run.world, run.services, everybody, run.plan, replicate)
    where = _exposed(run.experiment, story, everybody, run.plan)
    varied = variety_of(story.rows, run.world.lists.bundle.space.vectors) if variety else None
    return sums_of(story, where, len(run.world.people), varied)


def restart(experiment: Experiment, at: int) -> Experiment:
    """Return the same definition, started at `at` as if it never had been."""
    anew = {"status": Status.DRAFT, "started_at": None, "stopped_at": None, "history": ()}
    return started(experiment.model_copy(update=anew), at)


def _assigned(experiment: Experiment, world: Simulator, arms: tuple[str, ...]) -> IntArray:
    """Arm codes of all people (P,) by the service's own assignment; whether somebody is known is as of the start."""
    loaded, people = ExperimentSet.from_experiments([experiment]), world.people
    found = []
    for unit, taste in zip(people.ids, people.taste.tolist(), strict=True):
        context = Context(known_user=world.tastes.known(taste))
        arm = loaded.assign(Identity(user=unit), context)[experiment.key].arm
        found.append(OUTSIDE if arm is None else arms.index(arm))
    return np.array(found, dtype=np.int64)


def _story(world: Simulator, services: tuple[Service, ...], arm: IntArray, plan: Plan, replicate: int) -> Trace:
    """Everybody in their arm from the start on, and served as always before."""
    during = world.visits.time >= plan.start
    service = np.where(during, arm[world.visits.person], OUTSIDE) + 1
    past = Draws.from_seed(len(world.visits), world.lists.places, plan.seed)
    own = past if replicate == 0 else Draws.from_seed(len(world.visits), world.lists.places, plan.seed, replicate)
    return world.live(services, service, own.where(during, past))


def _exposed(experiment: Experiment, story: Trace, arm: IntArray, plan: Plan) -> BoolArray:
    kept: dict[tuple[bool, bool], bool] = {}
    found = np.zeros(len(story.visits), dtype=np.bool_)
    inside = (story.visits.time >= plan.start) & (arm[story.visits.person] != OUTSIDE)
    for visit in np.flatnonzero(inside).tolist():
        occasion = story.shown[visit].occasion
        key = (occasion.taste, occasion.personal)
        if key not in kept:
            # What was planted is a difference that no override tells.
            kept[key] = check_trigger(experiment, occasion).matters or any(plan.planted.values())
        found[visit] = kept[key]
    return found


def _truth(metric: MetricName, treatment: str, control: np.ndarray, treated: np.ndarray) -> Truth:
    lifts = treated / control - 1.0
    error = float(lifts.std(ddof=1) / len(lifts) ** 0.5) if len(lifts) > 1 else float("nan")
    lift = float(treated.mean() / control.mean() - 1.0)
    return Truth(metric, treatment, float(control.mean()), float(treated.mean()), lift, error)
