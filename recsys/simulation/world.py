"""Simulator of an experiment's course: visits, arms, lists and responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recsys.errors import ConfigError
from recsys.experiments.design.overrides import NO_OVERRIDES, Overrides
from recsys.ranked import NO_ROW
from recsys.schema import EventKind, IntArray, ItemId
from recsys.simulation.behavior import BehaviorParams, Draws, Responses, Scene, respond
from recsys.simulation.clicks import ClickModel, PositionBased
from recsys.simulation.lists import Lists, Shown
from recsys.simulation.people import People, Visits, closeness
from recsys.simulation.tastes import Tastes, Values

_USUAL = BehaviorParams()


@dataclass(frozen=True, slots=True)
class Service:
    """Way to serve. `overrides`: what the arm sets. `lift`: planted, of the attraction of whatever it shows."""

    overrides: Overrides = NO_OVERRIDES
    lift: float = 0.0

    def __post_init__(self) -> None:
        if not -1.0 < self.lift < np.inf:
            raise ConfigError(f"a planted lift is {self.lift}: give a number above -1")


AS_IT_IS = Service()


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Trace of V visits. `service` (V,): which of the services; `shown` (V,): the answers; `rows` (V, K):
    their items, NO_ROW where there is none; `acts`: what people did.
    """

    visits: Visits
    service: IntArray
    shown: tuple[Shown, ...]
    rows: IntArray
    acts: Responses


@dataclass(frozen=True, slots=True, eq=False)
class Simulator:
    """Simulator: users, their visits and their behavior.

    `remembers`: what somebody has clicked, put into the cart or bought is told to the pipeline at the next visit, as
    the service counts events at once; else lists stay as the bundle has them, which takes one list for each taste and
    service, however many visits there are. Neither fades with time here.
    """

    lists: Lists
    tastes: Tastes
    people: People
    visits: Visits
    model: ClickModel = field(default_factory=PositionBased)
    habits: BehaviorParams = _USUAL
    remembers: bool = True

    def live(self, services: Sequence[Service], service: IntArray, draws: Draws) -> Trace:
        """Simulate the visits; visit v is served by `services[service[v]]`; the same draws, the same events."""
        if not self.remembers:
            shown = self._all_shown(services, service)
            rows, scene = self.scene(services, service, shown, np.arange(len(self.visits)))
            return Trace(self.visits, service, shown, rows, respond(scene, draws, self.model, self.habits))
        return self._remembering(services, service, draws)

    def _all_shown(self, services: Sequence[Service], service: IntArray) -> tuple[Shown, ...]:
        """One answer for each taste and service, and for each visit where something is drawn anew."""
        drawn = [one.overrides.over(self.lists.base).exploration for one in services]
        kept: dict[tuple[int, int, int], Shown] = {}
        found = []
        tastes = self.people.taste[self.visits.person].tolist()
        for taste, code, number in zip(tastes, service.tolist(), self.visits.number.tolist(), strict=True):
            key = (taste, code, number if drawn[code] else 0)
            if key not in kept:
                own = services[code].overrides
                kept[key] = self.lists.shown(self.tastes.accounts[taste], self.tastes.past[taste], own, str(key[2]))
            found.append(kept[key])
        return tuple(found)

    def _remembering(self, services: Sequence[Service], service: IntArray, draws: Draws) -> Trace:
        """Round by round: everybody's first visit, then everybody's second one, which may depend on the first."""
        visits, memory = self.visits, [dict(self.tastes.past[taste]) for taste in self.people.taste.tolist()]
        order = np.argsort(visits.number, kind="stable")
        rounds = np.split(order, np.flatnonzero(np.diff(visits.number[order])) + 1) if len(order) else []
        shown: list[Shown | None] = [None] * len(visits)
        parts = []
        for round_ in rounds:
            answers = []
            for visit in round_.tolist():
                person = int(visits.person[visit])
                account = self.tastes.accounts[int(self.people.taste[person])]
                refresh, overrides = str(visits.number[visit]), services[int(service[visit])].overrides
                answers.append(self.lists.shown(account, memory[person], overrides, refresh))
                shown[visit] = answers[-1]
            rows, scene = self.scene(services, service[round_], answers, round_)
            acts = respond(scene, draws.take(round_), self.model, self.habits)
            parts.append((rows, acts))
            self._remember(memory, visits.person[round_], rows, acts)
        back = np.argsort(np.concatenate(rounds)) if rounds else np.zeros(0, dtype=np.int64)
        rows = np.concatenate([rows for rows, _ in parts])[back]
        acts = Responses(
            *(np.concatenate([getattr(part, name) for _, part in parts])[back] for name in Responses.__slots__)
        )
        return Trace(visits, service, tuple(one for one in shown if one is not None), rows, acts)

    def _remember(self, memory: list[dict[ItemId, float]], person: IntArray, rows: IntArray, acts: Responses) -> None:
        weights, ids = self.lists.bundle.settings.events, self.lists.bundle.catalog.ids
        for done, kind in (
            (acts.clicked, EventKind.CLICK),
            (acts.carted, EventKind.CART),
            (acts.bought, EventKind.PURCHASE),
        ):
            for visit, place in zip(*np.nonzero(done), strict=True):
                own, (item,) = memory[int(person[visit])], ids.ids(rows[visit, place : place + 1])
                own[item] = own.get(item, 0.0) + weights.weight(kind)

    def scene(
        self,
        services: Sequence[Service],
        service: IntArray,
        shown: Sequence[Shown],
        visits: IntArray,
        rows: IntArray | None = None,
    ) -> tuple[IntArray, Scene]:
        """Return the lists that these visits (n,) meet, and their items (n, K): of the answers, or other `rows` in
        their place.
        """
        if rows is None:
            rows = np.stack([one.rows for one in shown]) if shown else np.zeros((0, self.lists.places), dtype=np.int64)
        person = self.visits.person[visits]
        taste, there, catalog = self.people.taste[person], rows != NO_ROW, self.lists.bundle.catalog
        safe = np.where(there, rows, 0)
        picture, close = self._pictures(shown, taste, self.people.liked_strength[person])
        return rows, Scene(
            relevance=np.where(there, self.tastes.relevance[taste[:, None], safe], 0.0).astype(np.float64),
            prices=np.where(there, catalog.prices[safe], 0.0).astype(np.float64),
            buyable=np.asarray(there & catalog.available[safe]),
            there=there,
            picture=picture,
            planted=np.array([one.lift for one in services], dtype=np.float64)[service],
            close=close,
        )

    def _pictures(self, shown: Sequence[Shown], taste: IntArray, liked: Values) -> tuple[Values, Values]:
        """The factor of attraction by pictures, and how right they are (NaN: photos as they are), (n,) each."""
        strength = np.array([one.strength for one in shown], dtype=np.float64)
        cosines: dict[tuple[int, int], float] = {}
        fit = np.zeros(len(shown))
        for place, (one, own) in enumerate(zip(shown, taste.tolist(), strict=True)):
            if one.strength > 0 and one.direction is not None:
                key = (id(one), own)
                if key not in cosines:
                    cosines[key] = _cosine(self.tastes.looks[own], one.direction)
                fit[place] = cosines[key]
        close = closeness(strength, liked)
        picture = 1.0 + self.habits.appeal * fit * (close - closeness(0.0, liked))
        return np.asarray(picture), np.asarray(np.where(strength > 0, fit * close, np.nan))


def _cosine(looks: np.ndarray, direction: np.ndarray) -> float:
    """The largest cosine of a direction (D,) with liked looks (M, D), 0 at least."""
    length = float(np.linalg.norm(direction))
    return max(float((looks @ direction).max()) / length, 0.0) if length > 0 else 0.0


def services_of(overrides: Mapping[str, Overrides], planted: Mapping[str, float]) -> dict[str, Service]:
    """Return the services of arms by name, with planted lifts. Raises ConfigError for a lift of an arm there is not."""
    for arm in planted:
        if arm not in overrides:
            raise ConfigError(f"planted: there is no arm {arm!r}; there are {', '.join(overrides)}")
    return {arm: Service(own, planted.get(arm, 0.0)) for arm, own in overrides.items()}
