"""Lists of the real pipeline: those of a built bundle with an arm's overrides, not a model of them."""

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

PLACES = 10
UNSAVED = "unsaved"
"""Version of a bundle that was not saved."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """List of one visit. `rows` (K,): items, NO_ROW where there is none; `propensities` (K,). `strength`: of the
    restyling of its pictures, 0 for photos as they are; `direction` (D,): where they go in style space. `occasion`:
    what was known before an arm was.
    """

    rows: IntArray
    propensities: FloatArray
    strength: float
    direction: FloatArray | None
    occasion: TriggerContext


class Lists:
    """Lists of the pipeline; equal requests are served from a cache."""

    def __init__(self, recommender: Recommender, places: int = PLACES) -> None:
        """`places`: length of a list, 1 .. `recsys.ranking.request.MAX_LIMIT`."""
        self.recommender = recommender
        self.places = places
        settings = recommender.bundle.settings
        base = overrides_from_settings(settings.rank, settings.restyle)
        # A bundle that was trained for a replay is never saved, and has no version that an arm could name.
        self.base = base if recommender.version == UNSAVED else base.model_copy(update={"model": recommender.version})
        self._kept: dict[tuple[object, ...], Shown] = {}

    @property
    def bundle(self) -> Bundle:
        """Bundle of the recommender."""
        return self.recommender.bundle

    def shown(
        self, account: UserId | None, items: Mapping[ItemId, float], overrides: Overrides, refresh: str = ""
    ) -> Shown:
        """Return the list for an account with interactions `items` since the bundle was built (or without an account).

        `refresh` tells visits apart where something is drawn for each (exploration). Raises ConfigError where an arm
        asks for the version of another bundle, RequestError for an unknown scene.
        """
        served = overrides.over(self.base)
        drawn = refresh if served.exploration else ""
        key = (account, tuple(sorted(items.items())), repr(sorted(overrides.explicit.items())), drawn)
        if key not in self._kept:
            self._kept[key] = self._made(account, items, overrides, served, drawn)
        return self._kept[key]

    def _made(
        self, account: UserId | None, items: Mapping[ItemId, float], overrides: Overrides, served: Overrides, drawn: str
    ) -> Shown:
        if overrides.model not in (None, self.recommender.version):
            raise ConfigError(
                f"an arm is served by bundle {overrides.model}; the simulator serves {self.recommender.version} alone"
            )
        request = Request(user_id=account, items=items, limit=self.places, exploration_seed=drawn)
        answer = self.recommender.recommend(apply_overrides(request, overrides))
        catalog, found = self.bundle.catalog, answer.recommendations
        rows = np.full(self.places, NO_ROW, dtype=np.int64)
        rows[: len(found)] = [int(catalog.ids.row(one.item_id)) for one in found]
        propensities = np.ones(self.places, dtype=np.float32)
        propensities[: len(found)] = [one.propensity for one in found]
        taste = answer.taste
        direction = None
        target = None
        if served.scene is not None:
            target = StyleTarget.resolve(self.recommender, taste=taste, scene=served.scene)
        if target is not None:
            direction = self.bundle.space.to_direction(target.vector.values)
        elif taste:
            direction = taste.directions[0]
        restyled = served.restyle is not False and direction is not None
        return Shown(
            rows=rows,
            propensities=propensities,
            strength=float(served.strength or 0.0) if restyled else 0.0,
            direction=direction,
            occasion=TriggerContext(
                positions=self.places,
                photos=bool(catalog.images.astype(bool).any()),
                taste=bool(taste),
                personal=answer.basis is not Basis.POPULAR,
                base=self.base,
            ),
        )
