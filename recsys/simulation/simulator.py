"""Simulator of visits: arms, lists of the pipeline, and responses of users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recsys.errors import ConfigError
from recsys.experiments.design.overrides import NO_OVERRIDES, Overrides
from recsys.ranked import NO_ROW
from recsys.schema import EventKind, IntArray, ItemId
from recsys.simulation.activity import Values, Visits
from recsys.simulation.behavior import BehaviorParams, Draws, Responses, VisitLists, respond
from recsys.simulation.clicks import ClickModel, PositionBased
from recsys.simulation.lists import Lists, ServedList
from recsys.simulation.tastes import Tastes
from recsys.simulation.users import Users, strength_closeness


@dataclass(frozen=True, slots=True)
class Service:
    """Service of one arm: its overrides, and the relative `lift` of attraction that is planted in its items."""

    overrides: Overrides = NO_OVERRIDES
    lift: float = 0.0

    def __post_init__(self) -> None:
        if not -1.0 < self.lift < np.inf:
            raise ConfigError(f"a planted lift is {self.lift}: give a number above -1")


DEFAULT_SERVICE = Service()


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Trace of V visits.

    Attributes:
        visits: Visits in the order of time.
        service: Code of the service of each visit (V,).
        lists: List of each visit.
        rows: Rows of the items (V, K), NO_ROW at empty positions.
        responses: Responses of the users.
    """

    visits: Visits
    service: IntArray
    lists: tuple[ServedList, ...]
    rows: IntArray
    responses: Responses


@dataclass(frozen=True, slots=True, eq=False)
class Simulator:
    """Simulator of users, their visits and their behavior.

    If `adaptive`, events of a visit change the user's lists from the next visit on, as in the service. Else lists stay
    as the bundle has them. Then each pair of taste and service needs one list only. Events do not fade with time here.
    """

    lists: Lists
    tastes: Tastes
    users: Users
    visits: Visits
    model: ClickModel = field(default_factory=PositionBased)
    behavior: BehaviorParams = field(default_factory=BehaviorParams)
    adaptive: bool = True

    def simulate(self, services: Sequence[Service], service: IntArray, draws: Draws) -> Trace:
        """Simulate all visits; visit v is served by `services[service[v]]`. Equal draws give equal events."""
        if self.adaptive:
            return self._simulate_adaptive(services, service, draws)
        lists = self._fixed_lists(services, service)
        rows, seen = self.visit_lists(services, service, lists, np.arange(len(self.visits)))
        return Trace(self.visits, service, lists, rows, respond(seen, draws, self.model, self.behavior))

    def _fixed_lists(self, services: Sequence[Service], service: IntArray) -> tuple[ServedList, ...]:
        """Serve one list for each taste and service, or one for each visit if lists explore."""
        explores = [one.overrides.over(self.lists.base).exploration for one in services]
        served: dict[tuple[int, int, int], ServedList] = {}
        found = []
        tastes = self.users.taste[self.visits.user].tolist()
        for taste, code, number in zip(tastes, service.tolist(), self.visits.number.tolist(), strict=True):
            key = (taste, code, number if explores[code] else 0)
            if key not in served:
                own = services[code].overrides
                served[key] = self.lists.serve(self.tastes.accounts[taste], self.tastes.past[taste], own, str(key[2]))
            found.append(served[key])
        return tuple(found)

    def _simulate_adaptive(self, services: Sequence[Service], service: IntArray, draws: Draws) -> Trace:
        """Simulate round by round: the first visits of all users, then the second ones, which depend on the first."""
        visits, histories = self.visits, [dict(self.tastes.past[taste]) for taste in self.users.taste.tolist()]
        order = np.argsort(visits.number, kind="stable")
        rounds = np.split(order, np.flatnonzero(np.diff(visits.number[order])) + 1) if len(order) else []
        lists: list[ServedList | None] = [None] * len(visits)
        parts = []
        for round_ in rounds:
            served = []
            for visit in round_.tolist():
                user = int(visits.user[visit])
                account = self.tastes.accounts[int(self.users.taste[user])]
                number, overrides = str(visits.number[visit]), services[int(service[visit])].overrides
                served.append(self.lists.serve(account, histories[user], overrides, number))
                lists[visit] = served[-1]
            rows, seen = self.visit_lists(services, service[round_], served, round_)
            responses = respond(seen, draws.take(round_), self.model, self.behavior)
            parts.append((rows, responses))
            self._add_events(histories, visits.user[round_], rows, responses)
        # The inverse permutation puts rounds back into the order of time.
        back = np.argsort(np.concatenate(rounds)) if rounds else np.zeros(0, dtype=np.int64)
        rows = np.concatenate([rows for rows, _ in parts])[back]
        responses = Responses(
            *(np.concatenate([getattr(part, name) for _, part in parts])[back] for name in Responses.__slots__)
        )
        return Trace(visits, service, tuple(one for one in lists if one is not None), rows, responses)

    def _add_events(
        self, histories: list[dict[ItemId, float]], user: IntArray, rows: IntArray, responses: Responses
    ) -> None:
        weights, ids = self.lists.bundle.settings.events, self.lists.bundle.catalog.ids
        for happened, kind in (
            (responses.clicked, EventKind.CLICK),
            (responses.carted, EventKind.CART),
            (responses.bought, EventKind.PURCHASE),
        ):
            for visit, position in zip(*np.nonzero(happened), strict=True):
                own, (item,) = histories[int(user[visit])], ids.ids(rows[visit, position : position + 1])
                own[item] = own.get(item, 0.0) + weights.weight(kind)

    def visit_lists(
        self,
        services: Sequence[Service],
        service: IntArray,
        lists: Sequence[ServedList],
        visits: IntArray,
        rows: IntArray | None = None,
    ) -> tuple[IntArray, VisitLists]:
        """Return the rows of items (n, K) and the lists of visits (n,) as their users see them.

        Args:
            services: Services of the arms.
            service: Code of the service of each visit (n,).
            lists: List of each visit.
            visits: Visits (n,).
            rows: Rows of other items (n, K) instead of those of `lists`.
        """
        if rows is None:
            rows = np.stack([one.rows for one in lists]) if lists else np.zeros((0, self.lists.length), dtype=np.int64)
        user = self.visits.user[visits]
        taste, filled, catalog = self.users.taste[user], rows != NO_ROW, self.lists.bundle.catalog
        # Empty positions look up row 0 and are masked.
        safe = np.where(filled, rows, 0)
        image_factor, closeness = self._image_response(lists, taste, self.users.liked_strength[user])
        return rows, VisitLists(
            relevance=np.where(filled, self.tastes.relevance[taste[:, None], safe], 0.0).astype(np.float64),
            prices=np.where(filled, catalog.prices[safe], 0.0).astype(np.float64),
            buyable=np.asarray(filled & catalog.available[safe]),
            filled=filled,
            image_factor=image_factor,
            lift=np.array([one.lift for one in services], dtype=np.float64)[service],
            closeness=closeness,
        )

    def _image_response(self, lists: Sequence[ServedList], taste: IntArray, liked: Values) -> tuple[Values, Values]:
        """Compute the factor of attraction by images and their match (NaN for original photos), (n,) each."""
        strength = np.array([one.strength for one in lists], dtype=np.float64)
        cosines: dict[tuple[int, int], float] = {}
        fit = np.zeros(len(lists))
        for visit, (one, own) in enumerate(zip(lists, taste.tolist(), strict=True)):
            if one.strength > 0 and one.direction is not None:
                key = (id(one), own)
                if key not in cosines:
                    # The best match among the liked directions (M, D), at least 0.
                    length = float(np.linalg.norm(one.direction))
                    best = float((self.tastes.directions[own] @ one.direction).max())
                    cosines[key] = max(best / length, 0.0) if length > 0 else 0.0
                fit[visit] = cosines[key]
        closeness = strength_closeness(strength, liked)
        factor = 1.0 + self.behavior.appeal * fit * (closeness - strength_closeness(0.0, liked))
        return np.asarray(factor), np.asarray(np.where(strength > 0, fit * closeness, np.nan))


def build_services(overrides: Mapping[str, Overrides], lifts: Mapping[str, float]) -> dict[str, Service]:
    """Return the services of arms by name, with planted lifts. Raises ConfigError for a lift of an unknown arm."""
    for arm in lifts:
        if arm not in overrides:
            raise ConfigError(f"planted: there is no arm {arm!r}; there are {', '.join(overrides)}")
    return {arm: Service(own, lifts.get(arm, 0.0)) for arm, own in overrides.items()}
