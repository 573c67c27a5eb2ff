"""Interleaving with simulated users: the rankings of two arms in one list, and the lists needed to find the better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.errors import DataError
from recsys.experiments.analysis.interleaving import Outcome, Team, interleave, outcome_of
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.moments import JointMoments, Moments
from recsys.ranked import NO_ROW
from recsys.schema import IntArray
from recsys.simulation.activity import Values
from recsys.simulation.behavior import Draws, respond
from recsys.simulation.lists import ServedList
from recsys.simulation.run import OUTSIDE, Run, counterfactual
from recsys.simulation.simulator import Service

POWER_FACTOR = 1.959963984540054 + 0.8416212335729143
"""Effect in standard errors that is found at 5 %, two-sided, with a power of 80 %."""


@dataclass(frozen=True, slots=True, eq=False)
class Interleaving:
    """Result of interleaving V lists.

    Attributes:
        lists: Number of lists V.
        users: Code of the user of each list (V,).
        winners: 1 if more of the control's items were clicked, -1 if more of the treatment's, else 0 (V,).
        outcome: Result by users; the control is `a`.
    """

    lists: int
    users: IntArray
    winners: Values
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RequiredLists:
    """Lists needed to find the better ranker with a power of 80 % at 5 %, for a fixed number of users."""

    interleaving: float
    ab: float

    @property
    def ratio(self) -> float:
        """Ratio of lists, A/B test to interleaving."""
        return self.ab / self.interleaving


def interleave_run(run: Run, treatment: str, seed: int = 0) -> Interleaving:
    """Serve the visits of a run's users in the experiment with team drafts of the control and `treatment`.

    Both rankings are those of the bundle, without later clicks. Images are the control's.

    Raises:
        DataError: No user of the experiment visits.
    """
    simulator, plan = run.simulator, run.plan
    during = np.flatnonzero((simulator.visits.time >= plan.start) & (run.arm[simulator.visits.user] != OUTSIDE))
    if not len(during):
        raise DataError("no user of the experiment visits in these days; simulate more users or days")
    control, other = (run.services[1 + run.arms.index(name)] for name in (run.experiment.control, treatment))

    def serve(taste: int, service: Service) -> ServedList:
        accounts, past = simulator.tastes.accounts, simulator.tastes.past
        return simulator.lists.serve(accounts[taste], past[taste], service.overrides)

    taste = simulator.users.taste[simulator.visits.user[during]].tolist()
    pairs = {own: (serve(own, control), serve(own, other)) for own in set(taste)}
    drafts = [_draft(pairs[own], seed, visit) for own, visit in zip(taste, during.tolist(), strict=True)]
    rows, teams = (np.array([draft[part] for draft in drafts], dtype=np.int64) for part in (0, 1))
    lists = [pairs[own][0] for own in taste]
    service = np.zeros(len(during), dtype=np.int64)
    _, seen = simulator.visit_lists([Service(control.overrides)], service, lists, during, rows)
    draws = Draws.from_seed(len(simulator.visits), simulator.lists.length, plan.seed, 1 + seed).take(during)
    clicked = respond(seen, draws, simulator.model, simulator.behavior).clicked
    winners = np.sign((clicked * teams).sum(axis=1)).astype(np.float64)
    user = np.unique(simulator.visits.user[during], return_inverse=True)[1].astype(np.int64)
    return Interleaving(len(during), user, winners, outcome_of(user, winners))


def required_lists(run: Run, treatment: str, found: Interleaving) -> RequiredLists:
    """Compute the lists that an A/B test by click-through rate and interleaving need to tell two rankers apart.

    The A/B test's effect is the true one, of all users in both arms; its error is that of half of the users in each.

    Raises:
        DataError: Either way shows no difference at all.
    """
    sums = {name: counterfactual(run, name)[MetricName.CTR] for name in (run.experiment.control, treatment)}
    arms = {}
    for name, (clicks, impressions) in sums.items():
        visited = impressions > 0
        arms[name] = JointMoments.from_columns(clicks[visited], impressions[visited]).ratio().marginal()
    effect = arms[treatment].mean - arms[run.experiment.control].mean
    error = sum(2.0 * one.variance_of_mean for one in arms.values()) ** 0.5
    means = np.bincount(found.users, weights=found.winners) / np.bincount(found.users)
    preference = Moments.from_values(means)
    if effect == 0.0 or preference.mean == 0.0:
        raise DataError(f"{treatment} and the control do not differ: no number of lists is enough")
    lists = float(found.lists)
    return RequiredLists(
        interleaving=lists * POWER_FACTOR**2 * preference.variance_of_mean / preference.mean**2,
        ab=lists * (POWER_FACTOR * error / effect) ** 2,
    )


def _draft(pair: tuple[ServedList, ServedList], seed: int, visit: int) -> tuple[list[int], list[int]]:
    """Return rows and teams: 1 control, -1 treatment, 0 neither. NO_ROW fills up the list."""
    a, b = ([str(row) for row in one.rows.tolist() if row != NO_ROW] for one in pair)
    length = len(pair[0].rows)
    drafted = interleave(a, b, length, seed, "simulation", visit)
    rows = [int(row) for row in drafted.items]
    teams = [{Team.A: 1, Team.B: -1, Team.NONE: 0}[team] for team in drafted.teams]
    missing = length - len(rows)
    return rows + [NO_ROW] * missing, teams + [0] * missing
