"""Synthetic logs with a known truth: contexts, a policy that explores, another one to evaluate, and its value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from recsys.experiments.off_policy.log import Log, Values
from recsys.rng import generator

TRUTH_DRAWS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """World of rewards of 0 or 1 for `actions` actions in contexts of `features` standard normal numbers.

    q(x, a) = sigmoid of a level and slopes of the action and, as far as `bend` goes, of squares, which a linear model
    cannot see. The log's policy takes an action at random in the share `explored` of decisions, in [0, 1], and else
    by a softmax of `sharpness` times noisy logits. `seed` draws the world itself.
    """

    actions: int = 5
    features: int = 3
    sharpness: float = 1.0
    explored: float = 0.3
    bend: float = 0.5
    seed: int = 0

    def rates(self, contexts: Values) -> Values:
        """Return q(x, a) (n, A) of contexts (n, d)."""
        levels, slopes, squares = self._drawn()
        return np.asarray(special.expit(levels + contexts @ slopes + self.bend * (contexts**2 - 1.0) @ squares))

    def logging(self, contexts: Values) -> Values:
        """Return the log's policy, (n, A), which knows the slopes with noise."""
        levels, slopes, _ = self._drawn()
        dim = generator(self.seed, "dim").normal(0.0, 0.5, slopes.shape)
        wanted = special.softmax(self.sharpness * (levels + contexts @ (slopes + dim)), axis=1)
        return np.asarray((1.0 - self.explored) * wanted + self.explored / self.actions)

    def better(self, contexts: Values, greed: float = 3.0) -> Values:
        """Return a policy (n, A) that knows the slopes: a softmax of `greed` times the logits."""
        levels, slopes, _ = self._drawn()
        return np.asarray(special.softmax(greed * (levels + contexts @ slopes), axis=1))

    def log(self, decisions: int, *, seed: int, a_person: int = 1) -> Log:
        """Draw a log of that many decisions, `a_person` per user, by `seed`. Users differ in taste by a context."""
        random = generator(seed, "synthetic log")
        people = -(-decisions // a_person)
        units = np.repeat(np.arange(people), a_person)[:decisions]
        contexts = random.standard_normal((decisions, self.features))
        contexts[:, 0] = random.standard_normal(people)[units]
        probabilities = self.logging(contexts)
        actions = (random.random((decisions, 1)) > probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)
        rows = np.arange(decisions)
        rewards = random.random(decisions) < self.rates(contexts)[rows, actions]
        names = tuple(f"action {action}" for action in range(self.actions))
        return Log(actions, probabilities[rows, actions], rewards.astype(np.float64), units, contexts, names)

    def truth(self, greed: float = 3.0) -> float:
        """Compute the value of `better`, over TRUTH_DRAWS contexts of a seed of their own (standard error below
        0.0003).
        """
        contexts = generator(self.seed, "truth").standard_normal((TRUTH_DRAWS, self.features))
        return float((self.better(contexts, greed) * self.rates(contexts)).sum(axis=1).mean())

    def _drawn(self) -> tuple[Values, Values, Values]:
        random = generator(self.seed, "world")
        shape = (self.features, self.actions)
        return random.normal(-0.5, 0.5, self.actions), random.normal(0.0, 0.7, shape), random.normal(0.0, 0.7, shape)
