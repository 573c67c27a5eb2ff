"""Restyle policy: chooses the action for each image of a list, with the probability of that choice.

The choice follows the request, then the user's own setting, then an experiment, then ratings, then the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recsys.config import ProjectSettings
from recsys.profiles.taste import Taste
from recsys.ranking.recommender import Recommender
from recsys.restyling.feedback_bandit import NO_RATINGS, TASTE, Choice, Policy, Rating, RestyleBandit
from recsys.restyling.feedback_text import explain
from recsys.restyling.satisfaction_model import Action, Ratings
from recsys.schema import ItemId, UserId
from recsys.storage.live.feedback import FeedbackStore
from recsys.storage.live.user_state import UserState, person_ids

SCENE_PREFIX = "scene:"
"""Prefix of a scene in the target of an action."""

Choose = Callable[[ItemId], Choice]
"""Function that chooses the action for the image of an item."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Viewer of images, with live data; `user_id` is None for a session."""

    user_id: UserId | None
    state: UserState


class RestylePolicy:
    """Chooses actions with the ratings of a store. Safe to share between threads.

    Args:
        settings: Settings of the project.
        ratings: Store of ratings.
    """

    def __init__(self, settings: ProjectSettings, ratings: FeedbackStore) -> None:
        self._seed = settings.seed
        self._default = settings.restyle.strength
        self._bandit = RestyleBandit(settings.feedback, settings.restyle.strength)
        self._store = ratings
        self._all_users = NO_RATINGS

    def reload(self) -> None:
        """Read the ratings of all users, which reads the whole table. Raises StorageError."""
        self._all_users = Ratings.from_counts(self._store.counts())

    def chooser(
        self,
        viewer: Viewer,
        recommender: Recommender,
        taste: Taste | None,
        strength: float | None,
        scene: str | None,
        visit: str,
        arm_strength: float | None = None,
    ) -> Choose:
        """Return a function that chooses the actions for all images of one list.

        Args:
            viewer: Viewer of the list.
            recommender: Model with the style references.
            taste: Taste of the viewer.
            strength: Strength of the request; it overrides all others.
            scene: Scene of the request; it overrides ratings.
            visit: Text that tells this request from others of the same user.
            arm_strength: Strength that an arm of an experiment sets; the viewer's own setting overrides it.
        """
        fixed = next((one for one in (strength, viewer.state.strength, arm_strength) if one is not None), None)
        policy = None
        if scene is None and fixed is None:
            policy = self.policy(viewer, recommender, taste)
        if policy is None or viewer.user_id is None:
            target = TASTE if scene is None else SCENE_PREFIX + scene
            choice = Choice(Action.from_target(target, self._default if fixed is None else fixed), 1.0)
            return lambda _: choice
        user_id, chosen = viewer.user_id, policy
        return lambda item_id: chosen.choose(self._seed, user_id, item_id, visit)

    def uses_ratings(self, viewer: Viewer) -> bool:
        """Return True if ratings influence the images of a viewer; else the settings decide."""
        return bool(viewer.state.last_rating or len(self._all_users)) and viewer.user_id is not None

    def policy(self, viewer: Viewer, recommender: Recommender, taste: Taste | None) -> Policy | None:
        """Return the policy for a viewer, None if there are no ratings at all."""
        if not viewer.state.last_rating and not len(self._all_users):
            return None
        styles: list[str] = []
        if taste is not None:
            near = (style.style_id for style in recommender.styles.nearest_to_taste(taste))
            styles = [style_id for style_id in near if recommender.styles.may_restyle(style_id)]
        return self._bandit.policy(self._bandit.actions(styles), self._own_ratings(viewer), self._all_users)

    def explain(self, viewer: Viewer, recommender: Recommender, taste: Taste | None) -> str:
        """Return sentences on how ratings have changed the images of a viewer."""
        policy = self.policy(viewer, recommender, taste)
        titles = {card.style_id: card.title for card in recommender.styles.cards}
        if policy is None:
            policy = self._bandit.policy(self._bandit.actions(()), ())
        return explain(policy, self._own_ratings(viewer), titles)

    def _own_ratings(self, viewer: Viewer) -> Sequence[Rating]:
        if viewer.user_id is None or not viewer.state.last_rating:
            return ()
        ids = person_ids(viewer.user_id, viewer.state)
        return tuple(rating for one in ids for rating in self._store.user_ratings(one))
