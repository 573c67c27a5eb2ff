"""Experiments in one request: its arms, the overrides that they set together, and the assignments to log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from recsys.config import RestyleSettings
from recsys.errors import RequestError
from recsys.experiments.design.assignment import Assignment, Reason
from recsys.experiments.design.definition import Experiment, Status, UnitKind
from recsys.experiments.design.exposure import TriggerContext, check_trigger
from recsys.experiments.design.fields import unknown_name
from recsys.experiments.design.overrides import NO_OVERRIDES, Overrides, overrides_from_settings
from recsys.experiments.design.registry import ExperimentSet, Identity
from recsys.experiments.design.targeting import ANY_CONTEXT, Context
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.serving.model_loader import Served

RANKING_OPTIONS = ("reranker", "diversity", "calibration", "exploration")
"""Overrides that are also fields of a request. `blend` is a mapping and is merged feature by feature."""
_MAX_COMBINATIONS = 10_000
"""Combinations of arms in memory; at this number all are dropped."""


@dataclass(frozen=True, slots=True, eq=False)
class RequestArms:
    """Arms of one request.

    The same arms of the same state of the experiments are the same object, so that it can be part of a cache key.

    Attributes:
        assignments: Assignment by experiment.
        experiments: Those experiments by key.
        overrides: Overrides that the arms set together.
        model: Model that an arm asks for beside the active one.
    """

    assignments: Mapping[str, Assignment]
    experiments: Mapping[str, Experiment]
    overrides: Overrides
    model: Served | None

    @property
    def names(self) -> dict[str, str]:
        """Name of the arm by experiment, forced ones included."""
        return {key: one.arm for key, one in self.assignments.items() if one.arm is not None}

    def exposures(self, trigger: TriggerContext) -> dict[str, Assignment]:
        """Return the assignments to log: not forced, of experiments whose arms can differ in this request."""
        return {
            key: one
            for key, one in self.assignments.items()
            if one.counts and check_trigger(self.experiments[key], trigger).matters
        }


NO_ARMS = RequestArms({}, {}, NO_OVERRIDES, None)
"""Arms of a request that is in no experiment."""


class ActiveExperiments:
    """One state of the experiments and the models that are served beside the active one. Safe to share between threads.

    Attributes:
        loaded: The experiments.
        models: Models by version.
        any: Whether a request can get an arm.
        by_query: Whether arms depend on more than the user id.
    """

    def __init__(self, loaded: ExperimentSet, models: Mapping[str, Served] | None = None) -> None:
        self.loaded = loaded
        self.models = models or {}
        self._live = [(kind, plan) for kind, plan in loaded.live if plan.status is Status.RUNNING or plan.forced]
        self.any = bool(self._live)
        self.by_query = any(kind is UnitKind.SESSION or plan.targeting is not None for kind, plan in self._live)
        # Keyed by the identity of the assignments, because plans return the same objects: hashing their content takes
        # longer than assigning.
        self._combinations: dict[tuple[int, ...], RequestArms] = {}

    def assign(self, identity: Identity, context: Context, active: Recommender) -> RequestArms:
        """Return the arms of a request, in microseconds per experiment.

        The request is in no experiment if its arms ask for a model that is neither active nor loaded, or for a scene
        that the model does not have. Both can happen for a moment after a swap.
        """
        if not self.any:
            return NO_ARMS
        assignments = [plan.assign(identity.unit(kind), context) for kind, plan in self._live]
        in_arms = tuple([one for one in assignments if one.arm is not None])
        if not in_arms:
            return NO_ARMS
        key = tuple(map(id, in_arms))
        arms = self._combinations.get(key)
        if arms is None:
            if len(self._combinations) >= _MAX_COMBINATIONS:
                self._combinations.clear()
            # If two threads come here at once, one object is dropped, and with it one answer in the cache.
            arms = self._combinations[key] = self._combine(in_arms)
        return _servable(arms, active)

    def force(self, arms: RequestArms, forced: Mapping[str, str], active: Recommender) -> RequestArms:
        """Return `arms` with some of them replaced, also by arms of drafts.

        Args:
            arms: Arms that were assigned.
            forced: Name of the arm by experiment.
            active: The active recommender.

        Raises:
            RequestError: There is no such experiment or arm.
        """
        assignments = dict(arms.assignments)
        for key, arm in forced.items():
            experiment = self.loaded.experiments.get(key)
            known = [key for key, one in self.loaded.experiments.items() if one.status is not Status.STOPPED]
            if experiment is None or key not in known:
                raise RequestError("force", unknown_name("experiment", key, known))
            if arm not in experiment.arms:
                raise RequestError("force", unknown_name("arm", arm, list(experiment.arms)))
            assignments[key] = Assignment(key, arm, 1.0, True, Reason.FORCED)
        return _servable(self._combine(tuple(assignments[key] for key in sorted(assignments))), active)

    def _combine(self, assignments: tuple[Assignment, ...]) -> RequestArms:
        by_key = {one.experiment: one for one in assignments}
        overrides = self.loaded.overrides(by_key)
        model = None if overrides.model is None else self.models.get(overrides.model)
        return RequestArms(by_key, {key: self.loaded.experiments[key] for key in by_key}, overrides, model)


def _servable(arms: RequestArms, active: Recommender) -> RequestArms:
    """Return `arms`, or no arms if the model or the scene that they ask for is not there."""
    version, scene = arms.overrides.model, arms.overrides.scene
    if version is not None and arms.model is None and version != active.version:
        return NO_ARMS
    recommender = active if arms.model is None else arms.model.recommender
    return arms if scene is None or scene in recommender.styles.scenes() else NO_ARMS


def targeting_context(
    categories: frozenset[str], platform: str | None, country: str | None, language: str | None, *, known_user: bool
) -> Context:
    """Return the properties of a request that targeting uses."""
    if not (categories or platform or country or language or known_user):
        return ANY_CONTEXT
    return Context(categories, platform or "", country or "", language or "", known_user)


def apply_overrides(request: Request, overrides: Overrides) -> Request:
    """Return a request with the ranking overrides of an arm; options that the caller set stay.

    Only `blend` and `RANKING_OPTIONS` are applied. Another `model` is another recommender, and restyling is not part of
    a request.
    """
    blend = {**(overrides.blend or {}), **(request.blend or {})}
    given = {name: getattr(overrides, name) for name in RANKING_OPTIONS if getattr(request, name) is None}
    return replace(request, blend=blend or None, **given)


def fixed_overrides(given: Mapping[str, object], chose_strength: bool) -> frozenset[str]:
    """Return names of overrides that no arm can change in this request.

    Args:
        given: Options by name, None if the caller did not set them.
        chose_strength: Whether the user chose a strength.
    """
    named = {name for name in Overrides.model_fields if given.get(name) is not None}
    return frozenset(named | ({"strength"} if chose_strength else set()))


def default_overrides(recommender: Recommender, restyle: RestyleSettings, *, learned: bool) -> Overrides:
    """Return the values that a request is served with if no arm sets them.

    Args:
        recommender: The active recommender.
        restyle: Settings of restyling.
        learned: Whether the strength follows ratings. Then no strength of an arm equals the default.
    """
    base = overrides_from_settings(recommender.bundle.settings.rank, restyle).without(("strength",) if learned else ())
    return Overrides(model=recommender.version).over(base)
