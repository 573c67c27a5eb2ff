"""Synthetic bandit logs with a known truth: contexts, a logging policy, a target policy, and its value.

For notebooks and tests of off-policy evaluation; the package itself does not use them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from recsys.experiments.off_policy.log import Log, Values
from recsys.rng import generator

TRUTH_DRAWS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticBandit:
    """Contextual bandit with rewards of 0 or 1 and a known reward function.

    Contexts are standard normal numbers. The expected reward is q(x, a) = sigmoid(level_a + slopes_a x + bend squares_a
    (x^2 - 1)). A linear model cannot represent the squares.

    Attributes:
        actions: Number of actions.
        features: Length of a context.
        sharpness: Factor of the logits in the logging policy's softmax, which are noisy.
        explored: Share of decisions in which the logging policy takes a random action, in [0, 1].
        bend: Weight of the squares.
        seed: Seed of levels, slopes and squares.
    """

    actions: int = 5
    features: int = 3
    sharpness: float = 1.0
    explored: float = 0.3
    bend: float = 0.5
    seed: int = 0

    def expected_rewards(self, contexts: Values) -> Values:
        """Return q(x, a) (n, A) of contexts (n, d)."""
        levels, slopes, squares = self._parameters()
        return np.asarray(special.expit(levels + contexts @ slopes + self.bend * (contexts**2 - 1.0) @ squares))

    def logging_policy(self, contexts: Values) -> Values:
        """Return the probabilities of actions (n, A) in the log; the policy knows the slopes with noise."""
        levels, slopes, _ = self._parameters()
        noise = generator(self.seed, "dim").normal(0.0, 0.5, slopes.shape)
        preferred = special.softmax(self.sharpness * (levels + contexts @ (slopes + noise)), axis=1)
        return np.asarray((1.0 - self.explored) * preferred + self.explored / self.actions)

    def target_policy(self, contexts: Values, greed: float = 3.0) -> Values:
        """Return the probabilities of actions (n, A) of a better policy: a softmax of `greed` times the true logits."""
        levels, slopes, _ = self._parameters()
        return np.asarray(special.softmax(greed * (levels + contexts @ slopes), axis=1))

    def draw_log(self, decisions: int, *, seed: int, per_user: int = 1) -> Log:
        """Draw a log of decisions, `per_user` of each user; the first number of the context is the user's own."""
        random = generator(seed, "synthetic log")
        # Rounded up: the last user may have fewer decisions.
        users = -(-decisions // per_user)
        units = np.repeat(np.arange(users), per_user)[:decisions]
        contexts = random.standard_normal((decisions, self.features))
        contexts[:, 0] = random.standard_normal(users)[units]
        probabilities = self.logging_policy(contexts)
        # Inverse transform: the action is the number of cumulative probabilities below a uniform draw.
        actions = (random.random((decisions, 1)) > probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)
        rows = np.arange(decisions)
        rewards = random.random(decisions) < self.expected_rewards(contexts)[rows, actions]
        names = tuple(f"action {action}" for action in range(self.actions))
        return Log(actions, probabilities[rows, actions], rewards.astype(np.float64), units, contexts, names)

    def true_value(self, greed: float = 3.0) -> float:
        """Compute the value of `target_policy` over TRUTH_DRAWS contexts, with a standard error below 0.0003."""
        contexts = generator(self.seed, "truth").standard_normal((TRUTH_DRAWS, self.features))
        return float((self.target_policy(contexts, greed) * self.expected_rewards(contexts)).sum(axis=1).mean())

    def _parameters(self) -> tuple[Values, Values, Values]:
        random = generator(self.seed, "world")
        shape = (self.features, self.actions)
        return random.normal(-0.5, 0.5, self.actions), random.normal(0.0, 0.7, shape), random.normal(0.0, 0.7, shape)
