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
from recsys.simulation.behavior import Draws, respond
from recsys.simulation.lists import Shown
from recsys.simulation.run import OUTSIDE, Run, counterfactual
from recsys.simulation.tastes import Values
from recsys.simulation.world import Service, Simulator

FOUND = 1.959963984540054 + 0.8416212335729143
"""Standard errors that an effect must have to be found at 5 %, two-sided, with a power of 80 %."""


@dataclass(frozen=True, slots=True, eq=False)
class Interleaving:
    """Result of interleaving. `lists` were shown; `people` (V,): codes of whose each was; `winners` (V,) in
    {-1, 0, 1}: 1 where more of the control's items were taken; `outcome`: by people, the control being `a`.
    """

    lists: int
    people: IntArray
    winners: Values
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Needed:
    """Lists to be shown until the better ranker is found with a power of 80 % at 5 %, by a fixed number of people."""

    interleaving: float
    ab: float

    @property
    def ratio(self) -> float:
        """Ratio of lists, A/B test to interleaving."""
        return self.ab / self.interleaving


def interleaved(run: Run, treatment: str, seed: int = 0) -> Interleaving:
    """Serve the visits of a run's days, of people in the experiment, with team drafts of the control and `treatment`.

    Both rankings are as the bundle has them for that person, whatever was clicked meanwhile; pictures are the
    control's. Raises DataError where nobody comes.
    """
    world, plan = run.world, run.plan
    during = np.flatnonzero((world.visits.time >= plan.start) & (run.arm[world.visits.person] != OUTSIDE))
    if not len(during):
        raise DataError("nobody of the experiment comes in these days; simulate more people or days")
    control, other = (run.services[1 + run.arms.index(name)] for name in (run.experiment.control, treatment))
    taste = world.people.taste[world.visits.person[during]].tolist()
    kept = {own: (_answer(world, own, control), _answer(world, own, other)) for own in set(taste)}
    drafts = [_draft(kept[own], seed, visit) for own, visit in zip(taste, during.tolist(), strict=True)]
    rows, teams = (np.array([draft[part] for draft in drafts], dtype=np.int64) for part in (0, 1))
    shown = [kept[own][0] for own in taste]
    service = np.zeros(len(during), dtype=np.int64)
    _, scene = world.scene([Service(control.overrides)], service, shown, during, rows)
    draws = Draws.from_seed(len(world.visits), world.lists.places, plan.seed, 1 + seed).take(during)
    clicked = respond(scene, draws, world.model, world.habits).clicked
    winners = np.sign((clicked * teams).sum(axis=1)).astype(np.float64)
    person = np.unique(world.visits.person[during], return_inverse=True)[1].astype(np.int64)
    return Interleaving(len(during), person, winners, outcome_of(person, winners))


def needed(run: Run, treatment: str, found: Interleaving) -> Needed:
    """Compute the lists that either way needs to tell the two rankers apart, the A/B test by click-through rate.

    The A/B's effect is the true one, of everybody in both arms, its error that of half of the people in each. Raises
    DataError where either shows no difference at all, so that nothing can be found.
    """
    sums = {name: counterfactual(run, name)[MetricName.CTR] for name in (run.experiment.control, treatment)}
    arms = {}
    for name, (clicks, shown) in sums.items():
        came = shown > 0
        arms[name] = JointMoments.from_columns(clicks[came], shown[came]).ratio().marginal()
    effect = arms[treatment].mean - arms[run.experiment.control].mean
    error = sum(2.0 * one.variance_of_mean for one in arms.values()) ** 0.5
    means = np.bincount(found.people, weights=found.winners) / np.bincount(found.people)
    preference = Moments.from_values(means)
    if effect == 0.0 or preference.mean == 0.0:
        raise DataError(f"{treatment} and the control make no difference, so that no number of lists will tell")
    lists = float(found.lists)
    return Needed(
        interleaving=lists * FOUND**2 * preference.variance_of_mean / preference.mean**2,
        ab=lists * (FOUND * error / effect) ** 2,
    )


def _answer(world: Simulator, taste: int, service: Service) -> Shown:
    return world.lists.shown(world.tastes.accounts[taste], world.tastes.past[taste], service.overrides)


def _draft(pair: tuple[Shown, Shown], seed: int, visit: int) -> tuple[list[int], list[int]]:
    """Rows, and whose they are: 1 the control's, -1 the treatment's, 0 nobody's; NO_ROW where the list ends."""
    a, b = ([str(row) for row in one.rows.tolist() if row != NO_ROW] for one in pair)
    places = len(pair[0].rows)
    drafted = interleave(a, b, places, seed, "simulation", visit)
    rows = [int(row) for row in drafted.items]
    teams = [{Team.A: 1, Team.B: -1, Team.NONE: 0}[team] for team in drafted.teams]
    missing = places - len(rows)
    return rows + [NO_ROW] * missing, teams + [0] * missing
