"""Off-policy evaluation of restyling: expected satisfaction under another policy, from logged ratings."""

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
    """Log of ratings of images that were chosen at random, and the number of others, which were `certain`.

    An image that was shown with certainty carries no information about other images, so it is left out: the answer is
    about images of users with exploration. Exploration depends only on earlier ratings, never on the draw, so this
    selection does not depend on the measured outcome. `users`: ids in the order of the codes of `log.units`.
    """

    log: Log
    certain: int
    users: tuple[str, ...]


def collect_ratings(feedback: pd.DataFrame) -> Ratings:
    """Build a log from a table with COLUMNS and an optional `timestamp`, one row per rating, in the order given.

    Actions are named by `action_name`. The context of a rating are the user's earlier ratings: log(1 + their number),
    and the share of satisfied ones.

    Raises:
        DataError: for wrong propensities, and if no image was chosen at random.
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
            f"all {len(frame)} ratings are of images that were shown with certainty: such a log cannot evaluate other "
            "images. Set feedback.exploration above 0, and log again"
        )
    names = [
        action_name(str(target), float(strength))
        for target, strength in zip(frame["action"], frame["strength"], strict=True)
    ]
    satisfied = frame["satisfied"].to_numpy(np.float64)
    users = frame["user_id"].astype(str)
    # Number and sum of the user's ratings before each rating; the share of satisfied ones has a prior of 1 in 2.
    grouped = pd.DataFrame({"user": users.to_numpy(), "satisfied": satisfied}).groupby("user")["satisfied"]
    count = grouped.cumcount().to_numpy(np.float64)
    good = grouped.cumsum().to_numpy(np.float64) - satisfied
    earlier = np.column_stack([np.log1p(count), (good + 1.0) / (count + 2.0)])
    rows = np.flatnonzero(random)
    log = Log.from_columns(
        [names[row] for row in rows],
        propensities[random],
        satisfied[random],
        units=list(users.to_numpy()[random]),
        contexts=earlier[random],
    )
    return Ratings(log, len(frame) - len(rows), tuple(sorted(set(users.to_numpy()[random]))))


def action_name(target: str, strength: float) -> str:
    """Return the name of an action, as "taste at 0.3"; at strength 0 all style targets give the original photo.

    Raises:
        RequestError: for a strength outside [0, 1].
    """
    action = Action.from_target(target, strength)
    return action.target if action.strength == 0 else f"{action.target} at {action.strength:g}"


def build_policy(ratings: Ratings, table: pd.DataFrame) -> tuple[Log, Values]:
    """Build a policy (n, A) from a table with POLICY_COLUMNS; with a column `user_id` it is one policy per user.

    The returned log has the actions of both.

    Raises:
        DataError: for users that the table lacks, an action that occurs twice, and probabilities that do not sum to 1.
    """
    check_columns(table, POLICY_COLUMNS, "the policy")
    actions = [
        action_name(str(target), float(strength))
        for target, strength in zip(table["action"], table["strength"], strict=True)
    ]
    log = ratings.log
    # The policy may have actions that were never chosen: the log gets their names, too.
    names = tuple(sorted({*log.names, *actions}))
    codes = np.array([names.index(name) for name in log.names], dtype=np.int64)
    log = Log(codes[log.actions], log.propensities, log.rewards, log.units, log.contexts, names)
    users = table["user_id"].astype(str) if "user_id" in table else pd.Series([""] * len(table))
    wide = pd.DataFrame(
        {"user": users.to_numpy(), "action": actions, "probability": table["probability"].to_numpy(float)}
    )
    if wide.duplicated(["user", "action"]).any():
        twice = wide[wide.duplicated(["user", "action"])].iloc[0]
        raise DataError(
            f"the policy has two rows for {twice['action']!r}: give one probability for each action (and user)"
        )
    pivot = wide.pivot(index="user", columns="action", values="probability").fillna(0.0)
    rows = pivot.to_numpy(np.float64)
    if (rows < 0).any() or not np.isfinite(rows).all() or (np.abs(rows.sum(axis=1) - 1.0) > SUM_SLACK).any():
        raise DataError(
            "the policy: probabilities must be 0 or more and sum to 1 (for each user, if the policy is one per user)"
        )
    pivot = pivot.reindex(columns=list(log.names), fill_value=0.0)
    if "user_id" not in table:
        return log, np.tile(pivot.to_numpy(np.float64), (len(log), 1))
    missing = len(set(ratings.users) - set(pivot.index))
    if missing:
        raise DataError(f"the policy lacks {missing} of {len(ratings.users)} users of the log: give rows for each")
    return log, pivot.loc[list(ratings.users)].to_numpy(np.float64)[log.units]


def always(ratings: Ratings, target: str, strength: float) -> tuple[Log, Values]:
    """Return the log and the policy (n, A) that restyles all images to one style target at one strength.

    Raises:
        DataError: if that was never logged; names the logged actions.
    """
    return ratings.log, ratings.log.always(action_name(target, strength))


def evaluate_restyling(
    log: Log, policy: Values, *, only: Sequence[Estimator] = tuple(Estimator), level: float = 0.95, seed: int = 0
) -> Evaluation:
    """Estimate the share of satisfied ratings under `policy` (n, A); read SNIPS.

    The probability of a rating may depend on the image, and only rated images are in the log. SNIPS compares rewards
    with weights over the same ratings, so it stays the share of satisfied ones among ratings given under the policy.
    Other estimators assume that all images are rated as often as logged ones.
    """
    return evaluate(log, policy, only=only, main=Estimator.SNIPS, level=level, seed=seed)
