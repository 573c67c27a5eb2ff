"""Logged decisions: context, chosen action, its propensity and its reward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys.errors import DataError
from recsys.schema import BoolArray, IntArray

Values = NDArray[np.float64]
SUM_SLACK = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """Log of n decisions over the A actions `names`.

    `actions` (n,): codes in [0, A); `propensities` (n,) in (0, 1]: probability of that action when it was chosen;
    `rewards` (n,), finite, in any unit; `units` (n,): codes of the users, whose decisions may depend on each other;
    `contexts` (n, d): features known before the choice, d may be 0.

    Without propensities there is no off-policy evaluation, so none is ever invented.

    Raises:
        DataError: for anything else; names the first wrong row and the cure.
    """

    actions: IntArray
    propensities: Values
    rewards: Values
    units: IntArray
    contexts: Values
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.actions)
        columns = (self.propensities, self.rewards, self.units, self.contexts)
        lengths = [n, *(len(column) for column in columns)]
        if len(set(lengths)) > 1:
            raise DataError(f"columns of one log have lengths {lengths}: give one value a decision in each")
        if self.contexts.ndim != 2:
            raise DataError(f"contexts have shape {self.contexts.shape}: give one row of numbers a decision, (n, d)")
        if n and not (self.actions.min() >= 0 and self.actions.max() < len(self.names)):
            raise DataError(f"actions: codes must be in [0, {len(self.names)}), one for each of the names")
        check_propensities(self.propensities)
        check_finite("reward", self.rewards)
        check_finite("context", self.contexts)

    @classmethod
    def from_columns(
        cls,
        actions: Sequence[str],
        propensities: ArrayLike,
        rewards: ArrayLike,
        *,
        units: Sequence[str] | None = None,
        contexts: ArrayLike | None = None,
        names: Sequence[str] = (),
    ) -> Self:
        """Build a log from names of actions and ids of users.

        Args:
            actions: name of the action of each decision.
            propensities: probability of each action when it was chosen, in (0, 1].
            rewards: reward of each decision.
            units: user of each decision; by default each decision belongs to another user.
            contexts: features (n, d) known before the choice.
            names: further actions, which a policy may choose although they were never logged.
        """
        known = tuple(sorted({*actions, *names}))
        index = {name: code for code, name in enumerate(known)}
        codes = np.array([index[name] for name in actions], dtype=np.int64)
        users = np.arange(len(codes)) if units is None else encode_units(units)
        features = np.zeros((len(codes), 0)) if contexts is None else np.asarray(contexts, dtype=np.float64)
        chances, earned = (np.asarray(column, dtype=np.float64) for column in (propensities, rewards))
        return cls(codes, chances, earned, users, features, known)

    def __len__(self) -> int:
        return len(self.actions)

    def select(self, mask: BoolArray) -> Log:
        """Return only the decisions in `mask` (n,)."""
        return Log(
            self.actions[mask],
            self.propensities[mask],
            self.rewards[mask],
            self.units[mask],
            self.contexts[mask],
            self.names,
        )

    def always(self, name: str) -> Values:
        """Return the policy (n, A) that always chooses one action; raise DataError if the log does not name it."""
        return self.mix({name: 1.0})

    def mix(self, probabilities: dict[str, float]) -> Values:
        """Return the policy (n, A) with the same probabilities in all contexts; other actions have 0."""
        unknown = sorted(set(probabilities) - set(self.names))
        if unknown:
            raise DataError(
                f"action {unknown[0]!r} was never logged; logged ones: {', '.join(self.names)}. A log cannot "
                "evaluate an action that was never tried: try it on some traffic first"
            )
        row = np.array([probabilities.get(name, 0.0) for name in self.names])
        return np.tile(row, (len(self), 1))


def encode_units(units: Sequence[str]) -> IntArray:
    """Return codes (n,) of n ids, in the order of the ids."""
    return np.asarray(np.unique(np.asarray(units, dtype=np.str_), return_inverse=True)[1], dtype=np.int64)


def check_propensities(propensities: Values) -> None:
    """Raise DataError if one is missing (NaN), 0 or less, or above 1."""
    faults = {
        "missing (NaN)": np.isnan(propensities),
        "0 or less": propensities <= 0.0,
        "above 1": propensities > 1.0,
    }
    found = {fault: np.flatnonzero(wrong) for fault, wrong in faults.items() if wrong.any()}
    if found:
        said = "; ".join(f"{len(rows)} are {fault}, the first in row {rows[0]}" for fault, rows in found.items())
        raise DataError(
            f"propensity: of {len(propensities)}, {said} (rows count from 0). Log the probability of each choice at "
            "the moment it is made, in (0, 1]; it cannot be filled in afterwards. If only some were lost, for reasons "
            "unrelated to the choice, drop those rows"
        )


def check_finite(name: str, values: Values) -> None:
    """Raise DataError if one is NaN or infinite."""
    wrong = ~np.isfinite(values)
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise DataError(
            f"{name}: {int(wrong.sum())} are not finite, the first in row {row}: correct or drop these rows"
        )


def check_policy(policy: Values, log: Log) -> None:
    """Raise DataError if `policy` is not one row of probabilities over the log's actions per decision."""
    if policy.shape != (len(log), len(log.names)):
        raise DataError(
            f"the policy has shape {policy.shape}: give one probability for each of {len(log)} decisions and "
            f"{len(log.names)} actions"
        )
    check_finite("the policy", policy)
    if (policy < 0.0).any():
        raise DataError(f"the policy: row {int(np.argwhere(policy < 0.0)[0][0])} has a probability below 0")
    sums = policy.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1.0) > SUM_SLACK)
    if len(wrong):
        raise DataError(
            f"the policy: probabilities of row {wrong[0]} sum to {sums[wrong[0]]:.6g}, not 1; {len(wrong)} rows do not"
        )
