"""How each picture of a list is restyled for a person: by what they chose, by their verdicts, or as the shop's
settings say, with the probability of that choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recsys.config import ProjectSettings
from recsys.profiles.taste import Taste
from recsys.ranking.recommender import Recommender
from recsys.restyling.feedback_bandit import NO_VERDICTS, TASTE, Choice, Policy, Rating, RestyleBandit
from recsys.restyling.feedback_text import explain
from recsys.restyling.satisfaction_model import Arm, Ratings
from recsys.schema import ItemId, UserId
from recsys.storage.live.feedback import FeedbackStore
from recsys.storage.live.user_state import UserState

SCENE = "scene:"
"""Before a scene in the name of a look."""

Choose = Callable[[ItemId], Choice]
"""Says how the picture of an item is to be shown."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is to see pictures; `user_id` is None without an account."""

    user_id: UserId | None
    state: UserState


class RestylePolicy:
    """Chooses with the verdicts of a store. Safe to share between threads."""

    def __init__(self, settings: ProjectSettings, verdicts: FeedbackStore) -> None:
        self._seed = settings.seed
        self._default = settings.restyle.strength
        self._bandit = RestyleBandit(settings.feedback, settings.restyle.strength)
        self._verdicts = verdicts
        self._everybody = NO_VERDICTS

    def refresh(self) -> None:
        """Take in everybody's verdicts as they are now: a look at the whole table. Raises StorageError."""
        self._everybody = Ratings.of(self._verdicts.counts())

    def chooser(
        self,
        who: Viewer,
        recommender: Recommender,
        taste: Taste | None,
        strength: float | None,
        scene: str | None,
        refresh: str,
        arm_strength: float | None = None,
    ) -> Choose:
        """What chooses for all pictures of one answer; `strength` and `scene`, as asked, go before all else, and what
        the person chose before `arm_strength`, which an experiment sets."""
        strength = next((one for one in (strength, who.state.strength, arm_strength) if one is not None), None)
        if scene is not None:
            return _always(Arm.shown(SCENE + scene, self._default if strength is None else strength))
        if strength is not None:
            return _always(Arm.shown(TASTE, strength))
        policy = self.policy(who, recommender, taste)
        if policy is None or who.user_id is None:
            return _always(Arm.shown(TASTE, self._default))
        user_id = who.user_id
        return lambda item_id: policy.choose(self._seed, user_id, item_id, refresh)

    def learned_for(self, who: Viewer) -> bool:
        """Whether verdicts have a say in how pictures are shown to a person; False: it is as the settings say."""
        return bool(who.state.last_rating or len(self._everybody)) and who.user_id is not None

    def policy(self, who: Viewer, recommender: Recommender, taste: Taste | None) -> Policy | None:
        """The probabilities of all ways to show a picture to a person; None where nobody has said anything yet."""
        if not who.state.last_rating and not len(self._everybody):
            return None
        styles = [] if taste is None else _usable(recommender, taste)
        return self._bandit.policy(self._bandit.arms(styles), self._own(who), self._everybody)

    def learned(self, who: Viewer, recommender: Recommender, taste: Taste | None) -> str:
        """What verdicts have changed for a person, in plain words."""
        policy = self.policy(who, recommender, taste)
        titles = {card.style_id: card.title for card in recommender.styles.cards}
        if policy is None:
            policy = self._bandit.policy(self._bandit.arms(()), ())
        return explain(policy, self._own(who), titles)

    def _own(self, who: Viewer) -> Sequence[Rating]:
        if who.user_id is None or not who.state.last_rating:
            return ()
        return self._verdicts.user_ratings(who.user_id)


def _usable(recommender: Recommender, taste: Taste) -> list[str]:
    """The styles near a taste that pictures may go toward."""
    near = (one.style_id for one in recommender.styles.nearest_to_taste(taste))
    return [style_id for style_id in near if recommender.styles.may_restyle(style_id)]


def _always(arm: Arm) -> Choose:
    choice = Choice(arm, 1.0)
    return lambda _: choice
