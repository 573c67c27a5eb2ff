"""What experiments do to one request: the arms it gets, what these set together, and what is logged of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recsys.errors import RequestError
from recsys.experiments.design.assignment import Assignment, Reason
from recsys.experiments.design.definition import Experiment, Status, UnitKind
from recsys.experiments.design.exposure import TriggerContext, triggers
from recsys.experiments.design.fields import unknown_name
from recsys.experiments.design.overrides import NOTHING, Overrides
from recsys.experiments.design.registry import ExperimentSet, Identity
from recsys.experiments.design.targeting import ANY_CONTEXT, Context
from recsys.ranking.recommender import Recommender
from recsys.serving.model_loader import Served

_REMEMBERED = 10_000
"""Combinations of arms: of more, all are forgotten."""


@dataclass(frozen=True, slots=True, eq=False)
class Treatment:
    """The arms of a request by experiment, what they set together, and the `model` that they ask for beside the active
    one. The same arms, of the same state of the experiments, are the same object: a key for caches."""

    placed: Mapping[str, Assignment]
    experiments: Mapping[str, Experiment]
    overrides: Overrides
    model: Served | None

    @property
    def arms(self) -> dict[str, str]:
        """Arm by experiment, forced ones included."""
        return {key: place.arm for key, place in self.placed.items() if place.arm is not None}

    def exposed(self, occasion: TriggerContext) -> dict[str, Assignment]:
        """Where the treatment matters on this occasion, and chance has assigned the arm: what is logged."""
        return {
            key: place
            for key, place in self.placed.items()
            if place.counts and triggers(self.experiments[key], occasion).matters
        }


UNTREATED = Treatment({}, {}, NOTHING, None)
"""Of a request that is in no experiment."""


class Treatments:
    """One state of the experiments, and the `models` that are served beside the active one, by version.

    Safe to share between threads. `any`: whether a request can get an arm at all; `by_query`: whether that depends on
    more than who asks.
    """

    def __init__(self, loaded: ExperimentSet, models: Mapping[str, Served] | None = None) -> None:
        self.loaded = loaded
        self.models = models or {}
        self._live = [(kind, plan) for kind, plan in loaded.live if plan.status is Status.RUNNING or plan.forced]
        self.any = bool(self._live)
        self.by_query = any(kind is UnitKind.SESSION or plan.targeting is not None for kind, plan in self._live)
        # By the places' own identity, since plans hand out the same ones: hashing what is in them takes longer than to
        # assign.
        self._remembered: dict[tuple[int, ...], Treatment] = {}

    def of(self, subject: Identity, context: Context, active: Recommender) -> Treatment:
        """What a request of this subject is treated with. Microseconds for each experiment.

        Where its arms ask for a model that neither is `active` nor stands beside it, or for a scene that the active one
        does not have, as for a moment after a swap, the request is in no experiment.
        """
        if not self.any:
            return UNTREATED
        places = [plan.assign(subject.unit(kind), context) for kind, plan in self._live]
        placed = tuple([place for place in places if place.arm is not None])
        if not placed:
            return UNTREATED
        return self._servable(self._remember(placed), active)

    def forced(self, treatment: Treatment, arms: Mapping[str, str], active: Recommender) -> Treatment:
        """The same with certain `arms` by experiment, also of drafts. Raises RequestError for what there is not."""
        placed = dict(treatment.placed)
        for key, arm in arms.items():
            found = self.loaded.experiments.get(key)
            known = [key for key, one in self.loaded.experiments.items() if one.status is not Status.STOPPED]
            if found is None or key not in known:
                raise RequestError("force", unknown_name("experiment", key, known))
            if arm not in found.arms:
                raise RequestError("force", unknown_name("arm", arm, list(found.arms)))
            placed[key] = Assignment(key, arm, 1.0, True, Reason.FORCED)
        return self._servable(self._made(tuple(placed[key] for key in sorted(placed))), active)

    def _remember(self, placed: tuple[Assignment, ...]) -> Treatment:
        key = tuple(map(id, placed))
        treatment = self._remembered.get(key)
        if treatment is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            # Of two threads that come here at once, one's object is forgotten, and with it an answer in the cache.
            treatment = self._remembered[key] = self._made(placed)
        return treatment

    def _made(self, placed: tuple[Assignment, ...]) -> Treatment:
        by_key = {place.experiment: place for place in placed}
        overrides = self.loaded.overrides(by_key)
        model = None if overrides.model is None else self.models.get(overrides.model)
        return Treatment(by_key, {key: self.loaded.experiments[key] for key in by_key}, overrides, model)

    def _servable(self, treatment: Treatment, active: Recommender) -> Treatment:
        wanted, scene = treatment.overrides.model, treatment.overrides.scene
        if wanted is not None and treatment.model is None and wanted != active.version:
            return UNTREATED
        ranks = active if treatment.model is None else treatment.model.recommender
        return treatment if scene is None or scene in ranks.scenes() else UNTREATED


def context_of(
    categories: frozenset[str], platform: str | None, country: str | None, language: str | None, *, known_user: bool
) -> Context:
    """What is known of a request, as targeting takes it."""
    if not (categories or platform or country or language or known_user):
        return ANY_CONTEXT
    return Context(categories, platform or "", country or "", language or "", known_user)
