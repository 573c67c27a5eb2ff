"""Lists of the real pipeline: a built bundle with an arm's overrides serves simulated visits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recsys.bundle.types import Bundle
from recsys.errors import ConfigError
from recsys.experiments.design.exposure import TriggerContext
from recsys.experiments.design.overrides import Overrides, overrides_from_settings
from recsys.ranked import NO_ROW
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.restyling.target import StyleTarget
from recsys.schema import Basis, FloatArray, IntArray, ItemId, UserId
from recsys.serving.experiment_arms import apply_overrides

LIST_LENGTH = 10
UNSAVED = "unsaved"
"""Version of a bundle that was not saved."""


@dataclass(frozen=True, slots=True, eq=False)
class ServedList:
    """List of one visit.

    Attributes:
        rows: Rows of the items (K,), NO_ROW at empty positions.
        propensities: Propensities of the positions (K,).
        strength: Strength of restyling, 0 for original photos.
        direction: Style direction of the restyled images (D,).
        trigger: Facts of the request that are known before an arm is.
    """

    rows: IntArray
    propensities: FloatArray
    strength: float
    direction: FloatArray | None
    trigger: TriggerContext


class Lists:
    """Lists of the pipeline; equal requests are served from a cache."""

    def __init__(self, recommender: Recommender, length: int = LIST_LENGTH) -> None:
        """Serve lists of `length` items, 1 .. `recsys.ranking.request.MAX_LIMIT`."""
        self.recommender = recommender
        self.length = length
        settings = recommender.bundle.settings
        base = overrides_from_settings(settings.rank, settings.restyle)
        # A bundle that was trained for a replay is never saved, and has no version that an arm could name.
        self.base = base if recommender.version == UNSAVED else base.model_copy(update={"model": recommender.version})
        self._cache: dict[tuple[object, ...], ServedList] = {}

    @property
    def bundle(self) -> Bundle:
        """Bundle of the recommender."""
        return self.recommender.bundle

    def serve(
        self, account: UserId | None, items: Mapping[ItemId, float], overrides: Overrides, visit: str = ""
    ) -> ServedList:
        """Return the list of an account, or of a user without one.

        Args:
            account: User of the bundle, if any.
            items: Interactions since the bundle was built, with weights.
            overrides: Overrides of the arm.
            visit: Seed of exploration, if lists explore.

        Raises:
            ConfigError: The arm asks for another bundle.
            RequestError: The arm names an unknown scene.
        """
        served = overrides.over(self.base)
        exploration_seed = visit if served.exploration else ""
        key = (account, tuple(sorted(items.items())), repr(sorted(overrides.explicit.items())), exploration_seed)
        if key not in self._cache:
            if overrides.model not in (None, self.recommender.version):
                own = self.recommender.version
                raise ConfigError(f"an arm is served by bundle {overrides.model}; the simulator serves only {own}")
            request = Request(user_id=account, items=items, limit=self.length, exploration_seed=exploration_seed)
            self._cache[key] = self._recommend(apply_overrides(request, overrides), served)
        return self._cache[key]

    def _recommend(self, request: Request, served: Overrides) -> ServedList:
        answer = self.recommender.recommend(request)
        catalog, found = self.bundle.catalog, answer.recommendations
        rows = np.full(self.length, NO_ROW, dtype=np.int64)
        rows[: len(found)] = [int(catalog.ids.row(one.item_id)) for one in found]
        propensities = np.ones(self.length, dtype=np.float32)
        propensities[: len(found)] = [one.propensity for one in found]
        # A scene's style reference comes before the user's own taste.
        taste, target, direction = answer.taste, None, None
        if served.scene is not None:
            target = StyleTarget.resolve(self.recommender, taste=taste, scene=served.scene)
        if target is not None:
            direction = self.bundle.space.to_direction(target.vector.values)
        elif taste:
            direction = taste.directions[0]
        restyled = served.restyle is not False and direction is not None
        return ServedList(
            rows=rows,
            propensities=propensities,
            strength=float(served.strength or 0.0) if restyled else 0.0,
            direction=direction,
            trigger=TriggerContext(
                positions=self.length,
                photos=bool(catalog.images.astype(bool).any()),
                taste=bool(taste),
                personal=answer.basis is not Basis.POPULAR,
                base=self.base,
            ),
        )
