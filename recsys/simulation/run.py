"""Run of an experiment on users with hidden tastes: assignment as in the service, and a known true effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recsys.clock import SECONDS_PER_DAY
from recsys.errors import ConfigError
from recsys.experiments.analysis.unit_table import BEFORE_DAYS
from recsys.experiments.design import lifecycle
from recsys.experiments.design.definition import Experiment, Looks, Status, UnitKind
from recsys.experiments.design.exposure import check_trigger
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.design.registry import ExperimentSet, Identity
from recsys.experiments.design.targeting import Context
from recsys.schema import BoolArray, IntArray
from recsys.simulation.activity import Values, draw_visits
from recsys.simulation.behavior import BehaviorParams, Draws
from recsys.simulation.clicks import ClickModel, PositionBased
from recsys.simulation.lists import Lists
from recsys.simulation.metrics import metric_mean, metric_sums, style_diversity
from recsys.simulation.simulator import DEFAULT_SERVICE, Service, Simulator, Trace, build_services
from recsys.simulation.tastes import Tastes
from recsys.simulation.users import draw_users

OUTSIDE = -1
"""Arm code of users who are not in the experiment."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a simulation.

    Attributes:
        start: Start of the experiment, a midnight (UTC), in seconds since 1970.
        days: Length of the experiment.
        users: Number of users, or None for each taste once.
        seed: Seed of users, visits and responses.
        days_before: Days before the start, on which all users get the default service.
        adaptive: True if lists react to events of the simulation.
        planted: Relative lifts of attraction by arm.
        model: Click model.
        behavior: Parameters of the behavior model.
    """

    start: int
    days: int = 28
    users: int | None = None
    seed: int = 0
    days_before: int = BEFORE_DAYS
    adaptive: bool = True
    planted: Mapping[str, float] = field(default_factory=dict)
    model: ClickModel = field(default_factory=PositionBased)
    behavior: BehaviorParams = field(default_factory=BehaviorParams)

    @property
    def end(self) -> int:
        """First second after the last day, since 1970 UTC."""
        return self.start + self.days * SECONDS_PER_DAY


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Simulated experiment.

    Attributes:
        experiment: Definition, as started.
        plan: Plan of the simulation.
        simulator: Users, visits and lists.
        arms: Names of the arms.
        services: Default service, then the service of each arm.
        arm: Arm code of each user (P,), OUTSIDE for users in none.
        trace: Visits and responses.
        exposed: True for visits since the start in which the arms differ, of users in an arm (V,).
    """

    experiment: Experiment
    plan: Plan
    simulator: Simulator
    arms: tuple[str, ...]
    services: tuple[Service, ...]
    arm: IntArray
    trace: Trace
    exposed: BoolArray


@dataclass(frozen=True, slots=True)
class Truth:
    """True effect of an arm on a metric: the means of the same users on the same days in both arms.

    `lift` is arm / control - 1, and `error` its standard error by simulation, 0 if nothing is random.
    """

    metric: MetricName
    arm: str
    control_mean: float
    arm_mean: float
    lift: float
    error: float


def run_experiment(experiment: Experiment, lists: Lists, tastes: Tastes, plan: Plan) -> Run:
    """Run an experiment of any status from its start on; nothing is written.

    A declared date, and the end of `fixed` monitoring, become the end of the simulation.

    Raises:
        ConfigError: The unit is the session, a lift is planted in an unknown arm, or the start is no midnight.
    """
    if experiment.unit is not UnitKind.USER:
        raise ConfigError(f"{experiment.key}: its unit is {experiment.unit}; the simulator has users only")
    if plan.start % SECONDS_PER_DAY:
        raise ConfigError(f"start is {plan.start}: give midnight of a day (UTC), in seconds since 1970")
    draft: dict[str, object] = {"status": Status.DRAFT, "started_at": None, "stopped_at": None, "history": ()}
    decision = experiment.decision
    if decision.looks is Looks.FIXED or decision.end_at is not None:
        draft["decision"] = decision.model_copy(update={"end_at": plan.end})
    fresh = lifecycle.start(experiment.model_copy(update=draft), plan.start)
    users = draw_users(tastes, plan.users, plan.seed)
    begin = plan.start - plan.days_before * SECONDS_PER_DAY
    visits = draw_visits(users.rate, begin, plan.days_before + plan.days, plan.seed)
    simulator = Simulator(lists, tastes, users, visits, plan.model, plan.behavior, plan.adaptive)
    by_name = build_services({name: arm.overrides for name, arm in fresh.arms.items()}, plan.planted)
    arms = tuple(sorted(by_name))
    services = (DEFAULT_SERVICE, *(by_name[name] for name in arms))
    arm = _assign(fresh, simulator, arms)
    trace = _simulate(simulator, services, arm, plan, 0)
    return Run(fresh, plan, simulator, arms, services, arm, trace, _exposures(fresh, trace, arm, plan))


def true_effects(run: Run, metrics: tuple[MetricName, ...] = tuple(MetricName), replicates: int = 5) -> list[Truth]:
    """Compute the true effects by the counterfactual: all users of the experiment in each arm.

    Both arms have the same users, visits and draws (common random numbers). The lift is hence known much better than
    by any experiment.

    Args:
        run: Simulated experiment.
        metrics: Metrics whose effects are wanted.
        replicates: Number of random courses after the same past to average; the first has the run's own draws.

    Raises:
        ConfigError: `replicates` is below 1.
    """
    if replicates < 1:
        raise ConfigError(f"replicates is {replicates}: give 1 or more")
    diversity = MetricName.STYLE_DIVERSITY in metrics
    means: dict[tuple[MetricName, str], list[float]] = {}
    for replicate in range(replicates):
        for name in run.arms:
            for metric, sums in counterfactual(run, name, replicate, diversity=diversity).items():
                means.setdefault((metric, name), []).append(metric_mean(sums))
    control = run.experiment.control
    return [
        _true_effect(metric, name, np.array(means[metric, control]), np.array(means[metric, name]))
        for metric in metrics
        for name in run.experiment.other_arms
    ]


def counterfactual(
    run: Run, arm: str, replicate: int = 0, *, diversity: bool = False
) -> dict[MetricName, tuple[Values, Values]]:
    """Return the sums of each metric for each user (P,), if all users of the experiment were in `arm`.

    The sums are those of `metric_sums`. `diversity` adds style diversity, which takes longer.
    """
    arms = np.where(run.arm == OUTSIDE, OUTSIDE, run.arms.index(arm))
    trace = _simulate(run.simulator, run.services, arms, run.plan, replicate)
    mask = _exposures(run.experiment, trace, arms, run.plan)
    values = style_diversity(trace.rows, run.simulator.lists.bundle.space.vectors) if diversity else None
    return metric_sums(trace, mask, len(run.simulator.users), values)


def _assign(experiment: Experiment, simulator: Simulator, arms: tuple[str, ...]) -> IntArray:
    """Return arm codes of all users (P,) by the service's own assignment; users are known or not as of the start."""
    loaded, users = ExperimentSet.from_experiments([experiment]), simulator.users
    codes = []
    for unit, taste in zip(users.ids, users.taste.tolist(), strict=True):
        context = Context(known_user=simulator.tastes.is_known(taste))
        arm = loaded.assign(Identity(user=unit), context)[experiment.key].arm
        codes.append(OUTSIDE if arm is None else arms.index(arm))
    return np.array(codes, dtype=np.int64)


def _simulate(simulator: Simulator, services: tuple[Service, ...], arm: IntArray, plan: Plan, replicate: int) -> Trace:
    """Simulate all users in their arms since the start, and with the default service before."""
    during = simulator.visits.time >= plan.start
    # OUTSIDE + 1 is the default service.
    service = np.where(during, arm[simulator.visits.user], OUTSIDE) + 1
    count, length = len(simulator.visits), simulator.lists.length
    past = Draws.from_seed(count, length, plan.seed)
    own = past if replicate == 0 else Draws.from_seed(count, length, plan.seed, replicate)
    return simulator.simulate(services, service, own.where(during, past))


def _exposures(experiment: Experiment, trace: Trace, arm: IntArray, plan: Plan) -> BoolArray:
    matters: dict[tuple[bool, bool], bool] = {}
    exposed = np.zeros(len(trace.visits), dtype=np.bool_)
    inside = (trace.visits.time >= plan.start) & (arm[trace.visits.user] != OUTSIDE)
    for visit in np.flatnonzero(inside).tolist():
        trigger = trace.lists[visit].trigger
        key = (trigger.taste, trigger.personal)
        if key not in matters:
            # A planted lift is a difference that overrides do not show.
            matters[key] = check_trigger(experiment, trigger).matters or any(plan.planted.values())
        exposed[visit] = matters[key]
    return exposed


def _true_effect(metric: MetricName, treatment: str, control: np.ndarray, treated: np.ndarray) -> Truth:
    lifts = treated / control - 1.0
    error = float(lifts.std(ddof=1) / len(lifts) ** 0.5) if len(lifts) > 1 else float("nan")
    lift = float(treated.mean() / control.mean() - 1.0)
    return Truth(metric, treatment, float(control.mean()), float(treated.mean()), lift, error)
