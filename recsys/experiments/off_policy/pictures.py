"""How satisfied people would be if their pictures were restyled otherwise, from logged verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.errors import DataError
from recsys.experiments.off_policy.estimators import Estimator
from recsys.experiments.off_policy.evaluate import Evaluation, evaluate
from recsys.experiments.off_policy.log import SUM_SLACK, Log, Values, check_propensities
from recsys.experiments.off_policy.tables import check_columns
from recsys.restyling.satisfaction_model import Action

COLUMNS = ("user_id", "action", "strength", "propensity", "satisfied")
POLICY_COLUMNS = ("action", "strength", "probability")


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """A `log` of verdicts on pictures that chance had a part in, and how many others were `certain`.

    What was shown for certain says nothing of anything else, so it is left out: the answer is about the pictures of
    people whom the bandit tries things out on. Whether it does so depends on earlier verdicts alone, never on the draw,
    so leaving them out is no selection by what is measured. `people`: ids in the order of the codes of `log.units`.
    """

    log: Log
    certain: int
    people: tuple[str, ...]


def verdicts_of(feedback: pd.DataFrame) -> Ratings:
    """From a table with COLUMNS and, if any, `timestamp`, a row a verdict, in the order given.

    Actions are those shown, named by `name_of`; a verdict's context is what its person had said before: how often,
    and how satisfied. Raises DataError for wrong propensities, and where nothing was left to chance.
    """
    check_columns(feedback, COLUMNS, "feedback")
    frame = feedback
    if "timestamp" in frame:
        frame = frame.sort_values("timestamp", kind="stable")
    propensities = frame["propensity"].to_numpy(np.float64)
    check_propensities(propensities)
    random = propensities < 1.0
    if not random.any():
        raise DataError(
            f"all {len(frame)} verdicts are on pictures that were shown for certain: such a log says nothing of other "
            "pictures. Set feedback.exploration above 0, and log again"
        )
    names = [
        name_of(str(look), float(strength)) for look, strength in zip(frame["action"], frame["strength"], strict=True)
    ]
    satisfied = frame["satisfied"].to_numpy(np.float64)
    users = frame["user_id"].astype(str)
    kept = np.flatnonzero(random)
    log = Log.of(
        [names[row] for row in kept],
        propensities[random],
        satisfied[random],
        units=list(users.to_numpy()[random]),
        contexts=_said_before(users, satisfied)[random],
    )
    return Ratings(log, len(frame) - len(kept), tuple(sorted(set(users.to_numpy()[random]))))


def name_of(look: str, strength: float) -> str:
    """An action by name, as "taste at 0.3"; at strength 0 every look is the original photo.

    Raises RequestError for a strength outside [0, 1].
    """
    action = Action.from_target(look, strength)
    return action.target if action.strength == 0 else f"{action.target} at {action.strength:g}"


def policy_of(verdicts: Ratings, table: pd.DataFrame) -> tuple[Log, Values]:
    """The log and a policy (n, A) from a table with POLICY_COLUMNS; with a column `user_id`, by person.

    The log's actions are those of both. Raises DataError for people whom the table lacks, an action that occurs twice,
    and probabilities that do not sum to 1.
    """
    check_columns(table, POLICY_COLUMNS, "the policy")
    actions = [
        name_of(str(look), float(strength)) for look, strength in zip(table["action"], table["strength"], strict=True)
    ]
    log = _with_names(verdicts.log, actions)
    people = table["user_id"].astype(str) if "user_id" in table else pd.Series([""] * len(table))
    wide = pd.DataFrame(
        {"person": people.to_numpy(), "action": actions, "probability": table["probability"].to_numpy(float)}
    )
    if wide.duplicated(["person", "action"]).any():
        twice = wide[wide.duplicated(["person", "action"])].iloc[0]
        raise DataError(
            f"the policy has two rows for {twice['action']!r}: give one probability for each action (and person)"
        )
    pivot = wide.pivot(index="person", columns="action", values="probability").fillna(0.0)
    _check_sums(pivot.to_numpy(np.float64))
    pivot = pivot.reindex(columns=list(log.names), fill_value=0.0)
    if "user_id" not in table:
        return log, np.tile(pivot.to_numpy(np.float64), (len(log), 1))
    missing = len(set(verdicts.people) - set(pivot.index))
    if missing:
        raise DataError(f"the policy lacks {missing} of {len(verdicts.people)} people of the log: give rows for each")
    return log, pivot.loc[list(verdicts.people)].to_numpy(np.float64)[log.units]


def always(verdicts: Ratings, look: str, strength: float) -> tuple[Log, Values]:
    """The log and the policy (n, A) that shows everybody one look at one strength.

    Raises DataError where nobody was ever shown that, with what there is.
    """
    return verdicts.log, verdicts.log.always(name_of(look, strength))


def evaluate_pictures(
    log: Log, policy: Values, *, only: Sequence[Estimator] = tuple(Estimator), level: float = 0.95, seed: int = 0
) -> Evaluation:
    """The share of satisfied verdicts under `policy` (n, A); SNIPS is the one to read.

    Who gives a verdict may depend on the picture, and only they are in the log. SNIPS compares rewards with weights
    over the same verdicts, so it stays the share of satisfied ones among verdicts given under the policy; others take
    all pictures to get a verdict as often as the log's.
    """
    return evaluate(log, policy, only=only, main=Estimator.SNIPS, level=level, seed=seed)


def _said_before(users: pd.Series[str], satisfied: Values) -> Values:
    """Of each verdict's person before it: the log of 1 + verdicts, and the share satisfied with 1 of 2 as prior."""
    grouped = pd.DataFrame({"user": users.to_numpy(), "satisfied": satisfied}).groupby("user")["satisfied"]
    count = grouped.cumcount().to_numpy(np.float64)
    good = grouped.cumsum().to_numpy(np.float64) - satisfied
    return np.column_stack([np.log1p(count), (good + 1.0) / (count + 2.0)])


def _with_names(log: Log, names: Sequence[str]) -> Log:
    """The log with further actions, which nobody was shown."""
    known = tuple(sorted({*log.names, *names}))
    places = np.array([known.index(name) for name in log.names], dtype=np.int64)
    return Log(places[log.actions], log.propensities, log.rewards, log.units, log.contexts, known)


def _check_sums(rows: Values) -> None:
    if (rows < 0).any() or not np.isfinite(rows).all() or (np.abs(rows.sum(axis=1) - 1.0) > SUM_SLACK).any():
        raise DataError("the policy: probabilities must be 0 or more and sum to 1 (for each person, where it has them)")
